// SPDX-License-Identifier: MIT
// The charts of the board that is chosen, below the list of boards.
#pragma once

#include <QWidget>
#include <functional>

#include "ui/widgets/chart/chart_group.h"

class QHBoxLayout;

namespace tessera::ui {

class BoardPicker;
class Preferences;
class ChartGrid;
class EmptyState;

class BoardArea : public QWidget {
  Q_OBJECT
 public:
  BoardArea(Preferences& preferences, ChartGroup& group, QWidget* parent = nullptr);
  ChartGrid& grid() { return *m_grid; }
  BoardPicker& boards() { return *m_boards; }
  /// Beside the list of boards.
  void addBeside(QWidget* widget);

 Q_SIGNALS:
  /// What was done, for the toast, and how it is undone.
  void done(const QString& text, const std::function<void()>& undo);

 private:
  void showBoard();
  ChartGrid* m_grid;
  BoardPicker* m_boards;
  EmptyState* m_noCharts;
  QHBoxLayout* m_row;
};

}  // namespace tessera::ui
