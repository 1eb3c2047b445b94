// SPDX-License-Identifier: MIT
// How fast a run will go, from what was measured, and how long it takes and what it costs.
#pragma once

#include <string>
#include <vector>

#include "core/config/pipeline.h"
#include "core/plan/measurements.h"
#include "core/spec/spec.h"

namespace tessera {

enum class SpeedBasis : std::uint8_t {
  None,       ///< nothing was measured
  Measured,   ///< the same model, recipe and device on this machine
  Estimate,   ///< another measurement of this machine, by operations
  Published,  ///< others' figures for other hardware
  Given,      ///< the user's own figure
};
std::string_view name_of(SpeedBasis basis);

struct StagePlan {
  std::string name;
  std::int64_t steps = 0, tokens = 0, first_token = 0;
  std::int64_t sequence_length = 0, batch_sequences = 0;
  double flops_per_token = 0;
  double tokens_per_second = 0, seconds = 0, step_seconds = 0;  ///< 0: not known
  /// What ranks of a pipeline wait for each other, of a step; 0 where there is no pipeline.
  double idle_share = 0;
};

struct SpeedPlan {
  SpeedBasis basis = SpeedBasis::None;
  std::string source;  ///< where the rate is from, for people
  /// Operations per second that are counted on: of a GPU, or of this machine's processors.
  double flops_per_device = 0;
  std::int64_t ranks = 1;
  /// GPUs, one for each rank, or 1 for ranks on processors: they share the cores of a machine, and
  /// are no quicker for being many. Ranks on the processors of several machines are not planned.
  std::int64_t devices = 1;
  double flops_per_token = 0;    ///< in the first stage
  double tokens_per_second = 0;  ///< in the first stage, all ranks together
  double step_seconds = 0;       ///< in the first stage, at its full batch
  std::vector<StagePlan> stages;
  std::int64_t steps = 0, tokens = 0;  ///< from the first step that is still to be made
  double seconds = 0;       ///< what these steps take, without validation and checkpoints
  double device_hours = 0;  ///< devices times hours
  double cost = 0;          ///< device hours times the price
  double price_per_hour = 0;
};

/// What ranks of a pipeline wait for each other, of a step of so many micro-batches each: with a
/// forward, a gradient of the input and one of the weights taking equally long, and messages no
/// time.
double pipeline_idle_share(const PipelineShape& shape, std::int64_t micro_batches);

/// The formula of operations, in words.
std::string operations_formula();

struct SpeedOptions {
  double price_per_hour = 2;     ///< for one device
  double tokens_per_second = 0;  ///< the user's own figure for the first stage, all ranks; 0: none
  /// Where a fork goes on: steps before it are made already and cost nothing.
  std::int64_t first_step = 0;
  /// What was measured on this machine, oldest first. The newest run of the same model may be
  /// among them.
  std::vector<Measurement> measurements;
};

/// Throws Error where the curriculum has problems.
SpeedPlan plan_speed(const RunSpec& spec, const SpeedOptions& options);

}  // namespace tessera
