// SPDX-License-Identifier: MIT
// Hosts: the machines that runs can go to. This one, with what it has and what it was measured to
// do; other folders of runs, which machines that share a file system write to.
#pragma once

#include <memory>

#include "ui/pages/page.h"

class QProcess;
class QPushButton;
class QVBoxLayout;

namespace tessera::ui {

class EmptyState;
class HostMonitor;
class TextLabel;

class HostsPage : public Page {
  Q_OBJECT
 public:
  explicit HostsPage(Studio& studio, QWidget* parent = nullptr);
  ~HostsPage() override;

  void open(const Location& location) override;
  Location location() const override;
  std::vector<QAction*> commands() override { return {m_measure, m_addFolder}; }
  QString command() const override;
  void setActivity(bool visible, bool focused) override;

 private:
  QWidget* buildMachine();
  QWidget* buildSpeed();
  void showFacts();
  void showSpeed();
  void measure();
  void measured(int exitCode);
  void addFolder();
  std::unique_ptr<HostMonitor> m_host;
  QAction* m_measure;
  QAction* m_addFolder;
  QVBoxLayout* m_facts = nullptr;
  QPushButton* m_measureButton;
  TextLabel* m_speed;
  TextLabel* m_speedNote;
  QProcess* m_process = nullptr;
  std::int64_t m_task = 0;
};

/// The rate in a line of `tessera bench kernels`, "ceiling: 157.1 GFLOP/s (...)"; 0 where there is
/// none.
double ceilingFrom(const QString& output);

}  // namespace tessera::ui
