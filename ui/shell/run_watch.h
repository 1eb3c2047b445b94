// SPDX-License-Identifier: MIT
// RunWatch: notices when a run finishes, fails or needs attention, while the studio is open.
#pragma once

#include <QElapsedTimer>
#include <QHash>
#include <QObject>
#include <QTimer>
#include <array>
#include <memory>

#include "core/events/events.h"
#include "core/history/alerts.h"
#include "core/history/library.h"
#include "ui/bridge/runs/alert_rules.h"
#include "ui/bridge/runs/run_store.h"

namespace tessera::ui {

class Problems;
struct RunNews {
  QString id, name;
  RunState before = RunState::Draft, now = RunState::Draft;
  QString text;  ///< "demo finished: validation loss 4.526 after 850 steps"
};

class RunWatch : public QObject {
  Q_OBJECT
 public:
  explicit RunWatch(RunStore& runs, QObject* parent = nullptr);
  /// What is an alert, and what is done about it, from now on.
  void setRules(const AlertRules& rules);
  /// Whether logs of live runs are read for spikes. While the window is hidden they are not; what
  /// came meanwhile is told when it is shown again. States, losses and steps are looked at in any
  /// case.
  void setFollowing(bool on);

 Q_SIGNALS:
  void finished(const RunNews& news);
  void failed(const RunNews& news);
  void attention(const RunNews& news);  ///< lost contact
  /// Something of a live run that the rules want to be told; once, until it is over.
  void alerted(const RunNews& news, AlertKind kind, const AlertRule& rule);
  void alertOver(const RunNews& news, AlertKind kind);  ///< it is well again, or the run is over
  /// The loss of a live run rose far above those before it. `step` is where the newest rise began;
  /// told again while it lasts.
  void spiked(const RunNews& news, std::int64_t step);
  void calmed(const RunNews& news);     ///< after spiked(): the run is over
  void recovered(const RunNews& news);  ///< a failed or lost run: it goes on, or was removed

 private:
  void look();
  struct Watched {
    RunAlerts alerts;
    std::array<bool, kAlertKinds> told{};
  };
  void lookAtAlerts(const RunRow& row, const QString& id, const QString& name);
  void judge(Watched& run, const RunNews& news);
  void lookAgain();
  void lookAtExperts(const QString& id);
  void followLive(const RunRows& rows);
  void lookAtSpikes(const QString& id);
  RunStore& m_runs;
  QHash<QString, RunState> m_states;
  QHash<QString, Watched> m_watched;  ///< live runs
  AlertRules m_rules;
  QElapsedTimer m_clock;
  QTimer m_again;  ///< a run that stands still gives no news
  struct Followed {
    std::shared_ptr<RunFeed> feed;
    std::int64_t toldStep = -1;     ///< the last step that was told to stand out
    std::int64_t expertsStep = -1;  ///< the load that was asked for last
  };
  QHash<QString, Followed> m_live;
  bool m_first = true, m_following = true;
};

}  // namespace tessera::ui
