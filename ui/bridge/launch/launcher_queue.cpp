// SPDX-License-Identifier: MIT
// The queue's side of the launcher's worker: its file, and whose turn it is.
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <QDateTime>
#include <QElapsedTimer>
#include <QFile>
#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/config/paths.h"
#include "core/history/library.h"
#include "ui/bridge/launch/launcher_worker.h"

namespace tessera::ui {

namespace fs = std::filesystem;

Launcher::Worker::~Worker() {
  if (m_queueLock >= 0) ::close(m_queueLock);
}

void Launcher::Worker::loadQueue() {
  try {
    m_queueFile = QString::fromStdString((home_folder() / "queue.json").string());
    m_queue = RunQueue::load(m_queueFile);
  } catch (const Error& problem) {
    const QString aside =
        m_queueFile + QString(".damaged-%1").arg(QDateTime::currentSecsSinceEpoch());
    const bool moved = QFile::rename(m_queueFile, aside);
    queueFailed(moved ? Launcher::tr("%1\nIt was set aside as %2, and the queue is empty now.")
                            .arg(QString::fromUtf8(problem.what()), aside)
                      : QString::fromUtf8(problem.what()));
  }
  publishQueue();
}

void Launcher::Worker::saveQueue() {
  try {
    m_queue.save(m_queueFile);
  } catch (const Error& problem) {
    queueFailed(QString::fromUtf8(problem.what()));
  }
}

void Launcher::Worker::publishQueue() {
  saveQueue();
  m_mailbox->post(
      [l = m_launcher, queue = m_queue, changes = m_changes] { l->takeQueue(queue, changes); });
}

void Launcher::Worker::queueFailed(const QString& message) {
  if (std::exchange(m_told, message) == message) return;  // a disk that is away stays away
  m_mailbox->post([l = m_launcher, message] { Q_EMIT l->queueFailed(message); });
}

void Launcher::Worker::changeQueue(const std::function<void(RunQueue&)>& change) {
  ++m_changes;
  m_told.clear();
  change(m_queue);
  publishQueue();
  advance();
}

/// Of two studios with one home, only the first starts what waits.
bool Launcher::Worker::holdsQueue() {
  if (m_queueLock >= 0) return true;
  const QByteArray path = (m_queueFile + ".lock").toUtf8();
  const int file = ::open(path.constData(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) return false;
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    ::close(file);
    return false;
  }
  m_queueLock = file;
  forgetBegunEntries();
  return true;
}

/// A studio that was killed in the middle of a start left what the program then said of its run.
void Launcher::Worker::forgetBegunEntries() {
  std::vector<QueueEntry> waiting;
  for (QueueEntry& entry : m_queue.entries) {
    const bool begun = !entry.announced.isEmpty() && QFile::exists(entry.announced);
    entry.announced.clear();
    if (!begun) waiting.push_back(std::move(entry));
  }
  if (waiting == m_queue.entries) return;
  m_queue.entries = std::move(waiting);
  publishQueue();
}

void Launcher::Worker::lookAround() {
  std::string running;
  QElapsedTimer took;
  took.start();
  try {
    if (!m_library) m_library = std::make_unique<Library>();
    running = m_localRuns.findRunning(m_library->roots());
  } catch (const Error& problem) {
    queueFailed(QString::fromUtf8(problem.what()));
    return;
  }
  // With thousands of runs a look takes longer, and comes the less often: one part in a hundred.
  m_aroundTimer->start(static_cast<int>(std::clamp<qint64>(100 * took.elapsed(), 2000, 15'000)));
  if (running != m_localRun) {
    m_localRun = running;
    m_mailbox->post(
        [l = m_launcher, id = QString::fromStdString(running)] { l->takeLocalRun(id); });
  }
  advance();
}

/// Starts the first entry that can be started, when no run is running on this machine.
void Launcher::Worker::advance() {
  if (m_queue.paused || m_queue.entries.empty() || !m_children.empty() || !holdsQueue()) return;
  if (!m_localRun.empty()) return;
  for (const QueueEntry& entry : m_queue.entries) {
    if (!entry.problem.isEmpty()) continue;
    const bool fork = !entry.forkFrom.isEmpty();
    launch({.tag = entry.id,
            .spec = entry.spec,
            .parent = fork ? entry.forkFrom : entry.resume,
            .fork = fork,
            .step = entry.forkStep,
            .queued = entry.id});
    return;
  }
}

}  // namespace tessera::ui
