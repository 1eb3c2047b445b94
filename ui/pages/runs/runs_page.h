// SPDX-License-Identifier: MIT
// Runs: every run in a table with filters, tags and notes; several compared; the queue; sweeps.
#pragma once

#include <QPointer>

#include "ui/pages/page.h"

class QTabWidget;

namespace tessera::ui {

class CompareView;
class QueueView;
class RunActions;
class RunDetails;
class RunTable;
class SweepView;

class RunsPage : public Page {
  Q_OBJECT
 public:
  enum Tab { Table, Compare, Queue, Sweeps };

  explicit RunsPage(Studio& studio, QWidget* parent = nullptr);
  ~RunsPage() override;

  /// "page/runs?view=compare&runs=a,b", "page/runs?view=queue", "page/runs?view=sweeps&tag=lr",
  /// "page/runs?select=a&filter=words".
  void open(const Location& location) override;
  Location location() const override;
  std::vector<QAction*> commands() override;
  QWidget* inspector() override;
  void setActivity(bool visible, bool focused) override;
  QString command() const override;

  RunTable& table() { return *m_table; }
  CompareView& compareView() { return *m_compare; }
  QueueView& queueView() { return *m_queue; }
  SweepView& sweeps() { return *m_sweeps; }
  RunActions& actions() { return *m_actions; }
  QTabWidget& tabs() { return *m_tabs; }

 private:
  QWidget* buildButtons(QWidget* parent);
  void connectParts();
  void connectSweeps();
  void showSweep(const QString& tag);
  void exportTable();
  void showCounts();
  void activate();

  RunActions* m_actions;
  QTabWidget* m_tabs;
  RunTable* m_table;
  CompareView* m_compare;
  QueueView* m_queue;
  SweepView* m_sweeps;
  QPointer<RunDetails> m_details;  ///< shown in the shell's dock
  bool m_visible = false, m_focused = false;
};

}  // namespace tessera::ui
