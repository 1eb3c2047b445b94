// SPDX-License-Identifier: MIT
// The processes of a run: one today, a row each when a run is spread over several.
#pragma once

#include <QTimer>
#include <QWidget>
#include <memory>

#include "ui/bridge/runs/run_feed.h"

class QTableWidget;

namespace tessera::ui {

class TextLabel;

class RanksTab : public QWidget {
  Q_OBJECT
 public:
  explicit RanksTab(QWidget* parent = nullptr);
  void setFeed(std::shared_ptr<RunFeed> feed);
  /// Shows each rank as it was at a step; -1: as it is now.
  void setStep(std::int64_t step);
  QTableWidget* table() const { return m_table; }

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void refresh();
  std::shared_ptr<RunFeed> m_feed;
  std::int64_t m_step = -1;
  TextLabel* m_note;
  QTableWidget* m_table;
  QTimer m_clock;  ///< for the age of the last word
};

}  // namespace tessera::ui
