// SPDX-License-Identifier: MIT
// Boards: charts that a person has put together under a name, kept with the preferences.
#pragma once

#include <QString>
#include <QStringList>
#include <vector>

#include "ui/widgets/chart/panel_spec.h"

namespace tessera::ui {

class Preferences;

struct ChartBoard {
  QString name;
  QStringList panels;  ///< ids as panelOf() takes them, in their order
  bool operator==(const ChartBoard&) const = default;
};

/// In the order in which they were made. What cannot be read is left out.
std::vector<ChartBoard> chartBoards(const Preferences& preferences);
void keepBoards(Preferences& preferences, const std::vector<ChartBoard>& boards);

/// The name of the board that was shown last; empty: all charts.
QString shownBoard(const Preferences& preferences);
void keepShownBoard(Preferences& preferences, const QString& name);

/// The panels of a board; all charts for a name that is empty or unknown. Panels that this version
/// does not know are left out.
std::vector<ChartPanelSpec> panelsOf(const Preferences& preferences, const QString& board);

}  // namespace tessera::ui
