// SPDX-License-Identifier: MIT
// Plays a schedule: each rank does its next action as soon as what it needs is there.
#include <algorithm>
#include <limits>
#include <span>

#include "core/base/error.h"
#include "core/schedule/schedule.h"

namespace tessera {

using Kind = PipelineAction::Kind;

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

std::string describe_on(std::int32_t rank, const PipelineAction& action) {
  return fmt::format("rank {}: {}", rank, describe(action));
}

class Player {
 public:
  Player(const Schedule& schedule, const ActionCosts& costs)
      : schedule_(schedule), costs_(costs), ranks_(static_cast<std::size_t>(schedule.ranks())) {
    expect_routes();
    cells_.resize(static_cast<std::size_t>(schedule.stages()) *
                  static_cast<std::size_t>(schedule.micro_batches));
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
    for (Rank& rank : ranks_) {
      timing.idle.push_back(timing.total - rank.busy);
      timing.in_flight.push_back(rank.most);
      timing.spans.push_back(std::move(rank.spans));
    }
    return timing;
  }

 private:
  struct Rank {
    std::size_t next = 0;
    double now = 0, busy = 0;
    std::int32_t in_flight = 0, most = 0;
    std::vector<ScheduleTiming::Span> spans;
  };
  /// When each part of the work on a micro-batch in a stage is done.
  struct Cell {
    double forward = kNever, input = kNever, weight = kNever;
  };
  using Unit = std::span<const PipelineAction>;

  void expect_routes() const {
    require(!schedule_.routes.empty() && schedule_.micro_batches >= 1, "schedule",
            "{} micro-batches on {} routes", schedule_.micro_batches, schedule_.routes.size());
    for (const std::vector<std::int32_t>& route : schedule_.routes) {
      require(route.size() == schedule_.routes.front().size(), "schedule",
              "routes of {} and of {} stages", route.size(), schedule_.routes.front().size());
      for (const std::int32_t rank : route) {
        require(rank >= 0 && rank < schedule_.ranks(), "schedule",
                "a stage lies on rank {}, but there are {}", rank, schedule_.ranks());
      }
    }
  }

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
    if (action.stage + 1 == schedule_.stages()) return own.forward;
    return std::max(own.forward, cell(action.stage + 1, action.micro_batch).input);
  }

  [[noreturn]] static void refuse(std::int32_t rank, const PipelineAction& action,
                                  const std::string& why) {
    throw Error("schedule", describe_on(rank, action) + why);
  }

  void expect_new(const PipelineAction& action, std::int32_t rank) {
    if (action.micro_batch < 0 || action.micro_batch >= schedule_.micro_batches) {
      refuse(rank, action, fmt::format(": there are {} micro-batches", schedule_.micro_batches));
    }
    if (action.stage < 0 || action.stage >= schedule_.stages()) {
      refuse(rank, action, fmt::format(": there are {} stages", schedule_.stages()));
    }
    const std::int32_t holder = schedule_.rank_of(action.stage, action.micro_batch);
    if (holder != rank) refuse(rank, action, fmt::format(" is for rank {}", holder));
    const Cell& own = cell(action.stage, action.micro_batch);
    const bool is_new = action.kind == Kind::Forward          ? own.forward == kNever
                        : action.kind == Kind::WeightBackward ? own.weight == kNever
                                                              : own.input == kNever;
    if (!is_new) refuse(rank, action, " is there twice");
  }

  Unit next_unit(std::int32_t number) const {
    const auto& actions = schedule_.actions[static_cast<std::size_t>(number)];
    const std::size_t next = ranks_[static_cast<std::size_t>(number)].next;
    if (next == actions.size()) return {};
    const std::size_t size = unit_size(actions, next);
    if (size == 2) {
      const bool is_pair = actions[next].is_forward() && next + 1 < actions.size() &&
                           !actions[next + 1].is_forward() && actions[next + 1].has_output();
      if (!is_pair) refuse(number, actions[next], " is in a pair with no backward");
    }
    return Unit(actions).subspan(next, size);
  }

  bool step(std::int32_t number) {
    const Unit unit = next_unit(number);
    if (unit.empty()) return false;
    double from = 0;
    for (const PipelineAction& action : unit) {
      expect_new(action, number);
      from = std::max(from, ready(action));
    }
    if (from == kNever) return false;
    const double cost = unit.size() == 2 ? costs_.of_pair() : costs_.of(unit[0].kind);
    Rank& rank = ranks_[static_cast<std::size_t>(number)];
    from = std::max(from, rank.now);
    rank.now = from + cost;
    rank.busy += cost;
    rank.next += unit.size();
    for (const PipelineAction& action : unit) {
      rank.spans.push_back({from, rank.now});
      mark(rank, action);
    }
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
      const Unit left = next_unit(number);
      if (!left.empty()) refuse(number, left[0], " waits for what never comes");
    }
    const bool trains = has_backward();
    for (std::int32_t stage = 0; stage < schedule_.stages(); ++stage) {
      for (std::int32_t i = 0; i < schedule_.micro_batches; ++i) {
        const Cell& own = cell(stage, i);
        const bool is_back = own.input != kNever && own.weight != kNever;
        require(own.forward != kNever && (is_back || !trains), "schedule",
                "micro-batch {} is not carried through in stage {}", i, stage);
      }
    }
  }

  bool has_backward() const {
    for (const auto& actions : schedule_.actions) {
      for (const PipelineAction& action : actions) {
        if (!action.is_forward()) return true;
      }
    }
    return false;
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
