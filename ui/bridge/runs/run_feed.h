// SPDX-License-Identifier: MIT
// RunFeed: one run as it is being written. A worker reads events.log; what is new arrives here in
// batches, at most ten times a second, so that nobody on the GUI thread ever waits for a disk.
#pragma once

#include <QObject>
#include <QString>
#include <filesystem>
#include <memory>
#include <optional>

#include "core/base/call_record.h"
#include "core/history/run_history.h"
#include "core/run/run_folder.h"

namespace tessera::ui {

class RunFeed : public QObject {
  Q_OBJECT
 public:
  /// Feeds come from RunStore::feed(), which shares one among all that show the run.
  explicit RunFeed(QString id, std::filesystem::path folder, QObject* parent = nullptr);
  ~RunFeed() override;

  const QString& id() const { return m_id; }
  const RunFolder* folder() const;  ///< null: the folder is missing
  /// As of the last changed().
  const RunHistory& history() const;
  const RunStatus& status() const;
  /// The spec as run; absent until loaded, or when run.toml cannot be read: see error().
  const RunSpec* spec() const;
  QString error() const;
  bool loaded() const;  ///< the log was read to its end once

  /// Loads and biases of one logged step, read on demand and cached; answered by expertsReady(),
  /// later even if cached. A step that was not logged is answered with the nearest earlier one, -1
  /// with the newest. Of many requests in a row only the last ones are answered.
  void requestExperts(std::int64_t step);
  /// Biases of one layer over time: at most `points` logged steps, evenly spread over [from, to].
  /// The answer's events hold that layer alone (layers is 1). Replaces a request for that layer
  /// that is not answered yet.
  void requestBiasFan(int layer, std::int64_t fromStep, std::int64_t toStep, int points);

  /// What each rank of a run of several is at, as its record in the folder says now; answered by
  /// ranksReady(). Of many requests in a row one is answered.
  void requestRanks();

  /// Slower when nobody looks: 0 pauses, 2 Hz unfocused, 10 Hz focused. A feed is shared: it goes
  /// as fast as the most eager of its viewers wants, and an object that is gone wants nothing.
  void setCadence(int hertz, QObject* viewer = nullptr);

 Q_SIGNALS:
  void changed();        ///< history or status grew
  void rewritten();      ///< rows that were there are gone: read all of it again
  void statusChanged();  ///< state, reason, liveness
  /// `step` as asked for; null: none was logged so early, or its place in the log is damaged.
  void expertsReady(std::int64_t step, std::shared_ptr<const ExpertsEvent> experts);
  /// In the order of ranks; none: the run has one rank, or has left no records.
  void ranksReady(std::shared_ptr<const std::vector<RankCalls>> ranks);
  void biasFanReady(int layer, std::shared_ptr<const std::vector<ExpertsEvent>> points);
  void failed(const QString& message);

 private:
  class Worker;
  struct State;
  struct Batch;
  void takeBatch(Batch& batch);
  void takeRanks(std::shared_ptr<const std::vector<RankCalls>> ranks);
  void tellCadence();
  QString m_id;
  std::unique_ptr<State> m_state;
};

}  // namespace tessera::ui
