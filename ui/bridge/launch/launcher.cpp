// SPDX-License-Identifier: MIT
#include "ui/bridge/launch/launcher.h"

#include <QCoreApplication>
#include <QFileInfo>
#include <QStandardPaths>
#include <QThread>
#include <QUuid>
#include <algorithm>

#include "ui/bridge/launch/launcher_worker.h"

namespace tessera::ui {

struct Launcher::State {
  std::shared_ptr<Mailbox> mailbox;
  Worker* worker = nullptr;
  std::unique_ptr<WorkerThread> thread;
  RunQueue queue;
  quint64 changes = 0;  ///< made here to the queue
  QString localRun;
};

Launcher::Launcher(QObject* parent) : QObject(parent), m_state(std::make_unique<State>()) {
  State& s = *m_state;
  s.mailbox = std::make_shared<Mailbox>(this);
  s.worker = new Worker(s.mailbox, this);
  s.thread = std::make_unique<WorkerThread>("launcher", s.worker);
  tell(s.worker, [worker = s.worker] { worker->start(); });
}

Launcher::~Launcher() {
  m_state->mailbox->close();
}

QString Launcher::program() {
  const QString beside = QCoreApplication::applicationDirPath() + "/tessera";
  if (QFileInfo(beside).isExecutable()) return beside;
  return QStandardPaths::findExecutable("tessera");
}

QString Launcher::commandFor(const QString& specFile) {
  const bool plain = std::none_of(specFile.begin(), specFile.end(), [](QChar c) {
    return !c.isLetterOrNumber() && !QStringLiteral("/._-+:").contains(c);
  });
  QString quoted = specFile;
  if (!plain) quoted = "'" + quoted.replace("'", "'\\''") + "'";
  return "tessera train " + quoted;
}

void Launcher::launch(const LaunchOrder& order) {
  tell(m_state->worker, [worker = m_state->worker, order] { worker->launch(order); });
}

void Launcher::start(const QString& specToml, const QString& tag, const LaunchPlace& place) {
  launch({.tag = tag.toStdString(),
          .spec = specToml.toStdString(),
          .parent = {},
          .queued = {},
          .place = place});
}

void Launcher::resume(const QString& runId, const QString& tag, const LaunchPlace& place) {
  launch({.tag = tag.toStdString(),
          .spec = {},
          .parent = runId.toStdString(),
          .queued = {},
          .place = place});
}

void Launcher::cancel(const QString& tag) {
  tell(m_state->worker, [worker = m_state->worker, tag] { worker->cancel(tag.toStdString()); });
}

QString Launcher::phaseText(const StartPhase& phase) {
  const auto of = [&](const QString& words) { return words.arg(phase.done).arg(phase.total); };
  switch (phase.kind) {
    case StartPhase::Kind::Reaching:
      return tr("Looking for the hosts");
    case StartPhase::Kind::Copying:
      return of(tr("Sending the program: %1 of %2 hosts have it"));
    case StartPhase::Kind::Meeting:
      return tr("The hosts try how they reach each other");
    case StartPhase::Kind::Starting:
      return of(tr("Starting ranks: %1 of %2"));
    case StartPhase::Kind::Greeting:
      return tr("All ranks are there and say hello to each other");
    case StartPhase::Kind::Submitting:
      return tr("Giving the job to Slurm");
    case StartPhase::Kind::Asking:
      return tr("Looking for what was started before");
  }
  return {};
}

double Launcher::phaseShare(const StartPhase& phase) {
  const double part = phase.total > 0 ? static_cast<double>(phase.done) / double(phase.total) : 0;
  switch (phase.kind) {
    case StartPhase::Kind::Copying:
      return 0.1 + 0.4 * part;
    case StartPhase::Kind::Meeting:
      return 0.5;
    case StartPhase::Kind::Starting:
      return 0.6 + 0.3 * part;
    case StartPhase::Kind::Greeting:
      return 0.9;
    case StartPhase::Kind::Submitting:
      return 0.5;
    default:
      return 0.1 * part;
  }
}

void Launcher::fork(const QString& runId, std::int64_t step, const QString& specToml,
                    const QString& tag, const LaunchPlace& place) {
  launch({.tag = tag.toStdString(),
          .spec = specToml.toStdString(),
          .parent = runId.toStdString(),
          .fork = true,
          .step = step,
          .queued = {},
          .place = place});
}

void Launcher::control(const QString& runId, Control control) {
  tell(m_state->worker,
       [worker = m_state->worker, runId, control] { worker->control(runId, control); });
}

const std::vector<QueueEntry>& Launcher::queue() const {
  return m_state->queue.entries;
}
bool Launcher::queuePaused() const {
  return m_state->queue.paused;
}

/// Done here at once, and by the worker, which writes it down.
void Launcher::changeQueue(const std::function<void(RunQueue&)>& change) {
  ++m_state->changes;
  change(m_state->queue);
  tell(m_state->worker, [worker = m_state->worker, change] { worker->changeQueue(change); });
  Q_EMIT queueChanged();
}

void Launcher::enqueue(QueueEntry entry) {
  if (entry.id.empty()) entry.id = QUuid::createUuid().toString(QUuid::Id128).toStdString();
  changeQueue([entry](RunQueue& queue) {
    if (!queue.find(entry.id)) queue.add(entry);
  });
}

void Launcher::moveInQueue(const QString& entryId, int to) {
  changeQueue([entryId = entryId.toStdString(), to](RunQueue& queue) { queue.move(entryId, to); });
}

void Launcher::removeFromQueue(const QString& entryId) {
  changeQueue([entryId = entryId.toStdString()](RunQueue& queue) { queue.remove(entryId); });
}

void Launcher::setQueuePaused(bool paused) {
  changeQueue([paused](RunQueue& queue) { queue.paused = paused; });
}

void Launcher::retryQueued(const QString& entryId) {
  changeQueue([entryId = entryId.toStdString()](RunQueue& queue) {
    if (QueueEntry* entry = queue.find(entryId)) entry->problem.clear();
  });
}

/// One from before the newest change here would undo it for a moment: a better one is coming.
void Launcher::takeQueue(const RunQueue& queue, quint64 changes) {
  if (changes < m_state->changes || queue == m_state->queue) return;
  m_state->queue = queue;
  Q_EMIT queueChanged();
}

void Launcher::takeLocalRun(const QString& id) {
  m_state->localRun = id;
  Q_EMIT localRunChanged();
}

QString Launcher::localRun() const {
  return m_state->localRun;
}

QString Launcher::queueRule() {
  return tr("The queue starts its next run when no run is running on the machine that it is for.");
}

QString Launcher::sharingRule() {
  return tr("While a run trains on this machine, chat uses half of the cores at a low priority.");
}

int Launcher::chatThreads(bool aRunTrains) {
  return aRunTrains ? std::max(1, QThread::idealThreadCount() / 2) : 0;
}

}  // namespace tessera::ui
