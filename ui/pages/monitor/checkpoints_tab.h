// SPDX-License-Identifier: MIT
// What a run has saved, and what can be done with each: talk to it, export it, train on from it.
#pragma once

#include <QProcess>
#include <QWidget>
#include <memory>

#include "ui/bridge/runs/run_feed.h"
#include "ui/models/feed_models.h"
#include "ui/shell_context.h"

class QPushButton;
class QStackedWidget;
class QTableView;

namespace tessera::ui {

class EmptyState;

class CheckpointsTab : public QWidget {
  Q_OBJECT
 public:
  explicit CheckpointsTab(Studio& studio, QWidget* parent = nullptr);
  void setFeed(const QString& id, std::shared_ptr<RunFeed> feed);
  QTableView* table() const { return m_table; }
  QPushButton* chatButton() const { return m_chat; }
  QPushButton* forkButton() const { return m_fork; }
  QPushButton* exportButton() const { return m_export; }
  void selectStep(std::int64_t step);
  void saveNow();  ///< asks the run for a checkpoint; says why where it cannot

 Q_SIGNALS:
  void chatRequested(const QString& checkpoint);  ///< "step-750"
  void forkRequested(qint64 step);

 private:
  void refresh();
  int row() const;
  void exportSelected();
  void startExport(const QString& checkpoint, const QString& folder);
  Studio& m_studio;
  QString m_id;
  std::shared_ptr<RunFeed> m_feed;
  CheckpointsModel m_model;
  QStackedWidget* m_stack;
  QTableView* m_table;
  QPushButton *m_chat, *m_fork, *m_export, *m_save;
};

}  // namespace tessera::ui
