// SPDX-License-Identifier: MIT
// A pipeline schedule is a list of actions for each rank: the trainer carries it out, a checker
// validates it, and a planner can play it with the costs that it was told.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config/pipeline.h"

namespace tessera {

/// One piece of work of a rank. Messages follow from it: a forward needs the output of the stage
/// before, a backward the gradient of the stage behind.
struct PipelineAction {
  enum class Kind : std::uint8_t {
    Forward,
    Backward,       ///< gradients of input and weights
    InputBackward,  ///< the gradient of the input alone
    WeightBackward  ///< the weights' gradients of an InputBackward that was done before
  };
  Kind kind = Kind::Forward;
  std::int32_t stage = 0, micro_batch = 0;
  /// A forward and the backward of another micro-batch that is listed behind it are one overlapped
  /// pair: both begin when the inputs of both are there, and the one computes while the other
  /// exchanges tokens.
  bool with_next = false;
  bool operator==(const PipelineAction&) const = default;

  bool is_forward() const { return kind == Kind::Forward; }
  /// Whether another stage waits for what it puts out.
  bool has_output() const { return kind != Kind::WeightBackward; }
};
const char* name_of(PipelineAction::Kind kind);
/// "backward of micro-batch 2 in stage 0".
std::string describe(const PipelineAction& action);

struct Schedule {
  std::vector<std::vector<PipelineAction>> actions;  ///< by pipeline rank, in order
  std::int32_t micro_batches = 1;
  std::vector<std::vector<std::int32_t>> routes;  ///< as those of the shape

  std::int32_t ranks() const { return static_cast<std::int32_t>(actions.size()); }
  std::int32_t stages() const { return static_cast<std::int32_t>(routes.front().size()); }
  /// The rank of a stage for a micro-batch.
  std::int32_t rank_of(std::int32_t stage, std::int32_t micro_batch) const;
};

/// What is begun at once: one action, or the two of a pair. How many actions from `first` on.
std::size_t unit_size(const std::vector<PipelineAction>& actions, std::size_t first);

/// Every micro-batch forward and at once backward, on one rank.
Schedule one_rank(std::int32_t micro_batches);

/// The order of work in a pipeline. Throws Error with both numbers where the schedule has none for
/// these.
///   1f1b         one forward, one backward: rank p of P keeps at most P - p micro-batches
///   interleaved  the same with several stages a rank, which divide the idle time (Narayanan et
///                al., "Efficient Large-Scale Language Model Training on GPU Clusters", 2021)
///   zb1p         1F1B with the backward in two, where the weights' part fills what would be idle
///                time: as much is kept as in 1F1B (Qi et al., "Zero Bubble Pipeline
///                Parallelism", 2023)
///   dualpipe     micro-batches from both ends at once; forwards and backwards in overlapped pairs
///                (DeepSeek-V3 report, section 3.2.1)
///   dualpipev    half of it: two stages a rank, the second ones on the way back
Schedule make_schedule(const PipelineShape& shape, std::int64_t micro_batches);

/// The forwards of a validation, all micro-batches on the first route.
Schedule forward_only(const PipelineShape& shape, std::int64_t micro_batches);

/// How long the pieces of work of one micro-batch take on one stage, in any unit. `backward` is
/// input and weights together.
struct ActionCosts {
  double forward = 1, backward = 2, weight = 1;
  std::optional<double> pair = {};  ///< of an overlapped pair; absent: forward and backward
  double of(PipelineAction::Kind kind) const;
  double of_pair() const { return pair.value_or(forward + backward); }
};

/// A schedule played with these costs, messages taking no time.
struct ScheduleTiming {
  struct Span {
    double from = 0, to = 0;
  };
  double total = 0;                      ///< until the last rank is done
  std::vector<double> idle;              ///< of each rank
  std::vector<std::int32_t> in_flight;   ///< most micro-batches a rank keeps at once, by stages
  std::vector<std::vector<Span>> spans;  ///< of each rank's actions; those of a pair are alike
};

/// Throws Error that names the action where the schedule is not sound: an action that is missing,
/// is there twice or is another rank's, one before what it needs on its own rank, or ranks that
/// wait for each other. A schedule of forwards alone is sound as well.
ScheduleTiming play(const Schedule& schedule, const ActionCosts& costs = {});

}  // namespace tessera
