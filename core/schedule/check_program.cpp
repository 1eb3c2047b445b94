// SPDX-License-Identifier: MIT
#include <algorithm>
#include <deque>

#include "core/base/error.h"
#include "core/schedule/program.h"

namespace tessera {

using Step = ProgramStep::Kind;

namespace {

/// Each rank goes through its program as far as it can, until none moves.
class Runner {
 public:
  Runner(const Schedule& schedule, const std::vector<Program>& programs, Sends sends)
      : schedule_(schedule), programs_(programs), waits_(sends == Sends::Wait) {
    require(std::ssize(programs) == schedule.ranks(), "schedule", "{} programs for {} ranks",
            programs.size(), schedule.ranks());
    const std::size_t outputs = 2 * static_cast<std::size_t>(schedule.stages()) *
                                static_cast<std::size_t>(schedule.micro_batches);
    ranks_.assign(programs.size(), Rank{.inbox = std::vector<bool>(outputs, false)});
    mail_.resize(programs.size() * programs.size());
  }

  std::vector<std::int32_t> run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::int32_t rank = 0; rank < schedule_.ranks(); ++rank) {
        while (step(rank)) moved = true;
      }
    }
    std::vector<std::int32_t> most;
    for (std::int32_t number = 0; number < schedule_.ranks(); ++number) {
      const ProgramStep* left = next(number);
      if (left) throw Error("schedule", describe(number, *left) + " waits for what never comes");
      const Rank& rank = of(number);
      require(rank.waiting == 0, "schedule", "rank {} takes {} messages that it never needs",
              number, rank.waiting);
      most.push_back(rank.most);
    }
    return most;
  }

 private:
  struct Rank {
    std::size_t next = 0;
    std::vector<bool> inbox;  ///< by output
    std::int32_t waiting = 0, most = 0;
  };

  Rank& of(std::int32_t rank) { return ranks_[static_cast<std::size_t>(rank)]; }
  const ProgramStep* next(std::int32_t rank) {
    const Program& program = programs_[static_cast<std::size_t>(rank)];
    return of(rank).next < program.size() ? &program[of(rank).next] : nullptr;
  }

  std::size_t output(bool forward, std::int32_t stage, std::int32_t micro_batch) const {
    return static_cast<std::size_t>(
        ((forward ? 0 : schedule_.stages()) + stage) * schedule_.micro_batches + micro_batch);
  }
  std::size_t output(const PipelineAction& a) const {
    return output(a.is_forward(), a.stage, a.micro_batch);
  }

  static std::string describe(std::int32_t rank, const ProgramStep& step) {
    const char* what = step.kind == Step::Send      ? "sending the output of "
                       : step.kind == Step::Receive ? "receiving the output of "
                                                    : "";
    return fmt::format("rank {}: {}{}", rank, what, tessera::describe(step.action));
  }

  bool step(std::int32_t rank) {
    const ProgramStep* at = next(rank);
    if (!at) return false;
    switch (at->kind) {
      case Step::Work:
        work(rank, at->action);
        break;
      case Step::Keep:
        put(rank, *at);
        break;
      case Step::Send:
        if (waits_) return meet(rank, *at);
        mail(rank, at->peer).push_back(&at->action);
        break;
      case Step::Receive: {
        if (waits_) return false;  // the sender carries both over
        auto& letters = mail(at->peer, rank);
        if (letters.empty()) return false;
        expect_same(rank, *at, *letters.front());
        letters.pop_front();
        put(rank, *at);
      }
    }
    ++of(rank).next;
    return true;
  }

  /// A send that waits, and its receive, are done together.
  bool meet(std::int32_t rank, const ProgramStep& send) {
    const ProgramStep* other = next(send.peer);
    if (!other || other->kind != Step::Receive || other->peer != rank) return false;
    expect_same(send.peer, *other, send.action);
    put(send.peer, *other);
    ++of(rank).next;
    ++of(send.peer).next;
    return true;
  }

  void expect_same(std::int32_t rank, const ProgramStep& receive,
                   const PipelineAction& sent) const {
    if (output(receive.action) == output(sent)) return;
    throw Error("schedule",
                fmt::format("{}, but rank {} sends that of the {}", describe(rank, receive),
                            receive.peer, tessera::describe(sent)));
  }

  void put(std::int32_t rank, const ProgramStep& step) {
    Rank& to = of(rank);
    if (to.inbox[output(step.action)]) {
      throw Error("schedule", describe(rank, step) + " comes twice");
    }
    to.inbox[output(step.action)] = true;
    to.most = std::max(to.most, ++to.waiting);
  }

  void work(std::int32_t rank, const PipelineAction& action) {
    const std::int32_t stage = action.stage + (action.is_forward() ? -1 : 1);
    if (!action.has_output() || stage < 0 || stage == schedule_.stages()) return;
    Rank& own = of(rank);
    const std::size_t input = output(action.is_forward(), stage, action.micro_batch);
    if (!own.inbox[input]) {
      throw Error("schedule",
                  fmt::format("rank {}: {} has no input yet", rank, tessera::describe(action)));
    }
    own.inbox[input] = false;
    --own.waiting;
  }

  std::deque<const PipelineAction*>& mail(std::int32_t from, std::int32_t to) {
    return mail_[static_cast<std::size_t>(from) * programs_.size() + static_cast<std::size_t>(to)];
  }

  const Schedule& schedule_;
  const std::vector<Program>& programs_;
  bool waits_;
  std::vector<Rank> ranks_;
  std::vector<std::deque<const PipelineAction*>> mail_;
};

}  // namespace

std::vector<std::int32_t> check_programs(const Schedule& schedule,
                                         const std::vector<Program>& programs, Sends sends) {
  return Runner(schedule, programs, sends).run();
}

}  // namespace tessera
