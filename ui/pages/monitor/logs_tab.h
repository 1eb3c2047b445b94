// SPDX-License-Identifier: MIT
// The log of a rank as it is written: searchable, and at the time of a picked step.
#pragma once

#include <QWidget>
#include <memory>

#include "ui/bridge/runs/run_feed.h"
#include "ui/shell_context.h"

class QComboBox;
class QListView;

namespace tessera::ui {

class EmptyState;
class LogTail;
class LogView;
class TextLabel;

class LogsTab : public QWidget {
  Q_OBJECT
 public:
  explicit LogsTab(Studio& studio, QWidget* parent = nullptr);
  void setFeed(std::shared_ptr<RunFeed> feed);
  /// Selects the last line written before the step ended; false where there is none.
  bool showStep(std::int64_t step);
  void showRank(int rank);
  LogView& view() { return *m_view; }

 protected:
  void showEvent(QShowEvent* event) override;
  void hideEvent(QHideEvent* event) override;

 private:
  void follow();
  void offerRanks();
  std::shared_ptr<RunFeed> m_feed;
  LogView* m_view;
  LogTail* m_tail;
  QComboBox* m_ranks;  ///< hidden where there is one
  TextLabel* m_note;
  int m_mostLines;
  std::int64_t m_wanted = -1;  ///< a step asked for before its lines were read
};

/// "2026-11-24T01:26:22Z", as each line of a log begins.
QString logTime(double secondsSince1970);

}  // namespace tessera::ui
