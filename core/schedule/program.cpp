// SPDX-License-Identifier: MIT
#include "core/schedule/program.h"

#include <algorithm>
#include <limits>

namespace tessera {

using Step = ProgramStep::Kind;

namespace {

/// The output of an action, on its way to the rank that needs it next.
struct Message {
  PipelineAction made_by;
  std::int32_t from = 0, to = 0;
  double made_at = 0;
};

class Programmer {
 public:
  Programmer(const Schedule& schedule, const ScheduleTiming& timing)
      : schedule_(schedule),
        timing_(timing),
        programs_(static_cast<std::size_t>(schedule.ranks())),
        next_(programs_.size(), 0) {
    for (std::int32_t rank = 0; rank < schedule.ranks(); ++rank) list_messages(rank);
  }

  /// A rank receives what its next work needs. What the same rank sent before comes first, also
  /// where it is needed later.
  std::vector<Program> with_late_receives() {
    std::vector<std::vector<std::size_t>> ways(programs_.size() * programs_.size());
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      ways[way(messages_[i].from, messages_[i].to)].push_back(i);
    }
    std::vector<std::size_t> received(ways.size(), 0);
    for (std::int32_t rank = 0; rank < schedule_.ranks(); ++rank) {
      std::size_t sent = first_of_[static_cast<std::size_t>(rank)];
      const auto& actions = actions_of(rank);
      while (next(rank) < actions.size()) {
        const std::size_t first = next(rank);
        const std::size_t end = first + unit_size(actions, first);
        for (std::size_t at = first; at < end; ++at) receive_for(actions[at], rank, ways, received);
        begin_unit(rank);
        for (std::size_t at = first; at < end; ++at) {
          if (taker_of(actions[at]) >= 0) put_out(messages_[sent++]);
        }
      }
    }
    return std::move(programs_);
  }

  /// All messages of all ranks in one order, that of the time at which they are made. A rank that
  /// treats its own in this order, and begins its work by time as well, never waits for one that
  /// waits for it.
  std::vector<Program> in_common_order() {
    std::stable_sort(messages_.begin(), messages_.end(),
                     [](const Message& a, const Message& b) { return a.made_at < b.made_at; });
    for (const Message& message : messages_) {
      begin_units_before(message.from, message.made_at);
      begin_units_before(message.to, message.made_at);
      put_out(message);
      if (message.from != message.to) take_in(message);
    }
    for (std::int32_t rank = 0; rank < schedule_.ranks(); ++rank) {
      begin_units_before(rank, std::numeric_limits<double>::infinity());
    }
    return std::move(programs_);
  }

 private:
  const std::vector<PipelineAction>& actions_of(std::int32_t rank) const {
    return schedule_.actions[static_cast<std::size_t>(rank)];
  }
  Program& program(std::int32_t rank) { return programs_[static_cast<std::size_t>(rank)]; }
  std::size_t& next(std::int32_t rank) { return next_[static_cast<std::size_t>(rank)]; }
  std::size_t way(std::int32_t from, std::int32_t to) const {
    return static_cast<std::size_t>(from) * programs_.size() + static_cast<std::size_t>(to);
  }

  /// The rank that waits for the output; -1 where none does.
  std::int32_t taker_of(const PipelineAction& action) const {
    const std::int32_t stage = action.stage + (action.is_forward() ? 1 : -1);
    if (!action.has_output() || stage < 0 || stage == schedule_.stages()) return -1;
    return schedule_.rank_of(stage, action.micro_batch);
  }

  void list_messages(std::int32_t rank) {
    first_of_.push_back(messages_.size());
    const auto& spans = timing_.spans[static_cast<std::size_t>(rank)];
    for (std::size_t at = 0; at < actions_of(rank).size(); ++at) {
      PipelineAction action = actions_of(rank)[at];
      action.with_next = false;
      const std::int32_t taker = taker_of(action);
      if (taker >= 0) messages_.push_back({action, rank, taker, spans[at].to});
    }
  }

  void begin_unit(std::int32_t rank) {
    const std::size_t size = unit_size(actions_of(rank), next(rank));
    for (std::size_t i = 0; i < size; ++i) {
      program(rank).push_back({Step::Work, actions_of(rank)[next(rank)++]});
    }
  }

  void begin_units_before(std::int32_t rank, double time) {
    const auto& spans = timing_.spans[static_cast<std::size_t>(rank)];
    while (next(rank) < spans.size() && spans[next(rank)].from < time) begin_unit(rank);
  }

  void put_out(const Message& message) {
    const bool own = message.from == message.to;
    program(message.from)
        .push_back({own ? Step::Keep : Step::Send, message.made_by, own ? -1 : message.to});
  }
  void take_in(const Message& message) {
    program(message.to).push_back({Step::Receive, message.made_by, message.from});
  }

  void receive_for(const PipelineAction& action, std::int32_t rank,
                   const std::vector<std::vector<std::size_t>>& ways,
                   std::vector<std::size_t>& received) {
    const std::int32_t stage = action.stage + (action.is_forward() ? -1 : 1);
    if (!action.has_output() || stage < 0 || stage == schedule_.stages()) return;
    const std::int32_t from = schedule_.rank_of(stage, action.micro_batch);
    if (from == rank) return;
    const std::vector<std::size_t>& sent = ways[way(from, rank)];
    const auto is_wanted = [&](std::size_t index) {
      const PipelineAction& made_by = messages_[index].made_by;
      return made_by.is_forward() == action.is_forward() && made_by.stage == stage &&
             made_by.micro_batch == action.micro_batch;
    };
    std::size_t& here = received[way(from, rank)];
    const auto rest = sent.begin() + static_cast<std::ptrdiff_t>(here);
    const auto wanted = std::find_if(rest, sent.end(), is_wanted);
    if (wanted == sent.end()) return;  // it came before another one that was needed earlier
    for (auto at = rest; at <= wanted; ++at, ++here) take_in(messages_[*at]);
  }

  const Schedule& schedule_;
  const ScheduleTiming& timing_;
  std::vector<Program> programs_;
  std::vector<std::size_t> next_;      ///< by rank: its next action
  std::vector<std::size_t> first_of_;  ///< by rank: the first of its messages
  std::vector<Message> messages_;
};

}  // namespace

std::vector<Program> programs_of(const Schedule& schedule, Sends sends) {
  const ScheduleTiming timing = play(schedule);
  Programmer programmer(schedule, timing);
  return sends == Sends::Wait ? programmer.in_common_order() : programmer.with_late_receives();
}

}  // namespace tessera
