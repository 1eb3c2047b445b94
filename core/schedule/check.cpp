// SPDX-License-Identifier: MIT
// Plays a schedule: each rank does its next action as soon as what it needs is there.
#include <algorithm>
#include <limits>

#include "core/base/error.h"
#include "core/schedule/schedule.h"

namespace tessera {

using Kind = PipelineAction::Kind;

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

std::string describe(const PipelineAction& action, std::int32_t rank) {
  return fmt::format("rank {}: {} of micro-batch {} in stage {}", rank, name_of(action.kind),
                     action.micro_batch, action.stage);
}

class Player {
 public:
  Player(const Schedule& schedule, const ActionCosts& costs)
      : schedule_(schedule),
        costs_(costs),
        ranks_(static_cast<std::size_t>(schedule.ranks())),
        cells_(static_cast<std::size_t>(schedule.stages) *
               static_cast<std::size_t>(schedule.micro_batches)) {
    schedule.rank_of_stages();
  }

  ScheduleTiming play() {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::int32_t rank = 0; rank < schedule_.ranks(); ++rank) {
        while (step(rank)) moved = true;
      }
    }
    expect_all_done();
    ScheduleTiming timing;
    for (const Rank& rank : ranks_) timing.total = std::max(timing.total, rank.now);
    for (const Rank& rank : ranks_) {
      timing.idle.push_back(timing.total - rank.busy);
      timing.in_flight.push_back(rank.most);
    }
    return timing;
  }

 private:
  struct Rank {
    std::size_t next = 0;
    double now = 0, busy = 0;
    std::int32_t in_flight = 0, most = 0;
  };
  /// When each part of the work on a micro-batch in a stage is done.
  struct Cell {
    double forward = kNever, input = kNever, weight = kNever;
  };

  Cell& cell(std::int32_t stage, std::int32_t micro_batch) {
    return cells_[static_cast<std::size_t>(stage) *
                      static_cast<std::size_t>(schedule_.micro_batches) +
                  static_cast<std::size_t>(micro_batch)];
  }

  /// When what the action needs is there.
  double ready(const PipelineAction& action) {
    const Cell& own = cell(action.stage, action.micro_batch);
    if (action.kind == Kind::Forward) {
      return action.stage == 0 ? 0 : cell(action.stage - 1, action.micro_batch).forward;
    }
    if (action.kind == Kind::WeightBackward) return own.input;
    if (action.stage + 1 == schedule_.stages) return own.forward;
    return std::max(own.forward, cell(action.stage + 1, action.micro_batch).input);
  }

  void expect_new(const PipelineAction& action, std::int32_t rank) {
    require(action.micro_batch >= 0 && action.micro_batch < schedule_.micro_batches, "schedule",
            "{}: there are {} micro-batches", describe(action, rank), schedule_.micro_batches);
    const Cell& own = cell(action.stage, action.micro_batch);
    const bool is_new = action.kind == Kind::Forward          ? own.forward == kNever
                        : action.kind == Kind::WeightBackward ? own.weight == kNever
                                                              : own.input == kNever;
    require(is_new, "schedule", "{} is there twice", describe(action, rank));
  }

  bool step(std::int32_t number) {
    Rank& rank = ranks_[static_cast<std::size_t>(number)];
    const auto& actions = schedule_.actions[static_cast<std::size_t>(number)];
    if (rank.next == actions.size()) return false;
    const PipelineAction& action = actions[rank.next];
    expect_new(action, number);
    const double from = ready(action);
    if (from == kNever) return false;
    const double cost = costs_.of(action.kind);
    rank.now = std::max(rank.now, from) + cost;
    rank.busy += cost;
    ++rank.next;
    mark(rank, action);
    return true;
  }

  void mark(Rank& rank, const PipelineAction& action) {
    Cell& own = cell(action.stage, action.micro_batch);
    switch (action.kind) {
      case Kind::Forward:
        own.forward = rank.now;
        rank.most = std::max(rank.most, ++rank.in_flight);
        break;
      case Kind::Backward:
        own.input = own.weight = rank.now;
        --rank.in_flight;
        break;
      case Kind::InputBackward:
        own.input = rank.now;
        break;
      case Kind::WeightBackward:
        own.weight = rank.now;
        --rank.in_flight;
        break;
    }
  }

  void expect_all_done() {
    for (std::int32_t number = 0; number < schedule_.ranks(); ++number) {
      const Rank& rank = ranks_[static_cast<std::size_t>(number)];
      const auto& actions = schedule_.actions[static_cast<std::size_t>(number)];
      require(rank.next == actions.size(), "schedule", "{} waits for what never comes",
              rank.next < actions.size() ? describe(actions[rank.next], number) : "");
    }
    for (std::int32_t stage = 0; stage < schedule_.stages; ++stage) {
      for (std::int32_t i = 0; i < schedule_.micro_batches; ++i) {
        const Cell& own = cell(stage, i);
        require(own.forward != kNever && own.input != kNever && own.weight != kNever, "schedule",
                "micro-batch {} is not carried through in stage {}", i, stage);
      }
    }
  }

  const Schedule& schedule_;
  const ActionCosts& costs_;
  std::vector<Rank> ranks_;
  std::vector<Cell> cells_;
};

}  // namespace

ScheduleTiming play(const Schedule& schedule, const ActionCosts& costs) {
  return Player(schedule, costs).play();
}

}  // namespace tessera
