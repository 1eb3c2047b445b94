// SPDX-License-Identifier: MIT
// A chart as a table: every logged row of what is in view, for those who read rather than look.
#pragma once

#include <QAbstractTableModel>
#include <QDialog>
#include <vector>

#include "ui/widgets/chart/chart_scene.h"

class QLabel;
class QTableView;

namespace tessera::ui {

class ChartPanel;

/// Rows are a run's steps in the view, runs one after another; columns step, tokens, time and each
/// line. Values are copied: the table is of the moment it was asked for.
class ChartTableModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  static constexpr int kMostRows = 200'000;
  using QAbstractTableModel::QAbstractTableModel;

  void show(const std::vector<chart::SceneLine>& lines, chart::XAxis axis, const chart::Range& view,
            chart::ValueKind kind, const ChartGroup& group);
  /// Rows that were left out past kMostRows.
  std::int64_t leftOut() const { return m_leftOut; }

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role = Qt::DisplayRole) const override;
  QVariant headerData(int section, Qt::Orientation orientation,
                      int role = Qt::DisplayRole) const override;

 private:
  struct Row {
    int run = 0;
    double step = 0, tokens = 0, time = 0;
    std::size_t first = 0;  ///< where its values begin in m_values
  };
  QStringList m_runs, m_titles;
  std::vector<Row> m_rows;
  std::vector<float> m_values;  ///< m_titles.size() a row; NaN with m_has false: no such row
  std::vector<bool> m_has;
  chart::ValueKind m_kind = chart::ValueKind::Number;
  std::int64_t m_leftOut = 0;
};

class ChartTableDialog : public QDialog {
  Q_OBJECT
 public:
  explicit ChartTableDialog(const ChartPanel& panel, QWidget* parent = nullptr);
  QTableView* table() const { return m_table; }

 private:
  QTableView* m_table;
};

}  // namespace tessera::ui
