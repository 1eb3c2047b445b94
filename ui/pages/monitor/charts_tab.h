// SPDX-License-Identifier: MIT
// Charts of one run, following its feed.
#pragma once

#include <QHash>
#include <QWidget>
#include <memory>

#include "ui/bridge/runs/run_feed.h"
#include "ui/shell_context.h"
#include "ui/widgets/chart/chart_group.h"

class QCheckBox;

namespace tessera::ui {

class BoardArea;
class BoardPicker;
class ChartGrid;
class ChartToolbar;

class ChartsTab : public QWidget {
  Q_OBJECT
 public:
  explicit ChartsTab(Studio& studio, QWidget* parent = nullptr);
  void setFeed(const QString& id, std::shared_ptr<RunFeed> feed);
  /// The run that this one was forked from, drawn beside it; null: none. `title` and `own` are what
  /// legends call the two.
  void setParentRun(const QString& id, const QString& title, std::shared_ptr<RunFeed> feed,
                    const QString& own);
  bool showsParent() const;
  QCheckBox* parentBox() const { return m_showParent; }
  ChartGroup& group() { return m_group; }
  ChartGrid& grid() { return *m_grid; }
  ChartToolbar& toolbar() { return *m_toolbar; }
  BoardPicker& boards();
  /// Every quantity of the run, one row a step, to a file that is asked for.
  void exportAll();

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void readFeed();
  void nameRuns(const QString& parent);
  void showRuns();
  void keepView();
  void restoreView();
  void saved(const QString& file, const QString& error, const QString& note);
  Studio& m_studio;
  ChartGroup m_group;
  BoardArea* m_area;
  ChartGrid* m_grid;
  ChartToolbar* m_toolbar;
  /// What was zoomed into, by run: it is found again when the run is.
  struct View {
    chart::XAxis axis = chart::XAxis::Step;
    chart::Range range;
  };
  QHash<QString, View> m_views;
  QString m_id, m_title;
  std::shared_ptr<RunFeed> m_feed;
  std::shared_ptr<RunCurves> m_curves;
  QCheckBox* m_showParent;
  std::shared_ptr<RunFeed> m_parentFeed;
  std::shared_ptr<RunCurves> m_parent;
  bool m_stages = false, m_behind = false, m_viewWaits = false;
};

}  // namespace tessera::ui
