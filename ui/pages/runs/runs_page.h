// SPDX-License-Identifier: MIT
// Runs: every run in a table with filters, tags and notes; several compared; the queue; sweeps.
// What stands behind the other tabs is made when it is first shown, or asked for.
#pragma once

#include <QPointer>

#include "ui/pages/page.h"

class QTabWidget;
class QTimer;

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
  CompareView& compareView();
  QueueView& queueView();
  SweepView& sweeps();
  RunActions& actions() { return *m_actions; }
  QTabWidget& tabs() { return *m_tabs; }

 private:
  QWidget* buildButtons(QWidget* parent);
  void addTab(const QString& icon);
  void fill(Tab tab, QWidget* view);
  void make(int tab);
  void connectParts();
  void readSweepTags();
  void takeSweepTags(const QStringList& tags);
  void showSweep(const QString& tag);
  void exportTable();
  void showCounts();
  void activate();

  RunActions* m_actions;
  QTabWidget* m_tabs;
  RunTable* m_table;
  // Null until they are made.
  CompareView* m_compare = nullptr;
  QueueView* m_queue = nullptr;
  SweepView* m_sweeps = nullptr;
  QTimer* m_tagReader;  ///< until there is a view of sweeps, which reads them itself
  QStringList m_sweepTags;
  QPointer<RunDetails> m_details;  ///< shown in the shell's dock
  bool m_visible = false, m_focused = false;
};

}  // namespace tessera::ui
