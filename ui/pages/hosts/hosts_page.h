// SPDX-License-Identifier: MIT
// Hosts: the machines that runs can go to. This one, with what it has and what it was measured to
// do; other folders of runs, which machines that share a file system write to.
#pragma once

#include <memory>

#include "ui/pages/page.h"

class QPushButton;
class QVBoxLayout;

namespace tessera::ui {

class EmptyState;
class HostMonitor;
class MachineSpeed;
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
  void measured(const QString& problem);
  void addFolder();
  std::unique_ptr<HostMonitor> m_host;
  MachineSpeed& m_machine;
  QAction* m_measure;
  QAction* m_addFolder;
  QVBoxLayout* m_facts = nullptr;
  QPushButton* m_measureButton;
  TextLabel* m_speed;
  TextLabel* m_speedNote;
  std::int64_t m_task = -1;  ///< of a measurement that was asked for here; -1: none
};

}  // namespace tessera::ui
