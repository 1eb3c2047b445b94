// SPDX-License-Identifier: MIT
// Monitor: one run as it goes, or as it went: charts, ranks, timeline, logs,
// checkpoints, samples, spec, the machine. A step picked in a chart is picked everywhere; a bar
// says what is known of it and leads on.
#pragma once

#include <memory>

#include "ui/bridge/runs/run_feed.h"
#include "ui/pages/page.h"

class QPushButton;
class QStackedWidget;
class QTabWidget;

namespace tessera::ui {

class ChartsTab;
class CheckpointsTab;
class ElidedLabel;
class EmptyState;
class LogsTab;
class MachineTab;
class RanksTab;
class RunHeader;
class SamplesTab;
class SpecTab;
class TimelineTab;

class MonitorPage : public Page {
  Q_OBJECT
 public:
  explicit MonitorPage(Studio& studio, QWidget* parent = nullptr);
  ~MonitorPage() override;

  /// Subject: a run. Arguments: step, tab (charts, ranks, timeline, logs, checkpoints, samples,
  /// spec, machine).
  void open(const Location& location) override;
  Location location() const override;
  std::vector<QAction*> commands() override { return m_commands; }
  void setActivity(bool visible, bool focused) override;
  QString command() const override;

  RunHeader& header() { return *m_header; }
  ChartsTab& charts() { return *m_charts; }
  LogsTab& logs() { return *m_logs; }
  CheckpointsTab& checkpoints() { return *m_checkpoints; }
  SamplesTab& samples() { return *m_samples; }
  SpecTab& spec() { return *m_spec; }
  RanksTab& ranks() { return *m_ranks; }
  TimelineTab& timeline() { return *m_timeline; }
  MachineTab& machine() { return *m_machine; }
  QTabWidget* tabs() const { return m_tabs; }
  const QString& run() const { return m_run; }

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void build();
  QWidget* buildPickedBar();
  void addCommand(const QString& text, const QString& icon, const std::function<void()>& run);
  void setRun(const QString& id);
  void feedChanged();
  void showRunOrReason();
  void showParentRun();
  QString whyNothingIsShown() const;
  void refreshPicked();
  void showTab(const QString& id);

  QStackedWidget* m_stack = nullptr;
  EmptyState* m_empty = nullptr;
  RunHeader* m_header = nullptr;
  QTabWidget* m_tabs = nullptr;
  ChartsTab* m_charts = nullptr;
  RanksTab* m_ranks = nullptr;
  TimelineTab* m_timeline = nullptr;
  LogsTab* m_logs = nullptr;
  CheckpointsTab* m_checkpoints = nullptr;
  SamplesTab* m_samples = nullptr;
  SpecTab* m_spec = nullptr;
  MachineTab* m_machine = nullptr;
  QWidget* m_pickedBar = nullptr;
  ElidedLabel* m_pickedText = nullptr;
  std::vector<QAction*> m_commands;
  QString m_run;
  std::shared_ptr<RunFeed> m_feed;
  int m_hertz = 10;  ///< how often the run is read
};

}  // namespace tessera::ui
