// SPDX-License-Identifier: MIT
// Launcher: starts `tessera` for runs, each in a session of its own so that closing or losing the
// studio leaves it alone; and the queue, which starts the next when one ends.
//
// A run may also be started on hosts or as a job of Slurm: `tessera launch` does that, a process of
// its own likewise, and how far it has come is told.
//
// Who gets the machine, as queueRule() and sharingRule() tell it to people: the queue starts its
// next run when no run is running on the machine that it is for, whoever started it; runs started
// by hand start at once. While a run trains here, chat runs with chatThreads(true) threads at
// kChatNice.
#pragma once

#include <QObject>
#include <QString>
#include <QStringList>
#include <functional>
#include <memory>
#include <vector>

#include "core/launch/run_queue.h"
#include "core/launch/start_files.h"
#include "core/run/run_folder.h"

namespace tessera {
struct LaunchOrder;
}

namespace tessera::ui {

class Launcher : public QObject {
  Q_OBJECT
 public:
  explicit Launcher(QObject* parent = nullptr);
  ~Launcher() override;

  /// The program that runs are started with: beside this one, or on the PATH.
  static QString program();
  /// What start() will do, as a person would type it.
  static QString commandFor(const QString& specFile);

  /// Checks and starts at once, answered by started(), startFailed() or startCancelled(). `tag`
  /// comes back.
  void start(const QString& specToml, const QString& tag = {}, const LaunchPlace& place = {});
  /// Where it was before, unless another place is named.
  void resume(const QString& runId, const QString& tag = {}, const LaunchPlace& place = {});
  /// A new run from a checkpoint of `runId` with another spec. `step` as in CheckpointEvent, the
  /// last one done; -1: the newest checkpoint.
  void fork(const QString& runId, std::int64_t step, const QString& specToml,
            const QString& tag = {}, const LaunchPlace& place = {});
  /// Ends a start on hosts or on a cluster that has led to no run yet.
  void cancel(const QString& tag);
  /// "Copying the program: 1 of 4 hosts".
  static QString phaseText(const StartPhase& phase);
  /// How much of a start is done by then, 0 to 1.
  static double phaseShare(const StartPhase& phase);
  void control(const QString& runId, Control control);

  const std::vector<QueueEntry>& queue() const;
  bool queuePaused() const;
  /// An entry without an id is given one. The queue survives restarts.
  void enqueue(QueueEntry entry);
  void moveInQueue(const QString& entryId, int to);
  void removeFromQueue(const QString& entryId);
  void setQueuePaused(bool paused);
  void retryQueued(const QString& entryId);  ///< its problem is solved

  /// A run that is running on this machine now, by evidence; empty: none. Looked at every 2 s.
  QString localRun() const;
  static QString queueRule();
  static QString sharingRule();
  static constexpr int kChatNice = 10;
  /// Threads for a chat process; 0: every core.
  static int chatThreads(bool aRunTrains);

 Q_SIGNALS:
  void started(const QString& tag, const QString& runId);
  void startFailed(const QString& tag, const QString& message);
  /// A start on hosts or on a cluster has come further.
  void startCameTo(const QString& tag, const tessera::StartPhase& phase);
  void startCancelled(const QString& tag);
  void controlFailed(const QString& runId, const QString& message);
  /// Why nothing is known of jobs of Slurm; empty: it is known again.
  void slurmTroubled(const QString& message);
  /// A process that this studio started; 128 + its number where a signal ended it.
  void ended(const QString& runId, int exitCode);
  void queueChanged();
  void queueFailed(const QString& message);  ///< it cannot be read or written
  void localRunChanged();

 private:
  class Worker;
  struct State;
  void launch(const LaunchOrder& order);
  void changeQueue(const std::function<void(RunQueue&)>& change);
  void takeQueue(const RunQueue& queue, quint64 changes);
  void takeLocalRun(const QString& id);
  std::unique_ptr<State> m_state;
};

}  // namespace tessera::ui
