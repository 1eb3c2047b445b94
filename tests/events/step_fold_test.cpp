// SPDX-License-Identifier: MIT
#include "core/events/step_fold.h"

#include <gtest/gtest.h>

namespace tessera {
namespace {

using Stands = std::optional<std::int64_t>;

Event step(std::int64_t s) {
  return {.body = StepEvent{.step = s}};
}
Event experts(std::int64_t s) {
  return {.body = ExpertsEvent{.step = s}};
}
Event validation(std::int64_t s) {
  return {.body = ValidationEvent{.step = s}};
}

/// Takes all of them; the answer to the last.
Stands after(const std::vector<Event>& events) {
  StepFold fold;
  Stands stands;
  for (const Event& event : events) stands = fold.take(event);
  return stands;
}

TEST(StepFold, ALogWithoutAccidentsUndoesNothing) {
  StepFold fold;
  for (const Event& event : {validation(-1), step(0), experts(0), validation(0), step(1),
                             experts(1), step(4), validation(4), experts(5), step(5)}) {
    EXPECT_FALSE(fold.take(event));
  }
  EXPECT_FALSE(fold.take({.body = MessageEvent{}}));
}

TEST(StepFold, AResumeAndARollbackSayWhatStands) {
  EXPECT_EQ(after({step(0), step(1), step(2), {.body = ResumeEvent{.step = 0}}}), Stands(0));
  EXPECT_EQ(after({step(0), step(1), {.body = RollbackEvent{.from_step = 1, .to_step = 0}}}),
            Stands(0));
  EXPECT_EQ(after({step(0), {.body = ResumeEvent{.step = -1}}}), Stands(-1));
  // What follows goes on from there.
  EXPECT_EQ(after({step(0), step(9), {.body = ResumeEvent{.step = 0}}, step(1)}), Stands());
  EXPECT_EQ(after({experts(9), {.body = ResumeEvent{.step = 0}}, experts(1)}), Stands());
  EXPECT_EQ(after({validation(9), {.body = ResumeEvent{.step = 0}}, validation(1)}), Stands());
}

TEST(StepFold, WhereTheLogLostAResumeTheLaterTellingCounts) {
  EXPECT_EQ(after({step(0), step(1), step(2), step(1)}), Stands(0));
  EXPECT_EQ(after({step(0), step(1), step(1)}), Stands(0));
  EXPECT_EQ(after({step(5), experts(5), experts(5)}), Stands(4));
  EXPECT_EQ(after({step(5), experts(5), experts(3)}), Stands(2));
  EXPECT_EQ(after({step(5), experts(4)}), Stands(3));
  // A validation belongs to a step that was trained before it.
  EXPECT_EQ(after({step(5), validation(3)}), Stands(3));
  EXPECT_EQ(after({step(0), validation(-1)}), Stands(-1));
}

}  // namespace
}  // namespace tessera
