// SPDX-License-Identifier: MIT
#include "ui/bridge/runs/run_feed.h"

#include <QHash>
#include <QPointer>
#include <algorithm>
#include <utility>

#include "ui/bridge/runs/run_feed_worker.h"

namespace tessera::ui {

struct RunFeed::State {
  std::shared_ptr<Mailbox> mailbox;
  Worker* worker = nullptr;
  std::unique_ptr<WorkerThread> thread;

  std::optional<RunFolder> folder;
  RunHistory history;
  RunStatus status;
  std::shared_ptr<const RunSpec> spec;
  QString error;
  bool loaded = false;
  bool ranksAsked = false;
  QHash<const QObject*, int> cadences;  ///< hertz, by who wants them
  int hertz = 10;                       ///< as the worker was told; it begins with this
};

namespace {
bool sameState(const RunStatus& a, const RunStatus& b) {
  return a.state == b.state && a.reason == b.reason && a.rank == b.rank &&
         a.can_resume == b.can_resume && a.process == b.process;
}
}  // namespace

RunFeed::RunFeed(QString id, std::filesystem::path folder, QObject* parent)
    : QObject(parent), m_id(std::move(id)), m_state(std::make_unique<State>()) {
  m_state->mailbox = std::make_shared<Mailbox>(this);
  m_state->worker = new Worker(std::move(folder), m_state->mailbox, this);
  m_state->thread = std::make_unique<WorkerThread>("feed", m_state->worker);
  tell(m_state->worker, [worker = m_state->worker] { worker->start(); });
}

RunFeed::~RunFeed() {
  m_state->mailbox->close();
}

const RunFolder* RunFeed::folder() const {
  return m_state->folder ? &*m_state->folder : nullptr;
}
const RunHistory& RunFeed::history() const {
  return m_state->history;
}
const RunStatus& RunFeed::status() const {
  return m_state->status;
}
const RunSpec* RunFeed::spec() const {
  return m_state->spec.get();
}
QString RunFeed::error() const {
  return m_state->error;
}
bool RunFeed::loaded() const {
  return m_state->loaded;
}

void RunFeed::requestExperts(std::int64_t step) {
  tell(m_state->worker, [worker = m_state->worker, step] { worker->wantExperts(step); });
}

void RunFeed::requestBiasFan(int layer, std::int64_t fromStep, std::int64_t toStep, int points) {
  tell(m_state->worker,
       [=, worker = m_state->worker] { worker->wantFan(layer, fromStep, toStep, points); });
}

void RunFeed::requestRanks() {
  if (m_state->ranksAsked) return;
  m_state->ranksAsked = true;
  tell(m_state->worker, [worker = m_state->worker] { worker->readRanks(); });
}

void RunFeed::takeRanks(std::shared_ptr<const std::vector<RankCalls>> ranks) {
  m_state->ranksAsked = false;
  Q_EMIT ranksReady(std::move(ranks));
}

void RunFeed::setCadence(int hertz, QObject* viewer) {
  QHash<const QObject*, int>& wanted = m_state->cadences;
  if (viewer && !wanted.contains(viewer)) {
    connect(viewer, &QObject::destroyed, this, [this, viewer] {
      m_state->cadences.remove(viewer);
      tellCadence();
    });
  }
  wanted[viewer] = hertz;
  tellCadence();
}

void RunFeed::tellCadence() {
  const auto& wanted = m_state->cadences;
  const int hertz = wanted.isEmpty() ? 0 : *std::max_element(wanted.begin(), wanted.end());
  if (std::exchange(m_state->hertz, hertz) == hertz) return;
  tell(m_state->worker, [worker = m_state->worker, hertz] { worker->setCadence(hertz); });
}

void RunFeed::takeBatch(Batch& batch) {
  tell(m_state->worker, [worker = m_state->worker] { worker->acknowledge(); });
  State& s = *m_state;
  if (batch.folder) s.folder = batch.folder;
  if (batch.spec) s.spec = std::move(batch.spec);
  bool gone = false;
  if (batch.history) {
    gone = s.loaded;
    s.history = std::move(*batch.history);
    s.loaded = true;
  }
  for (Event& event : batch.events) gone |= s.history.take(std::move(event));
  bool judged = false;
  if (batch.status) {
    judged = !sameState(s.status, *batch.status);
    s.status = std::move(*batch.status);
  }
  const bool failing = batch.error && !batch.error->isEmpty() && *batch.error != s.error;
  if (batch.error) s.error = *batch.error;
  // NOTE: what a listener does may delete this object; nothing of it is touched after the last
  // emit.
  const QString error = s.error;
  const QPointer<RunFeed> alive(this);
  if (gone) Q_EMIT rewritten();
  if (alive && judged) Q_EMIT statusChanged();
  if (alive && failing) Q_EMIT failed(error);
  if (alive) Q_EMIT changed();
}

}  // namespace tessera::ui
