// SPDX-License-Identifier: MIT
#include "core/schedule/schedule.h"

#include <algorithm>

#include "core/base/error.h"

namespace tessera {

using Kind = PipelineAction::Kind;

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::Forward:
      return "forward";
    case Kind::Backward:
      return "backward";
    case Kind::InputBackward:
      return "backward of the input";
    case Kind::WeightBackward:
      break;
  }
  return "backward of the weights";
}

double ActionCosts::of(Kind kind) const {
  switch (kind) {
    case Kind::Forward:
      return forward;
    case Kind::Backward:
      return backward;
    case Kind::InputBackward:
      return backward - weight;
    case Kind::WeightBackward:
      break;
  }
  return weight;
}

std::vector<std::int32_t> Schedule::rank_of_stages() const {
  std::vector<std::int32_t> ranks(static_cast<std::size_t>(stages), -1);
  for (std::int32_t rank = 0; rank < this->ranks(); ++rank) {
    for (const PipelineAction& action : actions[static_cast<std::size_t>(rank)]) {
      require(action.stage >= 0 && action.stage < stages, "schedule",
              "rank {} has work of stage {} among {}", rank, action.stage, stages);
      std::int32_t& holder = ranks[static_cast<std::size_t>(action.stage)];
      require(holder == -1 || holder == rank, "schedule", "ranks {} and {} both hold stage {}",
              holder, rank, action.stage);
      holder = rank;
    }
  }
  return ranks;
}

namespace {
void expect_sizes(std::int32_t ranks, std::int32_t micro_batches) {
  require(ranks >= 1 && micro_batches >= 1, "schedule", "{} ranks and {} micro-batches", ranks,
          micro_batches);
}

/// The forwards before the first backward of a rank: so many that the first gradient just comes
/// back when they are done.
std::int32_t warm_up(std::int32_t rank, std::int32_t ranks, std::int32_t micro_batches) {
  return std::min(ranks - rank - 1, micro_batches);
}
}  // namespace

Schedule one_rank(std::int32_t micro_batches) {
  return one_forward_one_backward(1, micro_batches);
}

Schedule one_forward_one_backward(std::int32_t ranks, std::int32_t micro_batches) {
  expect_sizes(ranks, micro_batches);
  Schedule schedule{.actions = {}, .stages = ranks, .micro_batches = micro_batches};
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    std::vector<PipelineAction> actions;
    std::int32_t next = 0;
    const auto forward = [&] {
      if (next < micro_batches) actions.push_back({Kind::Forward, rank, next++});
    };
    for (std::int32_t i = warm_up(rank, ranks, micro_batches); i > 0; --i) forward();
    for (std::int32_t i = 0; i < micro_batches; ++i) {
      forward();
      actions.push_back({Kind::Backward, rank, i});
    }
    schedule.actions.push_back(std::move(actions));
  }
  return schedule;
}

/// Rank p makes the weights' gradients p micro-batches late, so that every rank keeps as many as
/// rank 0 does, and the last ones of all ranks fill the end.
Schedule zero_bubble(std::int32_t ranks, std::int32_t micro_batches) {
  expect_sizes(ranks, micro_batches);
  Schedule schedule{.actions = {}, .stages = ranks, .micro_batches = micro_batches};
  for (std::int32_t rank = 0; rank < ranks; ++rank) {
    std::vector<PipelineAction> actions;
    std::int32_t next = 0, weights = 0;
    const auto forward = [&] {
      if (next < micro_batches) actions.push_back({Kind::Forward, rank, next++});
    };
    for (std::int32_t i = warm_up(rank, ranks, micro_batches); i > 0; --i) forward();
    for (std::int32_t i = 0; i < micro_batches; ++i) {
      forward();
      actions.push_back({Kind::InputBackward, rank, i});
      if (i >= rank) actions.push_back({Kind::WeightBackward, rank, weights++});
    }
    while (weights < micro_batches) actions.push_back({Kind::WeightBackward, rank, weights++});
    schedule.actions.push_back(std::move(actions));
  }
  return schedule;
}

Schedule make_schedule(PipelineSchedule kind, std::int32_t ranks, std::int32_t micro_batches) {
  switch (kind) {
    case PipelineSchedule::OneForwardOneBackward:
      return one_forward_one_backward(ranks, micro_batches);
    case PipelineSchedule::ZeroBubble:
      break;
  }
  return zero_bubble(ranks, micro_batches);
}

}  // namespace tessera
