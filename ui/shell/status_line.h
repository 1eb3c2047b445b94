// SPDX-License-Identifier: MIT
// StatusLine: the bar at the bottom: the page's command, hosts with the age of their last word, how
// busy this machine and its GPUs are, tasks and problems.
#pragma once

#include <QStatusBar>
#include <QToolButton>

namespace tessera::ui {

class ElidedLabel;
class HostMonitor;
class Problems;
class TextLabel;
struct Studio;

/// A small bar with a word and a share from 0 to 1.
class Gauge : public QWidget {
  Q_OBJECT
 public:
  explicit Gauge(const QString& word, QWidget* parent = nullptr);
  void set(double share, const QString& tip);
  QSize sizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QString m_word;
  double m_share = -1;
};

class StatusLine : public QStatusBar {
  Q_OBJECT
 public:
  StatusLine(Studio& studio, HostMonitor& host, Problems& problems, QWidget* parent = nullptr);
  void setCommand(const QString& command);

 Q_SIGNALS:
  void dockWanted(const QString& dock);  ///< "tasks", "problems", "logs"
  void hostsWanted();

 private:
  void showHost();
  void showRuns();
  void showTasks();
  void showProblems();
  Studio& m_studio;
  HostMonitor& m_hostMonitor;
  Problems& m_problems;
  ElidedLabel* m_command;
  QToolButton* m_copy;
  QToolButton* m_host;
  Gauge* m_cpu;
  Gauge* m_memory;
  Gauge* m_gpu;
  QToolButton* m_logs;
  QToolButton* m_tasks;
  QToolButton* m_problemsButton;
};

}  // namespace tessera::ui
