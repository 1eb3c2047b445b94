// SPDX-License-Identifier: MIT
#include "core/events/step_pace.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tessera {
namespace {

constexpr std::int64_t kTokens = 1000;

Event step(std::int64_t s, double time, std::int64_t tokens) {
  StepEvent event{.step = s, .tokens = tokens};
  event.tokens_per_second = 2 * kTokens;
  return {0, time, event};
}
Event step(std::int64_t s, double time) {
  return step(s, time, (s + 1) * kTokens);
}

TEST(StepPace, TimePassesAsItDidInTheLastSteps) {
  StepPace pace;
  EXPECT_TRUE(std::isnan(pace.seconds_left(100 * kTokens)));
  // One step says how long it took by itself.
  pace.take(step(0, 1000));
  EXPECT_DOUBLE_EQ(pace.seconds_left(100 * kTokens), 99 * 0.5);
  // Two say what lies between them too: here as long again.
  pace.take(step(1, 1001));
  EXPECT_DOUBLE_EQ(pace.seconds_left(100 * kTokens), 98.0);
  EXPECT_TRUE(std::isnan(pace.seconds_left(0)));
  EXPECT_DOUBLE_EQ(pace.seconds_left(kTokens), 0);  // it has more than that already
}

TEST(StepPace, OldStepsAreForgotten) {
  StepPace pace;
  std::int64_t s = 0;
  double time = 0;
  for (; s < 100; ++s) pace.take(step(s, time += 5));
  for (; s < 200; ++s) pace.take(step(s, time += 1));
  EXPECT_TRUE(pace.is_full());
  EXPECT_DOUBLE_EQ(pace.seconds_left(300 * kTokens), 100.0);
}

/// A later stage has longer sequences: its steps take longer, its tokens do not.
TEST(StepPace, TokensCountAndNotSteps) {
  StepPace pace;
  for (int s = 0; s < 10; ++s) pace.take(step(s, 2.0 * s));
  EXPECT_DOUBLE_EQ(pace.seconds_left(10 * kTokens + 4 * 4 * kTokens), 32.0);
}

TEST(StepPace, ValidationAndSavingArePartOfTheTime) {
  StepPace pace;
  double time = 0;
  for (int s = 0; s < 20; ++s) {
    pace.take(step(s, time += 1));
    if (s % 5 == 4) {
      pace.take({0, time, StateEvent{.state = RunState::Saving}});
      time += 5;
      pace.take({0, time, StateEvent{.state = RunState::Running}});
    }
  }
  // 19 steps of a second, and three of the four stops lie between them.
  EXPECT_DOUBLE_EQ(pace.seconds_left(39 * kTokens), 19 * (19 + 15) / 19.0);
}

TEST(StepPace, WhatIsNoTrainingDoesNotCount) {
  const auto left_after = [](const std::vector<Event>& between, double gap) {
    StepPace pace;
    for (int s = 0; s < 6; ++s) pace.take(step(s, 2.0 * s));
    for (const Event& event : between) pace.take(event);
    for (int s = 6; s < 12; ++s) pace.take(step(s, 2.0 * s + gap));
    return pace.seconds_left(112 * kTokens);
  };
  EXPECT_DOUBLE_EQ(left_after({}, 0), 200.0);
  // A pause of half a minute, and a night between a stop and a resume.
  const Event paused{0, 11, StateEvent{.state = RunState::Paused}};
  const Event running{0, 40, StateEvent{.state = RunState::Running}};
  EXPECT_DOUBLE_EQ(left_after({paused, running}, 30), 200.0);
  EXPECT_DOUBLE_EQ(left_after({{0, 30'000, ResumeEvent{.step = 5}}}, 30'000), 200.0);
  // The machine slept in the middle of a step: nothing tells of it but the time.
  EXPECT_DOUBLE_EQ(left_after({}, 30'000), 200.0);
}

TEST(StepPace, StepsThatWereUndoneAreNotCountedTwice) {
  StepPace pace;
  for (int s = 0; s < 10; ++s) pace.take(step(s, 2.0 * s));
  pace.take({0, 25, RollbackEvent{.from_step = 9, .to_step = 4}});
  for (int s = 5; s < 10; ++s) pace.take(step(s, 100 + 2.0 * s));
  EXPECT_DOUBLE_EQ(pace.seconds_left(20 * kTokens), 20.0);
}

TEST(StepPace, AClockThatWasSetBackSaysNothing) {
  StepPace pace;
  for (int s = 0; s < 6; ++s) pace.take(step(s, 1000 + 2.0 * s));
  for (int s = 6; s < 12; ++s) pace.take(step(s, 2.0 * s));
  EXPECT_DOUBLE_EQ(pace.seconds_left(22 * kTokens), 20.0);
}

}  // namespace
}  // namespace tessera
