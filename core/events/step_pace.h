// SPDX-License-Identifier: MIT
// How fast a run trains, and how long it has yet to train: the one estimate that the terminal, the
// list of runs and the window show.
#pragma once

#include <cstdint>
#include <deque>

#include "core/events/events.h"

namespace tessera {

/// Looks at the last steps of a log. Validation and saving between steps are part of the time; a
/// pause, the time between a stop and a resume, and the sleep of the machine are not.
class StepPace {
 public:
  /// To be called with every event of a log, or of its end, in order.
  void take(const Event& event);
  /// Until `total_tokens` are trained. NaN where no step tells how long one takes. Tokens are what
  /// is counted, since steps of a later stage may be longer.
  double seconds_left(std::int64_t total_tokens) const;
  /// Whether a longer part of the log would change nothing.
  bool is_full() const { return rows_.size() == kMostRows; }

 private:
  static constexpr std::size_t kMostRows = 65;
  struct Row {
    std::int64_t tokens = 0;  ///< trained up to this step and with it
    double time = 0;          ///< when it was logged, seconds since 1970
    double own_pace = 0;      ///< seconds per token in the step itself; 0: not told
    bool follows = false;     ///< nothing but training lies between the row before and this one
  };
  double seconds_per_token() const;

  std::deque<Row> rows_;
  bool broken_ = true;  ///< the run stood still since the last step
};

}  // namespace tessera
