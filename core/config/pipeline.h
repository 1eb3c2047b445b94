// SPDX-License-Identifier: MIT
// How a model's stages lie on the ranks of a pipeline, and for which numbers of micro-batches there
// is an order of work. The orders themselves are in core/schedule.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {

enum class PipelineSchedule : std::uint8_t {
  OneForwardOneBackward,
  Interleaved,
  ZeroBubble,
  DualPipe,
  DualPipeV
};
/// As specs spell it.
std::string_view name_of(PipelineSchedule schedule);

/// A pipeline of `ranks` ranks. One rank alone holds the whole model, whatever the schedule.
struct PipelineShape {
  PipelineSchedule schedule = PipelineSchedule::OneForwardOneBackward;
  std::int64_t ranks = 1;
  std::int64_t stages_per_rank = 2;  ///< read by Interleaved alone: the others have their own

  /// Into how many stages the model is cut.
  std::int64_t stages() const;
  /// The rank of each stage. A micro-batch takes one route through the ranks; with two routes the
  /// first half of a step's micro-batches takes the first, and each stage is held twice.
  std::vector<std::vector<std::int32_t>> routes() const;
  /// Stages that a rank holds, in the order of the model.
  std::vector<std::int64_t> held_by(std::int64_t rank) const;
  /// The first rank that holds the same stages as this one.
  std::int64_t first_holder(std::int64_t rank) const;
  /// Whether some of the weights' gradients are made in actions of their own.
  bool splits_backward() const;
  /// Whether the first and the last stage are held by the same ranks.
  bool ends_meet() const;

  std::int64_t fewest_micro_batches() const;
  /// Every number of micro-batches of a step is a multiple of it.
  std::int64_t micro_batch_multiple() const;
  /// The largest number of micro-batches up to this one that there is a schedule for; where there
  /// is none, the fewest.
  std::int64_t allowed(std::int64_t micro_batches) const;
  /// Why there is no such schedule, with the numbers that do not go together; empty where there is.
  std::string refusal() const;
  std::string refusal(std::int64_t micro_batches) const;

  bool operator==(const PipelineShape&) const = default;
};

}  // namespace tessera
