// SPDX-License-Identifier: MIT
#include "ui/bridge/desktop/worker_thread.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <QCoreApplication>
#include <QTimer>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace tessera::ui {

namespace {
constexpr int kNicer = 5, kEndsWithinMs = 20;

/// The window comes first. On Linux a thread has a nice value of its own.
void yieldToTheWindow() {
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  ::setpriority(PRIO_PROCESS, thread, ::getpriority(PRIO_PROCESS, thread) + kNicer);
}

/// Threads that were told to end and have not yet. Never destroyed: it is asked last of all.
std::vector<QThread*>& leftBehind() {
  static auto* threads = new std::vector<QThread*>;
  return *threads;
}

/// NOTE: not on its signal finished(): that comes before the thread has ended, and the destructor
/// would wait for the rest, which takes a busy machine a while as the thread is the nicer one.
void deleteOnceEnded(QThread* thread) {
  if (thread->wait(QDeadlineTimer(0))) {
    std::erase(leftBehind(), thread);
    delete thread;
    return;
  }
  QTimer::singleShot(kEndsWithinMs, thread, [thread] { deleteOnceEnded(thread); });
}

/// A thread that hangs, on a dead network file system perhaps, must not keep the program: it then
/// ends without destroying anything that the thread may still use.
void endWithTheApplication() {
  constexpr int kLastPatienceMs = 5'000;
  if (waitForWorkers(QDeadlineTimer(kLastPatienceMs))) return;
  std::fflush(nullptr);
  std::_Exit(EXIT_SUCCESS);
}
}  // namespace

bool waitForWorkers(QDeadlineTimer patience) {
  std::vector<QThread*> running;
  for (QThread* thread : std::exchange(leftBehind(), {})) {
    if (thread->wait(patience)) {
      delete thread;
    } else {
      running.push_back(thread);
    }
  }
  leftBehind() = running;
  return running.empty();
}

WorkerThread::WorkerThread(const QString& name, QObject* worker) : m_thread(new QThread) {
  m_thread->setObjectName(name);
  worker->moveToThread(m_thread);
  QObject::connect(m_thread, &QThread::finished, worker, &QObject::deleteLater);
  tell(worker, [] { yieldToTheWindow(); });
  static const bool once = [] {
    qAddPostRoutine(endWithTheApplication);
    return true;
  }();
  Q_UNUSED(once);
  m_thread->start();
}

WorkerThread::~WorkerThread() {
  m_thread->quit();
  if (m_thread->wait(kEndsWithinMs)) {
    delete m_thread;
    return;
  }
  // It may be busy, with a slow disk perhaps: it goes when it is done.
  leftBehind().push_back(m_thread);
  deleteOnceEnded(m_thread);
}

}  // namespace tessera::ui
