// SPDX-License-Identifier: MIT
#include "ui/bridge/desktop/worker_thread.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <QDeadlineTimer>
#include <QTimer>

namespace tessera::ui {

namespace {
constexpr int kNicer = 5, kPatienceMs = 20;

/// The window comes first. On Linux a thread has a nice value of its own.
void yieldToTheWindow() {
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  ::setpriority(PRIO_PROCESS, thread, ::getpriority(PRIO_PROCESS, thread) + kNicer);
}

/// NOTE: not on its signal finished(): that comes before the thread has ended, and the destructor
/// would wait for the rest, which takes a busy machine a while as the thread is the nicer one.
void deleteOnceEnded(QThread* thread) {
  if (thread->wait(QDeadlineTimer(0))) {
    delete thread;
    return;
  }
  QTimer::singleShot(kPatienceMs, thread, [thread] { deleteOnceEnded(thread); });
}
}  // namespace

WorkerThread::WorkerThread(const QString& name, QObject* worker) : m_thread(new QThread) {
  m_thread->setObjectName(name);
  worker->moveToThread(m_thread);
  QObject::connect(m_thread, &QThread::finished, worker, &QObject::deleteLater);
  tell(worker, [] { yieldToTheWindow(); });
  m_thread->start();
}

WorkerThread::~WorkerThread() {
  m_thread->quit();
  m_thread->wait(kPatienceMs);
  deleteOnceEnded(m_thread);  // it may be busy, with a slow disk perhaps: it goes when it is done
}

}  // namespace tessera::ui
