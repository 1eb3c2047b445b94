// SPDX-License-Identifier: MIT
#include "ui/bridge/desktop/tasks.h"

#include <algorithm>

namespace tessera::ui {

namespace {
constexpr int kKeepEnded = 100;
}

std::int64_t Tasks::begin(const QString& title, std::function<void()> cancel) {
  Task task;
  task.id = ++m_last;
  task.title = title;
  task.started = QDateTime::currentDateTime();
  task.cancel = std::move(cancel);
  m_tasks.insert(m_tasks.begin(), std::move(task));
  Q_EMIT changed();
  return m_last;
}

Task* Tasks::edit(std::int64_t id) {
  const auto it =
      std::find_if(m_tasks.begin(), m_tasks.end(), [id](const Task& t) { return t.id == id; });
  return it == m_tasks.end() ? nullptr : &*it;
}

const Task* Tasks::find(std::int64_t id) const {
  return const_cast<Tasks*>(this)->edit(id);
}

void Tasks::setProgress(std::int64_t id, double progress, const QString& note) {
  Task* task = edit(id);
  if (!task || !task->running()) return;
  task->progress = std::min(progress, 1.0);
  task->note = note;
  Q_EMIT changed();
}

void Tasks::finish(std::int64_t id, const QString& error) {
  Task* task = edit(id);
  if (!task || !task->running()) return;
  task->ended = QDateTime::currentDateTime();
  task->error = error;
  task->cancel = {};
  int ended = 0;
  std::erase_if(m_tasks, [&](const Task& t) { return !t.running() && ++ended > kKeepEnded; });
  Q_EMIT finished(id, error);
  Q_EMIT changed();
}

int Tasks::running() const {
  return static_cast<int>(
      std::count_if(m_tasks.begin(), m_tasks.end(), [](const Task& t) { return t.running(); }));
}

void Tasks::forgetEnded() {
  std::erase_if(m_tasks, [](const Task& t) { return !t.running(); });
  Q_EMIT changed();
}

}  // namespace tessera::ui
