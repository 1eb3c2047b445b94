// SPDX-License-Identifier: MIT
#include "ui/bridge/worker_thread.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tessera::ui {

namespace {
constexpr int kNicer = 5, kPatienceMs = 20;

/// The window comes first. On Linux a thread has a nice value of its own.
void yieldToTheWindow() {
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  ::setpriority(PRIO_PROCESS, thread, ::getpriority(PRIO_PROCESS, thread) + kNicer);
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
  if (m_thread->wait(kPatienceMs)) {
    delete m_thread;
    return;
  }
  // It is busy, with a slow disk perhaps: it goes when it is done.
  QObject::connect(m_thread, &QThread::finished, m_thread, &QObject::deleteLater);
  if (m_thread->isFinished()) m_thread->deleteLater();
}

}  // namespace tessera::ui
