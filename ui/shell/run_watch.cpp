// SPDX-License-Identifier: MIT
#include "ui/shell/run_watch.h"

#include <cmath>
#include <utility>

#include "ui/bridge/runs/run_store.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

RunWatch::RunWatch(RunStore& runs, QObject* parent) : QObject(parent), m_runs(runs) {
  connect(&runs, &RunStore::runsChanged, this, &RunWatch::look);
}

namespace {
QString textOf(const RunRow& row, const QString& name) {
  const QString reason = QString::fromStdString(row.reason);
  switch (row.state) {
    case RunState::Finished: {
      const double loss = std::isnan(row.validation_loss) ? row.loss : row.validation_loss;
      return RunWatch::tr("%1 finished: %2 %3 after %4 steps")
          .arg(name,
               std::isnan(row.validation_loss) ? RunWatch::tr("loss")
                                               : RunWatch::tr("validation loss"),
               numbers::fixed(loss, 3), numbers::whole(row.step + 1));
    }
    case RunState::Failed:
      return reason.isEmpty() ? RunWatch::tr("%1 failed").arg(name)
                              : RunWatch::tr("%1 failed: %2").arg(name, reason);
    case RunState::LostContact:
      return RunWatch::tr("Lost contact with %1: last word %2")
          .arg(name, numbers::ageOf(row.last_word));
    default:
      return QStringLiteral("%1: %2").arg(name, stateWord(row.state));
  }
}
}  // namespace

namespace {
/// A model that knows nothing has about the loss it began with; more than half above that, it has
/// unlearned what it knew.
constexpr double kDivergedFactor = 1.5;
constexpr std::size_t kFewestLosses = 3;

bool isDiverged(const RunRow& row) {
  if (row.step < 0 || row.sparkline.size() < kFewestLosses) return false;
  if (!std::isfinite(row.sparkline.back())) return true;
  const auto first = static_cast<double>(row.sparkline.front());
  return std::isfinite(first) && row.loss > kDivergedFactor * first;
}
}  // namespace

void RunWatch::lookAtLoss(const RunRow& row, const QString& id, const QString& name) {
  const bool now = isLive(row.state) && isDiverged(row);
  if (now == m_diverged.contains(id)) return;
  RunNews news{id, name, row.state, row.state, {}};
  if (!now) {
    m_diverged.remove(id);
    Q_EMIT settled(news);
    return;
  }
  m_diverged.insert(id);
  news.text = std::isfinite(row.loss)
                  ? tr("%1: the loss is %2 at step %3, and it began with %4. A lower learning rate "
                       "from an earlier checkpoint is the usual cure.")
                        .arg(name, numbers::number(row.loss), numbers::whole(row.step),
                             numbers::number(static_cast<double>(row.sparkline.front())))
                  : tr("%1: the loss is not a number at step %2. Resume as a fork from the last "
                       "checkpoint before, with a lower learning rate.")
                        .arg(name, numbers::whole(row.step));
  Q_EMIT diverged(news);
}

namespace {
constexpr int kMostFollowed = 8, kFollowHertz = 1;
}

/// Spikes stand in the logs alone, so those of live runs are followed whether a page shows them or
/// not.
void RunWatch::followLive(const RunRows& rows) {
  QSet<QString> live;
  for (const RunRow& row : *rows) {
    if (live.size() == kMostFollowed) break;
    if (isLive(row.state) && !row.missing) live.insert(QString::fromStdString(row.id));
  }
  for (const QString& id : m_live.keys()) {
    if (live.contains(id)) continue;
    const Followed gone = m_live.take(id);
    disconnect(gone.feed.get(), nullptr, this, nullptr);
    gone.feed->setCadence(0, this);
    Q_EMIT calmed({id, id, RunState::Running, RunState::Draft, {}});
  }
  for (const QString& id : live) {
    if (m_live.contains(id)) continue;
    std::shared_ptr<RunFeed> feed = m_runs.feed(id);
    if (!feed) continue;
    connect(feed.get(), &RunFeed::changed, this, [this, id] { lookAtSpikes(id); });
    feed->setCadence(m_following ? kFollowHertz : 0, this);
    m_live.insert(id, {std::move(feed), -1});
    lookAtSpikes(id);
  }
}

void RunWatch::setFollowing(bool on) {
  if (std::exchange(m_following, on) == on) return;
  for (const Followed& run : m_live) run.feed->setCadence(on ? kFollowHertz : 0, this);
}

void RunWatch::lookAtSpikes(const QString& id) {
  const auto at = m_live.find(id);
  const RunRow* row = m_runs.run(id);
  if (at == m_live.end() || !row || at->feed->history().spikes.empty()) return;
  const std::vector<Event>& spikes = at->feed->history().spikes;
  const auto* last = std::get_if<SpikeEvent>(&spikes.back().body);
  if (!last || last->step == at->toldStep) return;
  at->toldStep = last->step;
  const QString name = QString::fromStdString(row->name.empty() ? row->id : row->name);
  const QString text = tr("%1: the loss rose to %2 at step %3, where about %4 is usual.")
                           .arg(name, numbers::fixed(last->loss, 4), numbers::whole(last->step),
                                numbers::fixed(last->usual, 4));
  const int count = static_cast<int>(spikes.size());
  const QString more =
      count > 1 ? QChar(u' ') + tr("It is spike %1 of this run.").arg(count) : QString();
  Q_EMIT spiked({id, name, row->state, row->state, text + more}, last->step);
}

void RunWatch::look() {
  const RunRows rows = m_runs.runs();
  followLive(rows);
  QHash<QString, RunState> now;
  now.reserve(static_cast<qsizetype>(rows->size()));
  for (const RunRow& row : *rows) {
    const QString id = QString::fromStdString(row.id);
    now.insert(id, row.state);
    lookAtLoss(row, id, QString::fromStdString(row.name.empty() ? row.id : row.name));
    // What had ended before the studio was opened is no news; what is seen first and is live is
    // watched from here on.
    const auto known = m_states.constFind(id);
    const bool seen = known != m_states.constEnd();
    if (m_first || (seen && *known == row.state)) continue;
    if (!seen && !needsAttention(row.state)) continue;
    const QString name = QString::fromStdString(row.name.empty() ? row.id : row.name);
    const RunNews news{id, name, seen ? *known : RunState::Draft, row.state, textOf(row, name)};
    if (seen && needsAttention(*known) && !needsAttention(row.state)) Q_EMIT recovered(news);
    if (row.state == RunState::Finished && seen) Q_EMIT finished(news);
    if (row.state == RunState::Failed && seen) Q_EMIT failed(news);
    if (row.state == RunState::LostContact) Q_EMIT attention(news);
  }
  for (auto it = m_states.constBegin(); it != m_states.constEnd(); ++it) {
    if (needsAttention(it.value()) && !now.contains(it.key())) {
      Q_EMIT recovered({it.key(), it.key(), it.value(), RunState::Draft, {}});
    }
  }
  m_states = std::move(now);
  m_first = !m_runs.loaded();
}

}  // namespace tessera::ui
