// SPDX-License-Identifier: MIT
// RunHistory: all of a run's log that charts and lists show, as plain values. What a resume or a
// rollback undid is left out, as in the library.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/events/step_fold.h"
#include "core/history/metrics.h"
#include "core/history/series.h"

namespace tessera {

/// One row per logged step.
struct RunHistory {
  std::vector<std::int64_t> step, tokens;
  std::vector<double> time;  ///< seconds since 1970
  std::array<Series, kMetricCount> metrics;
  std::vector<Series> layer_max_vio;  ///< per MoE layer, the MTP module's last

  struct Validation {
    std::int64_t step = 0, tokens = 0;
    double time = 0, loss = 0;
    std::map<std::string, double> sources;
  };
  std::vector<Validation> validations;
  /// Among the checkpoints is the one of another run that a fork began from and has in its folder;
  /// its bytes and seconds are -1: the log does not say them.
  std::vector<Event> checkpoints, samples, spikes;
  std::vector<Event> story;  ///< states, resumes, rollbacks, in order
  std::vector<Event> messages;

  /// What the ranks did, from RanksEvent: all of the last ones, every second of older ones, and so
  /// on, so that a month of many ranks still fits.
  struct Ranks {
    std::int64_t step = 0;
    double time = 0, seconds = 0;
    std::vector<float> work{};
    std::vector<std::int64_t> memory_bytes{};
  };
  std::vector<Ranks> ranks;
  /// The last of `ranks` at or before `step`, the newest for -1; null: none.
  const Ranks* ranks_at(std::int64_t step) const;

  /// Where expert loads and biases were logged; an ExpertsIndex reads these.
  std::vector<std::int64_t> expert_steps;
  int moe_layers = 0, experts = 0;

  const Series& metric(Metric m) const { return metrics[static_cast<std::size_t>(m)]; }
  std::size_t rows() const { return step.size(); }
  /// The last row at or before `step`; -1: none.
  std::int64_t row_of_step(std::int64_t step) const;
  /// The last value of a metric at or before `step`; kNotMeasured: there is none.
  double metric_at(Metric m, std::int64_t step) const;

  /// Adds what came next in the log. Of ExpertsEvent only step, layers and experts count. True when
  /// rows that were there are gone: a resume or a rollback undid them.
  bool take(Event event);
  /// Forgets what was logged for steps after `step`.
  bool truncate_after(std::int64_t step);

 private:
  StepFold fold_;
};

}  // namespace tessera
