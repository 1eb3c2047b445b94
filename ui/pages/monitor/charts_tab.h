// SPDX-License-Identifier: MIT
// Charts of one run, following its feed.
#pragma once

#include <QWidget>
#include <memory>

#include "ui/bridge/run_feed.h"
#include "ui/shell_context.h"
#include "ui/widgets/chart/chart_group.h"

namespace tessera::ui {

class ChartGrid;
class ChartToolbar;

class ChartsTab : public QWidget {
  Q_OBJECT
 public:
  explicit ChartsTab(Studio& studio, QWidget* parent = nullptr);
  void setFeed(const QString& id, std::shared_ptr<RunFeed> feed);
  ChartGroup& group() { return m_group; }
  ChartGrid& grid() { return *m_grid; }
  ChartToolbar& toolbar() { return *m_toolbar; }
  /// Every quantity of the run, one row a step, to a file that is asked for.
  void exportAll();

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void readFeed();
  void saved(const QString& file, const QString& error);
  Studio& m_studio;
  ChartGroup m_group;
  ChartGrid* m_grid;
  ChartToolbar* m_toolbar;
  QString m_id;
  std::shared_ptr<RunFeed> m_feed;
  std::shared_ptr<RunCurves> m_curves;
  bool m_stages = false, m_behind = false;
};

}  // namespace tessera::ui
