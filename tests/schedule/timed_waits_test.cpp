// SPDX-License-Identifier: MIT
// Schedules carried out by ranks that wait instead of computing.
#include "core/schedule/timed_waits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <thread>
#include <tuple>

#include "core/base/error.h"
#include "distributed/threads/thread_ranks.h"

namespace tessera {
namespace {

std::vector<Timeline> carried_out(const std::vector<Program>& programs, double unit_s) {
  ThreadRanks ranks(static_cast<int>(programs.size()));
  std::vector<Timeline> timelines(programs.size());
  std::vector<std::string> problems(programs.size());
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < programs.size(); ++i) {
    threads.emplace_back([&, i] {
      Communicator& rank = ranks.rank(static_cast<int>(i));
      try {
        wait_through(programs[i], {}, unit_s, rank, timelines[i]);
      } catch (const Error& error) {
        problems[i] = error.what();
        rank.abort(error.what());
      }
    });
  }
  threads.clear();
  for (const std::string& problem : problems) {
    if (!problem.empty()) throw Error("test", problem);
  }
  return timelines;
}

using Work = std::tuple<std::string, int, int>;  // what, stage, micro-batch

/// Every piece of work is noted once, in the order of the schedule, and none begins before the work
/// whose output it needs has ended on its own rank or on another.
TEST(TimedWaits, EveryActionIsDoneInOrderAndAfterWhatItNeeds) {
  for (const PipelineSchedule which :
       {PipelineSchedule::OneForwardOneBackward, PipelineSchedule::Interleaved,
        PipelineSchedule::ZeroBubble, PipelineSchedule::DualPipe, PipelineSchedule::DualPipeV}) {
    SCOPED_TRACE(name_of(which));
    const Schedule schedule = make_schedule({which, 4}, 8);
    const auto timelines = carried_out(programs_of(schedule, Sends::DoNotWait), 2e-4);
    std::map<std::pair<int, int>, std::int64_t> forwards;  // stage, micro-batch: end
    for (std::size_t rank = 0; rank < timelines.size(); ++rank) {
      std::vector<Work> done, expected;
      for (const Timeline::Span& span : timelines[rank].spans()) {
        const std::string what = span.what;
        if (what == "send" || what == "receive") continue;
        done.emplace_back(what, span.stage, span.micro_batch);
        EXPECT_LT(span.from, span.to);
      }
      const auto& actions = schedule.actions[rank];
      for (std::size_t i = 0; i < actions.size(); ++i) {
        const bool paired = actions[i].with_next || (i > 0 && actions[i - 1].with_next);
        expected.emplace_back(paired ? "pair" : name_of(actions[i].kind), actions[i].stage,
                              actions[i].micro_batch);
      }
      EXPECT_EQ(done, expected) << "rank " << rank;
    }
    for (std::size_t rank = 0; rank < timelines.size(); ++rank) {
      std::size_t at = 0;
      for (const Timeline::Span& span : timelines[rank].spans()) {
        const std::string what = span.what;
        if (what == "send" || what == "receive") continue;
        const PipelineAction& action = schedule.actions[rank][at++];
        if (action.is_forward()) forwards[{action.stage, action.micro_batch}] = span.to;
      }
    }
    for (std::size_t rank = 0; rank < timelines.size(); ++rank) {
      std::size_t at = 0;
      for (const Timeline::Span& span : timelines[rank].spans()) {
        const std::string what = span.what;
        if (what == "send" || what == "receive") continue;
        const PipelineAction& action = schedule.actions[rank][at++];
        if (!action.is_forward() || action.stage == 0) continue;
        EXPECT_GE(span.from, (forwards[{action.stage - 1, action.micro_batch}]));
      }
    }
  }
}

TEST(TimedWaits, AMessageOfOtherWorkIsRefused) {
  const Schedule schedule = make_schedule({PipelineSchedule::OneForwardOneBackward, 2}, 2);
  std::vector<Program> programs = programs_of(schedule, Sends::DoNotWait);
  for (ProgramStep& step : programs[1]) {
    if (step.kind == ProgramStep::Kind::Receive) step.action.micro_batch ^= 1;
  }
  try {
    carried_out(programs, 1e-5);
    FAIL() << "nobody noticed";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("another one came"), std::string::npos)
        << error.what();
  }
}

Timeline written(const std::vector<Timeline::Span>& spans) {
  Timeline timeline;
  for (const Timeline::Span& span : spans) timeline.add(span);
  return timeline;
}

TEST(TimedWaits, IdleIsWhatNoWorkFills) {
  constexpr std::int64_t s = 1'000'000'000;
  const std::vector<Timeline> ranks{
      written({{.what = "forward", .from = 10 * s, .to = 12 * s},
               {.what = "send", .from = 12 * s, .to = 13 * s},
               {.what = "pair", .from = 14 * s, .to = 17 * s},
               {.what = "pair", .from = 14 * s, .to = 17 * s}}),
      written({{.what = "receive", .from = 10 * s, .to = 12 * s},
               {.what = "backward", .from = 12 * s, .to = 16 * s},
               {.what = "backward of the input", .from = 18 * s, .to = 20 * s}})};
  const MeasuredIdle idle = measure_idle(ranks);
  EXPECT_DOUBLE_EQ(idle.total_s, 10);
  ASSERT_EQ(idle.idle_s.size(), 2u);
  EXPECT_DOUBLE_EQ(idle.idle_s[0], 5);
  EXPECT_DOUBLE_EQ(idle.idle_s[1], 4);
  const auto lines = draw_work(ranks, 1);
  EXPECT_EQ(lines[0], "FF..XXX...");
  EXPECT_EQ(lines[1], "..BBBB..ii");
  EXPECT_THROW(measure_idle({Timeline()}), Error);
}

}  // namespace
}  // namespace tessera
