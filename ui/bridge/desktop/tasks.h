// SPDX-License-Identifier: MIT
// Tasks: what the studio does in the background, for the Tasks dock and the status bar. Used from
// the GUI thread; workers report through signals.
#pragma once

#include <QDateTime>
#include <QObject>
#include <QString>
#include <cstdint>
#include <functional>
#include <vector>

namespace tessera::ui {

struct Task {
  std::int64_t id = 0;
  QString title;             ///< "Measuring products"
  QString note;              ///< what it is at: "3 of 12 runs"
  double progress = -1;      ///< 0 to 1; below 0: unknown
  QDateTime started, ended;  ///< `ended` is null while it runs
  QString error;             ///< why it ended badly; empty: it did not
  std::function<void()> cancel;

  bool running() const { return ended.isNull(); }
};

class Tasks : public QObject {
  Q_OBJECT
 public:
  using QObject::QObject;

  /// `cancel` is offered as a button while the task runs.
  std::int64_t begin(const QString& title, std::function<void()> cancel = {});
  void setProgress(std::int64_t id, double progress, const QString& note = {});
  void finish(std::int64_t id, const QString& error = {});

  /// Newest first; of those that ended, the last hundred.
  const std::vector<Task>& all() const { return m_tasks; }
  const Task* find(std::int64_t id) const;
  int running() const;
  void forgetEnded();

 Q_SIGNALS:
  void changed();
  void finished(std::int64_t id, const QString& error);

 private:
  Task* edit(std::int64_t id);
  std::vector<Task> m_tasks;
  std::int64_t m_last = 0;
};

}  // namespace tessera::ui
