// SPDX-License-Identifier: MIT
// A pipeline schedule is a list of actions for each rank: the trainer carries it out, a checker
// validates it, and a planner can play it with the costs that it was told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

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
  bool operator==(const PipelineAction&) const = default;
};
const char* name_of(PipelineAction::Kind kind);

struct Schedule {
  std::vector<std::vector<PipelineAction>> actions;  ///< by pipeline rank, in order
  std::int32_t stages = 1, micro_batches = 1;

  std::int32_t ranks() const { return static_cast<std::int32_t>(actions.size()); }
  /// The pipeline rank of each stage. Throws Error where the actions of a stage are on two.
  std::vector<std::int32_t> rank_of_stages() const;
};

/// Every micro-batch forward and at once backward, on one rank.
Schedule one_rank(std::int32_t micro_batches);

/// One forward, one backward (1F1B): rank p of P keeps at most P - p micro-batches. One stage a
/// rank.
Schedule one_forward_one_backward(std::int32_t ranks, std::int32_t micro_batches);

/// 1F1B with the backward in two, where the weights' part fills what would be idle time (ZB1P):
/// as much is kept as in 1F1B. One stage a rank. Qi et al., "Zero Bubble Pipeline Parallelism",
/// 2023.
Schedule zero_bubble(std::int32_t ranks, std::int32_t micro_batches);

enum class PipelineSchedule : std::uint8_t { OneForwardOneBackward, ZeroBubble };
Schedule make_schedule(PipelineSchedule kind, std::int32_t ranks, std::int32_t micro_batches);

/// How long the pieces of work of one micro-batch take on one stage, in any unit. `backward` is
/// input and weights together.
struct ActionCosts {
  double forward = 1, backward = 2, weight = 1;
  double of(PipelineAction::Kind kind) const;
};

/// A schedule played with these costs, messages taking no time.
struct ScheduleTiming {
  double total = 0;                     ///< until the last rank is done
  std::vector<double> idle;             ///< of each rank
  std::vector<std::int32_t> in_flight;  ///< most micro-batches a rank keeps at once
};

/// Throws Error that names the action where the schedule is not sound: an action that is missing or
/// is there twice, one before what it needs on its own rank, or ranks that wait for each other.
ScheduleTiming play(const Schedule& schedule, const ActionCosts& costs = {});

}  // namespace tessera
