// SPDX-License-Identifier: MIT
// What can be looked up: shortcuts (Ctrl+/) and the glossary (F1).
#pragma once

#include <QKeySequence>
#include <QString>
#include <vector>

class QWidget;

namespace tessera::ui {

struct ShortcutLine {
  QString group, title;
  QKeySequence keys;
};
void showShortcutsDialog(QWidget* parent, const std::vector<ShortcutLine>& lines);

/// `term` is shown at first, if there is such an entry.
void showGlossaryDialog(QWidget* parent, const QString& term);

}  // namespace tessera::ui
