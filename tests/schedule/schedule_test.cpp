// SPDX-License-Identifier: MIT
#include "core/schedule/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>

#include "core/base/error.h"
#include "core/schedule/program.h"
#include "core/schedule/slots.h"

namespace tessera {
namespace {

using Kind = PipelineAction::Kind;

constexpr PipelineSchedule kSchedules[] = {
    PipelineSchedule::OneForwardOneBackward, PipelineSchedule::Interleaved,
    PipelineSchedule::ZeroBubble, PipelineSchedule::DualPipe, PipelineSchedule::DualPipeV};

std::string text_of(const PipelineShape& shape, std::int64_t micro_batches) {
  return fmt::format("{} of {} ranks with {} stages each, {} micro-batches",
                     name_of(shape.schedule), shape.ranks, shape.stages_per_rank, micro_batches);
}

/// Every shape of up to 16 ranks with every number of up to 64 micro-batches; `see` is told of
/// those that have a schedule.
template <class See>
int for_all_shapes(const See& see) {
  int refused = 0;
  for (const PipelineSchedule schedule : kSchedules) {
    const bool chunked = schedule == PipelineSchedule::Interleaved;
    for (const std::int64_t chunks : {2, 3, 4}) {
      if (!chunked && chunks > 2) continue;
      for (std::int64_t ranks = 1; ranks <= 16; ++ranks) {
        const PipelineShape shape{schedule, ranks, chunks};
        for (std::int64_t micro_batches = 1; micro_batches <= 64; ++micro_batches) {
          if (shape.refusal(micro_batches).empty()) {
            see(shape, micro_batches);
          } else {
            ++refused;
          }
        }
      }
    }
  }
  return refused;
}

/// The published idle time of a rank with these costs of a stage (README of DualPipe; of V stages a
/// rank, each stage costs the V-th part of a rank's work).
double published_idle(const PipelineShape& shape, const ActionCosts& c) {
  const auto ranks = static_cast<double>(shape.ranks);
  if (shape.ranks == 1) return 0;
  switch (shape.schedule) {
    case PipelineSchedule::OneForwardOneBackward:
    case PipelineSchedule::Interleaved:
      return (ranks - 1) * (c.forward + c.backward);
    case PipelineSchedule::ZeroBubble:
      return (ranks - 1) * (c.forward + c.backward - 2 * c.weight);
    case PipelineSchedule::DualPipe:
      return (ranks / 2 - 1) * (c.of_pair() + c.backward - 3 * c.weight);
    case PipelineSchedule::DualPipeV:
      break;
  }
  return (ranks - 1) * (c.of_pair() + c.backward - 3 * c.weight);
}

/// The published number of micro-batches that rank keeps at most, counted in stages.
std::int64_t published_in_flight(const PipelineShape& shape, std::int64_t rank) {
  if (shape.ranks == 1) return 1;
  switch (shape.schedule) {
    case PipelineSchedule::OneForwardOneBackward:
      return shape.ranks - rank;
    case PipelineSchedule::ZeroBubble:
      return shape.ranks;
    case PipelineSchedule::Interleaved:
      return shape.ranks * shape.stages_per_rank + shape.ranks - 1 - 2 * rank;
    case PipelineSchedule::DualPipe:
      return shape.ranks + 1;
    case PipelineSchedule::DualPipeV:
      break;
  }
  return 2 * shape.ranks + 1;
}

/// The formulas are of pipelines that fill up.
bool fills_up(const PipelineShape& shape, std::int64_t micro_batches) {
  return shape.schedule != PipelineSchedule::ZeroBubble || micro_batches >= shape.ranks;
}

TEST(Schedule, IdleTimeAndMemoryAreThePublishedOnes) {
  const int refused = for_all_shapes([](const PipelineShape& shape, std::int64_t micro_batches) {
    const ScheduleTiming timing = play(make_schedule(shape, micro_batches));
    for (std::int64_t rank = 0; rank < shape.ranks; ++rank) {
      const auto at = static_cast<std::size_t>(rank);
      if (fills_up(shape, micro_batches)) {
        ASSERT_EQ(timing.idle[at], published_idle(shape, {})) << text_of(shape, micro_batches);
      }
      ASSERT_LE(timing.in_flight[at], published_in_flight(shape, rank))
          << text_of(shape, micro_batches);
      const bool is_dual = shape.ranks > 1 && (shape.schedule == PipelineSchedule::DualPipe ||
                                               shape.schedule == PipelineSchedule::DualPipeV);
      if (is_dual) {
        ASSERT_EQ(timing.in_flight[at], published_in_flight(shape, rank));
      }
    }
  });
  EXPECT_GT(refused, 0);
}

TEST(Schedule, IdleTimeOfPublishedExamples) {
  const auto idle = [](PipelineSchedule schedule, std::int64_t ranks, std::int64_t micro_batches,
                       const ActionCosts& costs = {}) {
    const ScheduleTiming timing = play(make_schedule({schedule, ranks}, micro_batches), costs);
    return *std::max_element(timing.idle.begin(), timing.idle.end());
  };
  EXPECT_EQ(idle(PipelineSchedule::DualPipe, 8, 20), 6);
  EXPECT_EQ(idle(PipelineSchedule::DualPipe, 16, 120), 14);
  EXPECT_EQ(idle(PipelineSchedule::DualPipeV, 4, 10), 6);
  EXPECT_EQ(idle(PipelineSchedule::DualPipeV, 8, 60), 14);
  // Where forward, input and weights differ, the formula is an upper bound (7.8 and 18.2).
  const ActionCosts unlike{.forward = 1, .backward = 2, .weight = 0.8};
  EXPECT_NEAR(idle(PipelineSchedule::DualPipe, 8, 20, unlike), 7.2, 1e-9);
  EXPECT_NEAR(idle(PipelineSchedule::DualPipe, 16, 120, unlike), 17.2, 1e-9);
  EXPECT_NEAR(published_idle({PipelineSchedule::DualPipe, 8}, unlike), 7.8, 1e-9);
}

/// A pair that costs less than its two halves: ranks differ, and the formula is their maximum.
TEST(Schedule, OverlappedPairsTakeTheirOwnTime) {
  const ActionCosts costs{.forward = 1, .backward = 2, .weight = 1, .pair = 2.4};
  const PipelineShape shape{PipelineSchedule::DualPipe, 8};
  const ScheduleTiming timing = play(make_schedule(shape, 20), costs);
  const auto [least, most] = std::minmax_element(timing.idle.begin(), timing.idle.end());
  EXPECT_NEAR(*most, published_idle(shape, costs), 1e-9);
  EXPECT_LT(*least, *most);
}

/// Programs with sends that wait and with sends that do not: nobody waits for ever, every message
/// is taken for what it is, and of those that wait there are few.
TEST(Schedule, ProgramsOfAllShapesRunThrough) {
  for_all_shapes([](const PipelineShape& shape, std::int64_t micro_batches) {
    const Schedule schedule = make_schedule(shape, micro_batches);
    for (const Sends sends : {Sends::DoNotWait, Sends::Wait}) {
      const std::vector<Program> programs = programs_of(schedule, sends);
      std::vector<std::int32_t> most;
      ASSERT_NO_THROW(most = check_programs(schedule, programs, sends))
          << text_of(shape, micro_batches);
      const std::int32_t bound = sends == Sends::DoNotWait ? 3 : 2 * schedule.stages() + 1;
      EXPECT_LE(*std::max_element(most.begin(), most.end()), bound)
          << text_of(shape, micro_batches);
    }
  });
}

TEST(Schedule, ForwardsAloneRunThrough) {
  for (const PipelineSchedule schedule : kSchedules) {
    for (const std::int64_t ranks : {1, 2, 4, 6}) {
      for (const std::int64_t micro_batches : {1, 3, 4, 9, 17}) {
        const Schedule forwards = forward_only({schedule, ranks}, micro_batches);
        for (const Sends sends : {Sends::DoNotWait, Sends::Wait}) {
          EXPECT_NO_THROW(check_programs(forwards, programs_of(forwards, sends), sends));
        }
      }
    }
  }
}

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what_failed();
  }
  return "";
}

TEST(Schedule, WhatCannotBeIsRefusedWithBothNumbers) {
  const auto refusal = [](PipelineSchedule schedule, std::int64_t ranks, std::int64_t micro_batches,
                          std::int64_t chunks = 2) {
    return error_of([&] { make_schedule({schedule, ranks, chunks}, micro_batches); });
  };
  EXPECT_EQ(refusal(PipelineSchedule::Interleaved, 4, 6),
            "6 micro-batches on 4 ranks: interleaved needs a multiple of 4");
  EXPECT_EQ(refusal(PipelineSchedule::Interleaved, 4, 8, 1),
            "1 stage a rank: interleaved needs 2 or more");
  EXPECT_EQ(refusal(PipelineSchedule::DualPipe, 3, 12),
            "3 ranks: dualpipe needs a multiple of 2, as two ranks hold each stage");
  EXPECT_EQ(refusal(PipelineSchedule::DualPipe, 4, 6),
            "6 micro-batches on 4 ranks: dualpipe needs 8 or more");
  EXPECT_EQ(refusal(PipelineSchedule::DualPipe, 4, 9),
            "9 micro-batches on 4 ranks: dualpipe needs a multiple of 2");
  EXPECT_EQ(refusal(PipelineSchedule::DualPipeV, 3, 5),
            "5 micro-batches on 3 ranks: dualpipev needs 6 or more");
  EXPECT_EQ(refusal(PipelineSchedule::ZeroBubble, 4, 0),
            "0 micro-batches on 4 ranks: zb1p needs 1 or more");
  EXPECT_EQ(refusal(PipelineSchedule::DualPipeV, 3, 7), "");
  EXPECT_EQ(PipelineShape({PipelineSchedule::DualPipe, 4}).allowed(13), 12);
  EXPECT_EQ(PipelineShape({PipelineSchedule::DualPipe, 4}).allowed(3), 8);
}

std::string error_of(const Schedule& schedule) {
  return error_of([&] { play(schedule); });
}

TEST(Schedule, WhatIsNotSoundIsNamed) {
  const Schedule good = make_schedule({.ranks = 2}, 3);
  EXPECT_EQ(error_of(good), "");

  Schedule missing = good;
  missing.actions[1].pop_back();
  EXPECT_EQ(error_of(missing),
            "rank 0: backward of micro-batch 2 in stage 0 waits for what never comes");

  Schedule twice = good;
  twice.actions[0].push_back(twice.actions[0].front());
  EXPECT_EQ(error_of(twice), "rank 0: forward of micro-batch 0 in stage 0 is there twice");

  Schedule early = good;
  std::swap(early.actions[1][0], early.actions[1][1]);
  EXPECT_EQ(error_of(early),
            "rank 0: backward of micro-batch 0 in stage 0 waits for what never comes");

  Schedule half = make_schedule({PipelineSchedule::ZeroBubble, 2}, 3);
  half.actions[1].pop_back();
  EXPECT_EQ(error_of(half), "micro-batch 2 is not carried through in stage 1");

  Schedule elsewhere = good;
  elsewhere.actions[0].push_back({Kind::Forward, 1, 0});
  EXPECT_EQ(error_of(elsewhere), "rank 0: forward of micro-batch 0 in stage 1 is for rank 1");

  Schedule beyond = good;
  beyond.actions[0][0].micro_batch = 7;
  EXPECT_NE(error_of(beyond).find("there are 3 micro-batches"), std::string::npos);

  Schedule lone = make_schedule({PipelineSchedule::DualPipeV, 2}, 4);
  const auto pair = std::find_if(lone.actions[0].begin(), lone.actions[0].end(),
                                 [](const PipelineAction& a) { return a.with_next; });
  ASSERT_NE(pair, lone.actions[0].end());
  (pair + 1)->kind = Kind::Forward;
  EXPECT_NE(error_of(lone).find("is in a pair with no backward"), std::string::npos);
}

TEST(Schedule, ProgramsThatDoNotFitAreNamed) {
  const Schedule schedule = make_schedule({.ranks = 2}, 3);
  const auto error_of_programs = [&](const std::vector<Program>& programs, Sends sends) {
    return error_of([&] { check_programs(schedule, programs, sends); });
  };
  const std::vector<Program> good = programs_of(schedule, Sends::DoNotWait);
  EXPECT_EQ(error_of_programs(good, Sends::DoNotWait), "");
  // Late receives are right where a send goes on, and a trap where it waits.
  EXPECT_EQ(error_of_programs(good, Sends::Wait),
            "rank 0: sending the output of forward of micro-batch 1 in stage 0 waits for what "
            "never comes");

  std::vector<Program> swapped = good;
  std::vector<std::size_t> receives;
  for (std::size_t i = 0; i < swapped[1].size(); ++i) {
    if (swapped[1][i].kind == ProgramStep::Kind::Receive) receives.push_back(i);
  }
  std::swap(swapped[1][receives[0]], swapped[1][receives[1]]);
  EXPECT_EQ(error_of_programs(swapped, Sends::DoNotWait),
            "rank 1: receiving the output of forward of micro-batch 1 in stage 0, but rank 0 sends "
            "that of the forward of micro-batch 0 in stage 0");

  std::vector<Program> hasty = good;
  std::swap(hasty[1][0], hasty[1][1]);
  EXPECT_EQ(error_of_programs(hasty, Sends::DoNotWait),
            "rank 1: forward of micro-batch 0 in stage 1 has no input yet");

  std::vector<Program> silent = good;
  std::erase_if(silent[0], [](const ProgramStep& s) { return s.kind == ProgramStep::Kind::Send; });
  EXPECT_EQ(error_of_programs(silent, Sends::DoNotWait),
            "rank 0: receiving the output of backward of micro-batch 0 in stage 1 waits for what "
            "never comes");
}

/// Slots of equal stages are as many as micro-batches in flight; a larger stage makes few of them
/// larger.
TEST(Schedule, SlotsAreAsManyAsMicroBatchesInFlight) {
  for (const PipelineSchedule kind : kSchedules) {
    for (const std::int64_t ranks : {1, 2, 4, 8}) {
      const PipelineShape shape{kind, ranks, 3};
      const std::int64_t few = shape.allowed(4 * ranks);
      const Schedule schedule = make_schedule(shape, few), longer = make_schedule(shape, 2 * few);
      const ScheduleTiming timing = play(schedule);
      const auto equal = [](std::int32_t) { return std::size_t{10}; };
      const auto with_head = [&](std::int32_t stage) {
        return std::size_t{stage + 1 == schedule.stages() ? 50u : 10u};
      };
      for (std::size_t rank = 0; rank < timing.in_flight.size(); ++rank) {
        const auto in_flight = static_cast<std::size_t>(timing.in_flight[rank]);
        const SlotPool pool(schedule.actions[rank], equal);
        EXPECT_EQ(pool.count(), in_flight) << text_of(shape, few);
        EXPECT_EQ(pool.total_bytes(), 10 * in_flight);
        const std::size_t headed = SlotPool(schedule.actions[rank], with_head).total_bytes();
        EXPECT_LE(headed, 50 * in_flight);
        EXPECT_EQ(SlotPool(longer.actions[rank], with_head).total_bytes(), headed)
            << text_of(shape, few);
      }
    }
  }
}

TEST(Schedule, SlotsAreEnoughAndASmallStageTakesNoLargeOne) {
  const Schedule schedule = make_schedule({PipelineSchedule::DualPipe, 8}, 20);
  const auto bytes = [](std::int32_t stage) { return std::size_t{stage == 7 ? 90u : 20u}; };
  SlotPool pool(schedule.actions[0], bytes);
  EXPECT_EQ(pool.total_bytes(), 8u * 20 + 90);
  const std::size_t before = pool.count();
  std::map<std::pair<int, int>, std::size_t> taken;
  for (const PipelineAction& a : schedule.actions[0]) {
    const std::pair place{a.stage, a.micro_batch};
    if (a.is_forward()) {
      taken[place] = pool.take(a.stage);
      EXPECT_EQ(pool.bytes(taken.at(place)), bytes(a.stage));
    }
    if (a.kind == Kind::Backward || a.kind == Kind::WeightBackward) pool.release(taken.at(place));
  }
  EXPECT_EQ(pool.count(), before);
  pool.take(0);
  EXPECT_EQ(pool.count(), before);  // all are free again
}

TEST(Schedule, OneRankTakesMicroBatchesInTurn) {
  const Schedule schedule = one_rank(2);
  const std::vector<PipelineAction> wanted = {
      {Kind::Forward, 0, 0}, {Kind::Backward, 0, 0}, {Kind::Forward, 0, 1}, {Kind::Backward, 0, 1}};
  ASSERT_EQ(schedule.ranks(), 1);
  EXPECT_EQ(schedule.actions[0], wanted);
  EXPECT_EQ(play(schedule).in_flight, std::vector<std::int32_t>{1});
}

TEST(Schedule, ShapesSayWhichRankHoldsWhichStages) {
  using Held = std::vector<std::int64_t>;
  const PipelineShape dual{PipelineSchedule::DualPipe, 4};
  EXPECT_EQ(dual.held_by(1), (Held{1, 2}));
  EXPECT_EQ(dual.held_by(2), (Held{1, 2}));
  EXPECT_EQ(dual.first_holder(2), 1);
  const PipelineShape v{PipelineSchedule::DualPipeV, 4};
  EXPECT_EQ(v.held_by(1), (Held{1, 6}));
  EXPECT_EQ(v.stages(), 8);
  const PipelineShape chunks{PipelineSchedule::Interleaved, 2, 3};
  EXPECT_EQ(chunks.held_by(1), (Held{1, 3, 5}));
  EXPECT_FALSE(chunks.ends_meet());
  EXPECT_TRUE(v.ends_meet());
}

}  // namespace
}  // namespace tessera
