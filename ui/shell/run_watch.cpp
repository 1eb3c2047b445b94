// SPDX-License-Identifier: MIT
#include "ui/shell/run_watch.h"

#include <cmath>
#include <utility>

#include "core/history/spike_episodes.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

namespace {
constexpr int kAgainMs = 20'000;

AlertRules usualRules() {
  AlertRules rules;
  for (std::size_t k = 0; k < kAlertKinds; ++k) {
    rules[k].limit = alert_info(static_cast<AlertKind>(k)).usual_limit;
  }
  return rules;
}
}  // namespace

RunWatch::RunWatch(RunStore& runs, QObject* parent)
    : QObject(parent), m_runs(runs), m_rules(usualRules()) {
  m_clock.start();
  connect(&runs, &RunStore::runsChanged, this, &RunWatch::look);
  m_again.setTimerType(Qt::VeryCoarseTimer);
  connect(&m_again, &QTimer::timeout, this, &RunWatch::lookAgain);
  m_again.start(kAgainMs);
}

void RunWatch::setRules(const AlertRules& rules) {
  if (rules == m_rules) return;
  m_rules = rules;
  lookAgain();
}

namespace {
QString textOf(const RunRow& row, const QString& name) {
  const QString reason = engineWord(row.reason);
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
QString alertText(AlertKind kind, const RunRow& row, const RunAlerts::Finding& found,
                  const QString& name) {
  switch (kind) {
    case AlertKind::NotFinite:
      return RunWatch::tr(
                 "%1: the loss is not a number at step %2. Resume as a fork from the last "
                 "checkpoint before, with a lower learning rate.")
          .arg(name, numbers::whole(row.step));
    case AlertKind::Diverged:
      return RunWatch::tr(
                 "%1: the loss is %2 at step %3, and it began with %4. A lower learning "
                 "rate from an earlier checkpoint is the usual cure.")
          .arg(name, numbers::number(found.value), numbers::whole(row.step),
               numbers::number(found.usual));
    case AlertKind::DeadExperts:
      return RunWatch::tr(
                 "%1: experts that get no tokens any more: %2 of %3, over all layers. A faster "
                 "bias update usually brings them back.")
          .arg(name, numbers::whole(static_cast<std::int64_t>(found.value)),
               numbers::whole(static_cast<std::int64_t>(found.usual)));
    case AlertKind::NoProgress:
      return RunWatch::tr(
                 "%1: no step has ended for %2; the last was step %3. The log of the run "
                 "may say why.")
          .arg(name, numbers::duration(60 * found.value), numbers::whole(row.step));
    case AlertKind::Count:
      break;
  }
  return name;
}
}  // namespace

void RunWatch::lookAtAlerts(const RunRow& row, const QString& id, const QString& name) {
  const RunNews news{id, name, row.state, row.state, {}};
  if (!isLive(row.state) || row.missing) {
    const auto over = m_watched.find(id);
    if (over == m_watched.end()) return;
    for (std::size_t k = 0; k < kAlertKinds; ++k) {
      if (over->told[k]) Q_EMIT alertOver(news, static_cast<AlertKind>(k));
    }
    m_watched.erase(over);
    return;
  }
  Watched& run = m_watched[id];
  run.alerts.take(row, 1e-3 * static_cast<double>(m_clock.elapsed()));
  judge(run, news);
}

void RunWatch::judge(Watched& run, const RunNews& news) {
  const RunRow* row = m_runs.run(news.id);
  for (std::size_t k = 0; row && k < kAlertKinds; ++k) {
    const auto kind = static_cast<AlertKind>(k);
    const AlertRule& rule = m_rules[k];
    const bool wanted = rule.action != AlertRule::Action::Nothing;
    const auto found = wanted ? run.alerts.holds(kind, rule.limit) : std::nullopt;
    if (std::exchange(run.told[k], found.has_value()) == found.has_value()) continue;
    if (!found) {
      Q_EMIT alertOver(news, kind);
      continue;
    }
    RunNews told = news;
    told.text = alertText(kind, *row, *found, news.name);
    Q_EMIT alerted(told, kind, rule);
  }
}

/// What no change of the list tells of: time that goes by, and rules that are others now.
void RunWatch::lookAgain() {
  for (const QString& id : m_watched.keys()) {
    if (const RunRow* row = m_runs.run(id)) {
      lookAtAlerts(*row, id, QString::fromStdString(row->name.empty() ? row->id : row->name));
    }
  }
}

/// The newest load of the experts, read when the log has one more.
void RunWatch::lookAtExperts(const QString& id) {
  const auto at = m_live.find(id);
  if (at == m_live.end()) return;
  const auto& steps = at->feed->history().expert_steps;
  if (steps.empty() || steps.back() == at->expertsStep) return;
  at->expertsStep = steps.back();
  at->feed->requestExperts(steps.back());
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
    connect(feed.get(), &RunFeed::changed, this, [this, id] {
      lookAtSpikes(id);
      lookAtExperts(id);
    });
    connect(feed.get(), &RunFeed::expertsReady, this,
            [this, id](std::int64_t, const std::shared_ptr<const ExpertsEvent>& experts) {
              const auto run = m_watched.find(id);
              const RunRow* row = m_runs.run(id);
              if (!experts || !row || run == m_watched.end()) return;
              // Pages ask for other loads, and everybody hears the answers.
              if (experts->step != m_live.value(id).expertsStep) return;
              run->alerts.take(*experts);
              judge(*run, {id,
                           QString::fromStdString(row->name.empty() ? row->id : row->name),
                           row->state,
                           row->state,
                           {}});
            });
    feed->setCadence(m_following ? kFollowHertz : 0, this);
    m_live.insert(id, {std::move(feed), -1, -1});
    lookAtSpikes(id);
    lookAtExperts(id);
  }
}

void RunWatch::setFollowing(bool on) {
  if (std::exchange(m_following, on) == on) return;
  for (const Followed& run : m_live) run.feed->setCadence(on ? kFollowHertz : 0, this);
}

namespace {
/// Names the step at which the loss began to rise; what came later, and what was before, is added.
QString spikeText(const QString& name, const std::vector<SpikeEpisode>& spikes) {
  const SpikeEpisode& last = spikes.back();
  QStringList parts{RunWatch::tr("%1: the loss rose to %2 at step %3, where about %4 is usual.")
                        .arg(name, numbers::fixed(last.first.loss, 4),
                             numbers::whole(last.first.step), numbers::fixed(last.first.usual, 4))};
  if (last.last_step > last.first.step) {
    parts << RunWatch::tr("It stood out up to step %1.").arg(numbers::whole(last.last_step));
  }
  if (spikes.size() > 1) {
    parts << RunWatch::tr("It is spike %1 of this run; the first was at step %2.")
                 .arg(numbers::whole(static_cast<std::int64_t>(spikes.size())),
                      numbers::whole(spikes.front().first.step));
  }
  return parts.join(u' ');
}
}  // namespace

void RunWatch::lookAtSpikes(const QString& id) {
  const auto at = m_live.find(id);
  const RunRow* row = m_runs.run(id);
  if (at == m_live.end() || !row) return;
  const std::vector<SpikeEpisode> spikes = spike_episodes(at->feed->history().spikes);
  if (spikes.empty() || spikes.back().last_step == at->toldStep) return;
  at->toldStep = spikes.back().last_step;
  const QString name = QString::fromStdString(row->name.empty() ? row->id : row->name);
  Q_EMIT spiked({id, name, row->state, row->state, spikeText(name, spikes)},
                spikes.back().first.step);
}

void RunWatch::look() {
  const RunRows rows = m_runs.runs();
  followLive(rows);
  QHash<QString, RunState> now;
  now.reserve(static_cast<qsizetype>(rows->size()));
  for (const RunRow& row : *rows) {
    const QString id = QString::fromStdString(row.id);
    now.insert(id, row.state);
    lookAtAlerts(row, id, QString::fromStdString(row.name.empty() ? row.id : row.name));
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
  for (const QString& id : m_watched.keys()) {
    if (!now.contains(id)) lookAtAlerts({}, id, id);  // it was removed
  }
  m_states = std::move(now);
  m_first = !m_runs.loaded();
}

}  // namespace tessera::ui
