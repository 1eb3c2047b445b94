// SPDX-License-Identifier: MIT
// What the pages of the spec that is being written share: the draft itself, the sentence that
// stands there while there is none, undo and redo, and the command line that does the same.
#pragma once

#include <vector>

#include "ui/pages/page.h"

class QBoxLayout;
class QToolButton;

namespace tessera::ui {

class DraftSpec;
class EmptyState;

class DraftPage : public Page {
  Q_OBJECT
 public:
  /// `sentence` stands there, under `icon`, until a spec has been loaded.
  DraftPage(Studio& studio, const QString& sentence, const QString& icon, QWidget* parent);

  std::vector<QAction*> commands() override { return m_commands; }
  QString command() const override;
  DraftSpec& draft() { return m_draft; }

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;
  QAction* addCommand(const QString& name, const char* icon, const QKeySequence& keys,
                      const std::function<void()>& run);
  /// The commands Undo and Redo.
  void addUndoCommands();
  /// Their buttons, which say what they would undo.
  void addUndoButtons(QBoxLayout* row);
  void showUndo();
  /// What is shown of a draft, or the sentence where there is none.
  void showBody();

  DraftSpec& m_draft;
  QWidget* m_body;
  EmptyState* m_empty;

 private:
  std::vector<QAction*> m_commands;
  QToolButton *m_undo = nullptr, *m_redo = nullptr;
};

}  // namespace tessera::ui
