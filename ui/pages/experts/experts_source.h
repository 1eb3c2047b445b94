// SPDX-License-Identifier: MIT
// ExpertsSource: the logged loads and biases of one run, asked of its feed one at a time, so that
// however fast the scrubber moves no queue builds up: the newest wish is asked for next, what is
// shown stays until its answer is there.
#pragma once

#include <QCache>
#include <QObject>
#include <QTimer>
#include <memory>

#include "ui/bridge/runs/run_feed.h"
#include "ui/pages/experts/expert_math.h"

namespace tessera::ui {

class ExpertsSource : public QObject {
  Q_OBJECT
 public:
  explicit ExpertsSource(std::shared_ptr<RunFeed> feed, QObject* parent = nullptr);

  RunFeed& feed() const { return *m_feed; }
  /// Logged steps.
  const std::vector<std::int64_t>& steps() const { return m_feed->history().expert_steps; }
  /// The logged step at or before `step`, -1 for the newest; -1: none.
  std::int64_t loggedStep(std::int64_t step) const;
  /// Its place among the logged steps; -1: none.
  std::int64_t indexOf(std::int64_t step) const;

  /// Answered by ready(). A wish that is not asked for yet is replaced.
  void want(std::int64_t loggedStep);
  /// The last `count` logged steps up to one, once nothing else is wished for; answered by
  /// windowReady().
  void wantWindow(std::int64_t loggedStep, int count);
  /// Null where it is not at hand.
  ExpertsFrame cached(std::int64_t loggedStep) const;
  /// The frames of the window asked for last; empty until all are there.
  std::vector<ExpertsFrame> window() const;

 Q_SIGNALS:
  void ready(qint64 loggedStep, const ExpertsFrame& frame);
  void windowReady();

 private:
  void take(std::int64_t step, const ExpertsFrame& frame);
  void askNext();
  void ask(std::int64_t step, bool wish);

  std::shared_ptr<RunFeed> m_feed;
  mutable QCache<qint64, ExpertsFrame> m_cache;
  std::int64_t m_wish = -1, m_asked = -1;
  std::vector<std::int64_t> m_window;
  bool m_windowSaid = true, m_askedWish = false;
  QTimer m_lost;  ///< an answer that never comes must not end all asking
};

}  // namespace tessera::ui
