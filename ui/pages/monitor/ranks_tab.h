// SPDX-License-Identifier: MIT
// The processes of a run: a cell and a row for each, who is slow, and where each of them is.
#pragma once

#include <QString>
#include <QTimer>
#include <QWidget>
#include <memory>
#include <vector>

#include "ui/bridge/runs/run_feed.h"

class QComboBox;
class QPushButton;
class QTableWidget;

namespace tessera::ui {

class RankGrid;
class TextLabel;

class RanksTab : public QWidget {
  Q_OBJECT
 public:
  explicit RanksTab(QWidget* parent = nullptr);
  void setFeed(std::shared_ptr<RunFeed> feed);
  /// Shows each rank as it was at a step; -1: as it is now.
  void setStep(std::int64_t step);
  QTableWidget* table() const { return m_table; }
  RankGrid* grid() const { return m_grid; }

 Q_SIGNALS:
  void logAsked(int rank);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  struct Row;
  void build();
  void refresh();
  std::vector<Row> rows() const;
  Row rowOfRun() const;
  void take(Row& row, const RankCalls& calls) const;
  QString summary(const std::vector<Row>& rows) const;
  void showTable(const std::vector<Row>& rows);
  void showGrid(const std::vector<Row>& rows);
  void select(int rank);

  std::shared_ptr<RunFeed> m_feed;
  std::shared_ptr<const std::vector<RankCalls>> m_records;
  std::int64_t m_step = -1;
  TextLabel* m_note;
  QComboBox* m_colour;
  QPushButton* m_log;
  QWidget* m_bar;
  RankGrid* m_grid;
  QTableWidget* m_table;
  QTimer m_clock;  ///< for the age of the last word
};

}  // namespace tessera::ui
