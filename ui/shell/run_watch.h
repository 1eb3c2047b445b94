// SPDX-License-Identifier: MIT
// RunWatch: notices when a run finishes, fails or needs attention, while the studio is open.
#pragma once

#include <QHash>
#include <QObject>
#include <QSet>

#include "core/events/events.h"
#include "core/history/library.h"

namespace tessera::ui {

class Problems;
class RunStore;
struct RunNews {
  QString id, name;
  RunState before = RunState::Draft, now = RunState::Draft;
  QString text;  ///< "demo finished: validation loss 4.526 after 850 steps"
};

class RunWatch : public QObject {
  Q_OBJECT
 public:
  explicit RunWatch(RunStore& runs, QObject* parent = nullptr);

 Q_SIGNALS:
  void finished(const RunNews& news);
  void failed(const RunNews& news);
  void attention(const RunNews& news);  ///< lost contact
  /// The loss of a live run is not a number, or far above where it began.
  void diverged(const RunNews& news);
  void settled(const RunNews& news);    ///< after diverged(): it came down, or the run is over
  void recovered(const RunNews& news);  ///< of Failed or LostContact: it goes on, or was removed

 private:
  void look();
  void lookAtLoss(const RunRow& row, const QString& id, const QString& name);
  RunStore& m_runs;
  QHash<QString, RunState> m_states;
  QSet<QString> m_diverged;
  bool m_first = true;
};

}  // namespace tessera::ui
