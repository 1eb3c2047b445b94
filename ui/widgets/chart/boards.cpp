// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/boards.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <algorithm>

#include "ui/bridge/desktop/preferences.h"

namespace tessera::ui {

namespace {
constexpr const char *kBoards = "charts/boards", *kShown = "charts/board";
}

std::vector<ChartBoard> chartBoards(const Preferences& preferences) {
  std::vector<ChartBoard> boards;
  const QByteArray text = preferences.value(kBoards).toString().toUtf8();
  const QJsonArray list = QJsonDocument::fromJson(text).array();
  for (const QJsonValue value : list) {
    ChartBoard board{value["name"].toString(), {}};
    const QJsonArray panels = value["panels"].toArray();
    for (const QJsonValue panel : panels) board.panels << panel.toString();
    if (!board.name.isEmpty()) boards.push_back(std::move(board));
  }
  return boards;
}

void keepBoards(Preferences& preferences, const std::vector<ChartBoard>& boards) {
  QJsonArray list;
  for (const ChartBoard& board : boards) {
    list.append(
        QJsonObject{{"name", board.name}, {"panels", QJsonArray::fromStringList(board.panels)}});
  }
  preferences.setValue(kBoards,
                       QString::fromUtf8(QJsonDocument(list).toJson(QJsonDocument::Compact)));
}

QString shownBoard(const Preferences& preferences) {
  return preferences.value(kShown).toString();
}

void keepShownBoard(Preferences& preferences, const QString& name) {
  preferences.setValue(kShown, name);
}

std::vector<ChartPanelSpec> panelsOf(const Preferences& preferences, const QString& name) {
  const std::vector<ChartBoard> boards = chartBoards(preferences);
  const auto board = std::find_if(boards.begin(), boards.end(),
                                  [&](const ChartBoard& b) { return b.name == name; });
  if (board == boards.end()) return standardPanels();
  std::vector<ChartPanelSpec> panels;
  for (const QString& id : board->panels) {
    if (auto spec = panelOf(id)) panels.push_back(std::move(*spec));
  }
  return panels;
}

}  // namespace tessera::ui
