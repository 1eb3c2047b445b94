// SPDX-License-Identifier: MIT
// Several runs side by side: their curves overlaid, what differs in their configuration, and how
// they ended.
#pragma once

#include <QStringList>
#include <QWidget>
#include <memory>
#include <vector>

#include "ui/bridge/runs/run_feed.h"
#include "ui/pages/runs/comparison.h"
#include "ui/shell_context.h"
#include "ui/widgets/chart/chart_group.h"

class QHBoxLayout;
class QTableView;
class QTabWidget;
class QTimer;

namespace tessera::ui {

class BoardArea;
class BoardPicker;
class ChartGrid;
class EmptyState;

class CompareView : public QWidget {
  Q_OBJECT
 public:
  /// Many lines in one chart tell nothing any more, and each run is read.
  static constexpr int kMostRuns = 50;

  explicit CompareView(Studio& studio, QWidget* parent = nullptr);
  ~CompareView() override;

  void setRuns(const QStringList& ids);
  const QStringList& runs() const { return m_ids; }
  void setActive(bool visible, bool focused);
  ComparisonModel& differences() { return *m_differences; }
  ComparisonModel& numbers() { return *m_numbers; }
  ChartGrid& charts() { return *m_grid; }
  BoardPicker& boards();

 Q_SIGNALS:
  void runsChanged();
  void chooseRequested();  ///< more runs are wanted

 private:
  struct Member {
    QString id, name;
    std::shared_ptr<RunFeed> feed;
    std::shared_ptr<RunCurves> curves;
    bool behind = true;  ///< the feed has more than was drawn
    TrainedTime time;
  };
  QWidget* buildCharts();
  QWidget* buildTables();
  QWidget* tableTab(ComparisonModel* model, const QString& empty);
  void buildChips();
  void addFeed(Member& member);
  void addMissingFeeds();
  void update();
  void updateTables();
  QString nameOf(const QString& id) const;
  QString titleOf(const QString& id) const;

  Studio& m_studio;
  QStringList m_ids, m_titles;
  std::vector<Member> m_members;
  ChartGroup m_group;
  BoardArea* m_area;
  ChartGrid* m_grid;
  ComparisonModel *m_differences, *m_numbers;
  QWidget *m_chips, *m_content;
  QHBoxLayout* m_chipRow;
  EmptyState* m_empty;
  std::vector<const RunSpec*> m_comparedSpecs;
  QTimer* m_refresh;
  bool m_visible = false;
};

}  // namespace tessera::ui
