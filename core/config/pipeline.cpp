// SPDX-License-Identifier: MIT
#include "core/config/pipeline.h"

#include <fmt/format.h>

#include <algorithm>

namespace tessera {

namespace {
std::string count_of(std::int64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}
}  // namespace

std::string_view name_of(PipelineSchedule schedule) {
  switch (schedule) {
    case PipelineSchedule::OneForwardOneBackward:
      return "1f1b";
    case PipelineSchedule::Interleaved:
      return "interleaved";
    case PipelineSchedule::ZeroBubble:
      return "zb1p";
    case PipelineSchedule::DualPipe:
      return "dualpipe";
    case PipelineSchedule::DualPipeV:
      break;
  }
  return "dualpipev";
}

std::int64_t PipelineShape::stages() const {
  if (ranks == 1) return 1;
  if (schedule == PipelineSchedule::Interleaved) return ranks * stages_per_rank;
  return schedule == PipelineSchedule::DualPipeV ? 2 * ranks : ranks;
}

std::vector<std::vector<std::int32_t>> PipelineShape::routes() const {
  std::vector<std::int32_t> there;
  for (std::int64_t stage = 0; stage < stages(); ++stage) {
    // In a V the stages come back over the ranks; otherwise they begin anew with the first one.
    const bool back = schedule == PipelineSchedule::DualPipeV && stage >= ranks;
    const std::int64_t rank = back ? 2 * ranks - 1 - stage : stage % ranks;
    there.push_back(static_cast<std::int32_t>(rank));
  }
  if (schedule != PipelineSchedule::DualPipe || ranks == 1) return {there};
  return {there, {there.rbegin(), there.rend()}};
}

std::vector<std::int64_t> PipelineShape::held_by(std::int64_t rank) const {
  std::vector<std::int64_t> held;
  for (const std::vector<std::int32_t>& route : routes()) {
    for (std::size_t stage = 0; stage < route.size(); ++stage) {
      if (route[stage] == rank) held.push_back(static_cast<std::int64_t>(stage));
    }
  }
  std::sort(held.begin(), held.end());
  return held;
}

std::int64_t PipelineShape::first_holder(std::int64_t rank) const {
  const bool twice = schedule == PipelineSchedule::DualPipe;
  return twice ? std::min(rank, ranks - 1 - rank) : rank;
}

bool PipelineShape::splits_backward() const {
  return ranks > 1 && schedule != PipelineSchedule::OneForwardOneBackward &&
         schedule != PipelineSchedule::Interleaved;
}

bool PipelineShape::ends_meet() const {
  return ranks == 1 || schedule == PipelineSchedule::DualPipe ||
         schedule == PipelineSchedule::DualPipeV;
}

std::int64_t PipelineShape::fewest_micro_batches() const {
  if (ranks == 1) return 1;
  switch (schedule) {
    case PipelineSchedule::OneForwardOneBackward:
    case PipelineSchedule::ZeroBubble:
      return 1;
    case PipelineSchedule::Interleaved:
      return ranks;
    case PipelineSchedule::DualPipe:
    case PipelineSchedule::DualPipeV:
      break;
  }
  return 2 * ranks;
}

std::int64_t PipelineShape::micro_batch_multiple() const {
  if (ranks == 1) return 1;
  if (schedule == PipelineSchedule::Interleaved) return ranks;
  return schedule == PipelineSchedule::DualPipe ? 2 : 1;
}

std::int64_t PipelineShape::allowed(std::int64_t micro_batches) const {
  const std::int64_t multiple = micro_batch_multiple();
  return std::max(fewest_micro_batches(), micro_batches / multiple * multiple);
}

std::string PipelineShape::refusal() const {
  if (ranks < 1) return fmt::format("a pipeline of {} ranks cannot be", ranks);
  if (ranks == 1) return {};
  if (schedule == PipelineSchedule::Interleaved && stages_per_rank < 2) {
    return fmt::format("{} a rank: interleaved needs 2 or more",
                       count_of(stages_per_rank, "stage", "stages"));
  }
  if (schedule == PipelineSchedule::DualPipe && ranks % 2 != 0) {
    return fmt::format("{} ranks: dualpipe needs a multiple of 2, as two ranks hold each stage",
                       ranks);
  }
  return {};
}

std::string PipelineShape::refusal(std::int64_t micro_batches) const {
  if (std::string shape = refusal(); !shape.empty()) return shape;
  if (micro_batches < fewest_micro_batches()) {
    return fmt::format("{} on {} ranks: {} needs {} or more",
                       count_of(micro_batches, "micro-batch", "micro-batches"), ranks,
                       name_of(schedule), fewest_micro_batches());
  }
  if (micro_batches % micro_batch_multiple() != 0) {
    return fmt::format("{} on {} ranks: {} needs a multiple of {}",
                       count_of(micro_batches, "micro-batch", "micro-batches"), ranks,
                       name_of(schedule), micro_batch_multiple());
  }
  return {};
}

}  // namespace tessera
