// SPDX-License-Identifier: MIT
#include "core/schedule/timed_waits.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string_view>
#include <thread>

#include "core/base/error.h"

namespace tessera {

namespace {
constexpr const char* kPair = "pair";

/// A number that no other output of the step has.
std::int64_t name_of_output(const PipelineAction& made_by) {
  const std::int64_t place = std::int64_t{made_by.stage} << 32 | made_by.micro_batch;
  return made_by.is_forward() ? place : ~place;
}

Timeline::Span span_of(const char* what, const PipelineAction& action, std::int64_t from,
                       std::int64_t to) {
  return {.what = what,
          .stage = action.stage,
          .micro_batch = action.micro_batch,
          .from = from,
          .to = to};
}

/// One rank on its way through its program.
class Waiting {
 public:
  Waiting(const ActionCosts& costs, double unit_s, Communicator& pipeline, Timeline& timeline)
      : costs_(costs), unit_s_(unit_s), pipeline_(pipeline), timeline_(timeline) {}

  void carry_out(const ProgramStep& step) {
    switch (step.kind) {
      case ProgramStep::Kind::Work:
        return work(step.action);
      case ProgramStep::Kind::Send:
        return send(step);
      case ProgramStep::Kind::Receive:
        return receive(step);
      case ProgramStep::Kind::Keep:
        return;  // it is there already
    }
  }

 private:
  /// The first of a pair waits for both.
  void work(const PipelineAction& action) {
    if (in_pair_) {
      in_pair_ = false;
      return timeline_.add(span_of(kPair, action, pair_from_, timeline_.now()));
    }
    const std::int64_t from = timeline_.now();
    wait(action.with_next ? costs_.of_pair() : costs_.of(action.kind));
    const char* what = action.with_next ? kPair : name_of(action.kind);
    timeline_.add(span_of(what, action, from, timeline_.now()));
    in_pair_ = action.with_next;
    pair_from_ = from;
  }

  void wait(double cost) const {
    std::this_thread::sleep_for(std::chrono::duration<double>(cost * unit_s_));
  }

  void send(const ProgramStep& step) {
    std::int64_t name = name_of_output(step.action);
    const std::int64_t from = timeline_.now();
    pipeline_.send(context_, {&name, DType::I64, {1}}, step.peer);
    timeline_.add(span_of("send", step.action, from, timeline_.now()));
  }

  void receive(const ProgramStep& step) {
    std::int64_t name = 0;
    const std::int64_t from = timeline_.now();
    pipeline_.receive(context_, {&name, DType::I64, {1}}, step.peer);
    require(name == name_of_output(step.action), "schedule",
            "rank {} expected the output of the {} from rank {}, and another one came",
            pipeline_.rank(), describe(step.action), step.peer);
    timeline_.add(span_of("receive", step.action, from, timeline_.now()));
  }

  ActionCosts costs_;
  double unit_s_;
  Communicator& pipeline_;
  Timeline& timeline_;
  Context context_;
  bool in_pair_ = false;
  std::int64_t pair_from_ = 0;
};

bool is_work(const Timeline::Span& span) {
  const std::string_view what = span.what;
  return what != "send" && what != "receive";
}

struct Bounds {
  std::int64_t from = std::numeric_limits<std::int64_t>::max();
  std::int64_t to = std::numeric_limits<std::int64_t>::min();
};
Bounds bounds_of(const std::vector<Timeline>& ranks) {
  Bounds bounds;
  for (const Timeline& rank : ranks) {
    for (const Timeline::Span& span : rank.spans()) {
      if (!is_work(span)) continue;
      bounds.from = std::min(bounds.from, span.from);
      bounds.to = std::max(bounds.to, span.to);
    }
  }
  require(bounds.from <= bounds.to, "schedule", "no rank has done anything");
  return bounds;
}

char letter_of(const Timeline::Span& span) {
  const std::string_view what = span.what;
  if (what == kPair) return 'X';
  if (what == name_of(PipelineAction::Kind::Forward)) return 'F';
  if (what == name_of(PipelineAction::Kind::Backward)) return 'B';
  return what == name_of(PipelineAction::Kind::InputBackward) ? 'i' : 'w';
}
}  // namespace

void wait_through(const Program& program, const ActionCosts& costs, double unit_s,
                  Communicator& pipeline, Timeline& timeline) {
  Context context;
  pipeline.barrier(context);
  Waiting waiting(costs, unit_s, pipeline, timeline);
  for (const ProgramStep& step : program) waiting.carry_out(step);
}

MeasuredIdle measure_idle(const std::vector<Timeline>& ranks) {
  const Bounds bounds = bounds_of(ranks);
  MeasuredIdle idle{.total_s = 1e-9 * static_cast<double>(bounds.to - bounds.from), .idle_s = {}};
  for (const Timeline& rank : ranks) {
    std::int64_t busy = 0, until = bounds.from;
    for (const Timeline::Span& span : rank.spans()) {
      if (!is_work(span)) continue;
      busy += std::max<std::int64_t>(0, span.to - std::max(span.from, until));
      until = std::max(until, span.to);  // the second of a pair adds nothing
    }
    idle.idle_s.push_back(idle.total_s - 1e-9 * static_cast<double>(busy));
  }
  return idle;
}

std::vector<std::string> draw_work(const std::vector<Timeline>& ranks, double unit_s) {
  const Bounds bounds = bounds_of(ranks);
  const double unit_ns = 1e9 * unit_s;
  const auto columns = static_cast<std::size_t>(
      std::max(1.0, static_cast<double>(bounds.to - bounds.from) / unit_ns + 0.5));
  std::vector<std::string> lines;
  for (const Timeline& rank : ranks) {
    std::string line(columns, '.');
    for (const Timeline::Span& span : rank.spans()) {
      if (!is_work(span)) continue;
      for (std::size_t c = 0; c < columns; ++c) {
        const double middle =
            static_cast<double>(bounds.from) + (static_cast<double>(c) + 0.5) * unit_ns;
        if (middle >= static_cast<double>(span.from) && middle < static_cast<double>(span.to)) {
          line[c] = letter_of(span);
        }
      }
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace tessera
