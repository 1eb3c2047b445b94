// SPDX-License-Identifier: MIT
#include "core/schedule/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/error.h"

namespace tessera {
namespace {

using Kind = PipelineAction::Kind;

/// The published idle time of a rank (DualPipe's README), with these costs of a stage.
double bubble_of_1f1b(int ranks, const ActionCosts& c) {
  return (ranks - 1) * (c.forward + c.backward);
}
double bubble_of_zb1p(int ranks, const ActionCosts& c) {
  return (ranks - 1) * (c.forward + c.backward - 2 * c.weight);
}

TEST(Schedule, IdleTimeIsThePublishedOne) {
  for (int ranks = 1; ranks <= 16; ++ranks) {
    for (int micro = ranks; micro <= 64; micro += 1 + micro / 7) {
      const ScheduleTiming plain = play(one_forward_one_backward(ranks, micro));
      const ScheduleTiming bubble = play(zero_bubble(ranks, micro));
      for (int rank = 0; rank < ranks; ++rank) {
        const auto at = static_cast<std::size_t>(rank);
        EXPECT_EQ(plain.idle[at], bubble_of_1f1b(ranks, {})) << ranks << " " << micro;
        EXPECT_EQ(bubble.idle[at], bubble_of_zb1p(ranks, {})) << ranks << " " << micro;
        EXPECT_EQ(plain.in_flight[at], std::min(ranks - rank, micro));
        EXPECT_LE(bubble.in_flight[at], ranks);
      }
      EXPECT_EQ(plain.total, 3.0 * micro + bubble_of_1f1b(ranks, {}));
    }
  }
}

TEST(Schedule, FewMicroBatchesAreSoundToo) {
  for (int ranks = 1; ranks <= 16; ++ranks) {
    for (int micro = 1; micro < ranks; ++micro) {
      EXPECT_NO_THROW(play(one_forward_one_backward(ranks, micro))) << ranks << " " << micro;
      EXPECT_NO_THROW(play(zero_bubble(ranks, micro))) << ranks << " " << micro;
    }
  }
}

std::string error_of(const Schedule& schedule) {
  try {
    play(schedule);
  } catch (const Error& error) {
    return error.what_failed();
  }
  return "";
}

TEST(Schedule, WhatIsNotSoundIsNamed) {
  const Schedule good = one_forward_one_backward(2, 3);
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

  Schedule half = zero_bubble(2, 3);
  half.actions[1].pop_back();
  EXPECT_EQ(error_of(half), "micro-batch 2 is not carried through in stage 1");

  Schedule shared = good;
  shared.actions[0].push_back({Kind::Forward, 1, 0});
  EXPECT_EQ(error_of(shared), "ranks 0 and 1 both hold stage 1");

  Schedule beyond = good;
  beyond.actions[0][0].micro_batch = 7;
  EXPECT_NE(error_of(beyond).find("there are 3 micro-batches"), std::string::npos);
}

TEST(Schedule, OneRankTakesMicroBatchesInTurn) {
  const Schedule schedule = one_rank(2);
  const std::vector<PipelineAction> wanted = {
      {Kind::Forward, 0, 0}, {Kind::Backward, 0, 0}, {Kind::Forward, 0, 1}, {Kind::Backward, 0, 1}};
  ASSERT_EQ(schedule.ranks(), 1);
  EXPECT_EQ(schedule.actions[0], wanted);
  EXPECT_EQ(play(schedule).in_flight, std::vector<std::int32_t>{1});
}

}  // namespace
}  // namespace tessera
