// SPDX-License-Identifier: MIT
// What every object of the bridge with a worker needs: a thread whose end nobody waits for, and a
// way to answer an object that may be gone by then.
#pragma once

#include <QDeadlineTimer>
#include <QMetaObject>
#include <QMutex>
#include <QObject>
#include <QString>
#include <QThread>
#include <atomic>
#include <memory>
#include <utility>

namespace tessera::ui {

/// Answers of a worker to an object of another thread.
class Mailbox {
 public:
  explicit Mailbox(QObject* receiver) : m_receiver(receiver) {}

  /// Runs `work` in the receiver's thread, in the order of the calls; dropped once it is closed.
  template <class Work>
  void post(Work work) {
    const QMutexLocker lock(&m_mutex);
    if (m_receiver) QMetaObject::invokeMethod(m_receiver, std::move(work), Qt::QueuedConnection);
  }
  /// To be called by the receiver's destructor. Long work looks at closed() now and then.
  void close() {
    m_closed = true;
    const QMutexLocker lock(&m_mutex);
    m_receiver = nullptr;
  }
  bool closed() const { return m_closed; }

 private:
  QMutex m_mutex;
  QObject* m_receiver;
  std::atomic<bool> m_closed = false;
};

/// Runs a worker object, which is made in this thread and deleted in its own. Destroying this ends
/// the thread when the work at hand is done, without waiting for it.
class WorkerThread {
 public:
  WorkerThread(const QString& name, QObject* worker);
  ~WorkerThread();
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

 private:
  QThread* m_thread;
};

/// Waits for the threads of destroyed WorkerThreads that still work, in the window's thread. False
/// when one of them is not done by then. Called by itself where the application ends: what runs on
/// after main() would meet tables that are destroyed by then.
bool waitForWorkers(QDeadlineTimer patience);

/// Runs `work` in the thread of `worker`, later.
template <class Work>
void tell(QObject* worker, Work work) {
  QMetaObject::invokeMethod(worker, std::move(work), Qt::QueuedConnection);
}

}  // namespace tessera::ui
