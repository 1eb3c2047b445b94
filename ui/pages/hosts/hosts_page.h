// SPDX-License-Identifier: MIT
// Hosts: the machines that runs can go to. This one, with what it has and what it was measured to
// do; other folders of runs, which machines that share a file system write to.
#pragma once

#include <vector>

#include "ui/pages/page.h"

class QGridLayout;
class QProgressBar;
class QPushButton;

namespace tessera::ui {

class HostMonitor;
class KnownHostsView;
class SlurmProfilesView;
class MachineSpeed;
class TextLabel;

class HostsPage : public Page {
  Q_OBJECT
 public:
  explicit HostsPage(Studio& studio, QWidget* parent = nullptr);
  ~HostsPage() override;

  void open(const Location& location) override;
  Location location() const override;
  std::vector<QAction*> commands() override {
    return {m_measure, m_addHost, m_checkAll, m_testLaunch, m_addProfile, m_addFolder};
  }
  QString command() const override;
  void setActivity(bool visible, bool focused) override;

 private:
  QWidget* buildMachine();
  QWidget* buildSpeed();
  QWidget* buildOthers();
  QWidget* buildClusters();
  void showFacts();
  struct Line {
    QString name, text;
    double share = -1;  ///< that is used, 0 to 1; below 0: no bar
  };
  std::vector<Line> lines() const;
  void makeRows(std::size_t count);
  void showSpeed();
  void measure();
  void measured(const QString& problem);
  void addFolder();
  struct Row {
    TextLabel *name, *text;
    QProgressBar* bar;
  };
  HostMonitor& m_host;
  MachineSpeed& m_machine;
  QAction* m_measure;
  QAction* m_addFolder;
  QAction *m_addHost, *m_checkAll, *m_testLaunch, *m_addProfile;
  KnownHostsView* m_known = nullptr;
  SlurmProfilesView* m_profiles = nullptr;
  QGridLayout* m_facts = nullptr;
  std::vector<Row> m_rows;
  QPushButton* m_measureButton;
  TextLabel* m_speed;
  TextLabel* m_speedNote;
  std::int64_t m_task = -1;  ///< a measurement that was asked for here; -1: none
};

}  // namespace tessera::ui
