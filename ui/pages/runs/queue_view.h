// SPDX-License-Identifier: MIT
// The queue: runs that wait for this machine. Moved by dragging, by buttons and by keys.
#pragma once

#include <QWidget>

#include "ui/models/queue_model.h"
#include "ui/shell_context.h"

class QPushButton;
class QStackedWidget;
class QTableView;

namespace tessera::ui {

class ElidedLabel;

class QueueView : public QWidget {
  Q_OBJECT
 public:
  explicit QueueView(Studio& studio, QWidget* parent = nullptr);

  QTableView* view() const { return m_view; }
  QueueModel& model() { return m_model; }
  QString current() const;  ///< id of an entry; may be empty
  QPushButton* pauseButton() const { return m_pause; }
  void moveCurrent(int by);
  void removeCurrent();
  /// Tags that are sweeps: what waits for one leads to it.
  void setSweeps(const QStringList& tags);

 Q_SIGNALS:
  void sweepRequested(const QString& tag);

 private:
  void buildView();
  QWidget* buildButtons();
  void refresh();
  void select(const QString& entryId);
  QString sweepOfCurrent() const;

  Studio& m_studio;
  QueueModel m_model;
  QTableView* m_view;
  QStackedWidget* m_stack;
  QPushButton *m_pause, *m_up, *m_down, *m_remove, *m_again, *m_sweep;
  QStringList m_sweeps;
  ElidedLabel* m_standing;
};

}  // namespace tessera::ui
