// SPDX-License-Identifier: MIT
// Launcher: starts `tessera` for runs, each in its own process group so that closing or losing the
// studio leaves it alone; and the queue, which starts the next when one ends.
#pragma once

#include <QObject>
#include <QString>
#include <QStringList>
#include <memory>
#include <vector>

#include "core/run/run_folder.h"

namespace tessera::ui {

/// A run that waits. `spec` is TOML text, kept in the queue's file; survives restarts.
struct QueueEntry {
  QString id;    ///< of the entry
  QString name;  ///< of the run to be
  QString spec;
  QString resume;    ///< id of a run to be resumed instead of a new one
  QString forkFrom;  ///< id of the run it forks
  QString problem;   ///< why it could not be started; empty: none
};

class Launcher : public QObject {
  Q_OBJECT
 public:
  explicit Launcher(QObject* parent = nullptr);
  ~Launcher() override;

  /// The program that runs are started with: beside this one, or on the PATH.
  static QString program();
  /// What start() will do, as a person would type it.
  static QString commandFor(const QString& specFile);

  /// Checks and starts at once, answered by started() or startFailed(). `tag` comes back.
  void start(const QString& specToml, const QString& tag = {});
  void resume(const QString& runId, const QString& tag = {});
  /// A new run from a checkpoint of `runId` (the newest where `step` is -1) with another spec.
  void fork(const QString& runId, std::int64_t step, const QString& specToml,
            const QString& tag = {});
  void control(const QString& runId, Control control);

  const std::vector<QueueEntry>& queue() const;
  bool queuePaused() const;
  void enqueue(QueueEntry entry);
  void moveInQueue(const QString& entryId, int to);
  void removeFromQueue(const QString& entryId);
  void setQueuePaused(bool paused);

 Q_SIGNALS:
  void started(const QString& tag, const QString& runId);
  void startFailed(const QString& tag, const QString& message);
  void controlFailed(const QString& runId, const QString& message);
  void ended(const QString& runId, int exitCode);  ///< of a process that this studio started
  void queueChanged();

 private:
  struct State;
  std::unique_ptr<State> m_state;
};

}  // namespace tessera::ui
