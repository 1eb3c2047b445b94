// SPDX-License-Identifier: MIT
// Timeline: what the ranks of a run did in the steps that `--timeline` recorded.
#pragma once

#include <QWidget>
#include <filesystem>
#include <memory>

#include "core/history/run_timeline.h"
#include "ui/bridge/runs/run_feed.h"
#include "ui/shell_context.h"

class QStackedLayout;

namespace tessera::ui {

class EmptyState;
class TextLabel;
class TimelinePlot;

class TimelineTab : public QWidget {
  Q_OBJECT
 public:
  explicit TimelineTab(Studio& studio, QWidget* parent = nullptr);
  void setFeed(std::shared_ptr<RunFeed> feed);
  TimelinePlot& plot() { return *m_plot; }

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  QWidget* buildContent();
  QWidget* buildLegend(QWidget* parent);
  void look();
  void showFile();
  void take(std::shared_ptr<const RunTimeline> timeline, const QString& problem);
  std::filesystem::path file() const;

  Studio& m_studio;
  std::shared_ptr<RunFeed> m_feed;
  QString m_seen;  ///< the run and the file's time, as shown
  EmptyState* m_empty;
  TextLabel* m_about;
  TimelinePlot* m_plot;
  QStackedLayout* m_stack;
  bool m_reading = false, m_lookAgain = false;
};

}  // namespace tessera::ui
