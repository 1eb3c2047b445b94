// SPDX-License-Identifier: MIT
#include "kernels/permute/permute.h"

#include <algorithm>
#include <numeric>

#include "tests/kernels/kernel_fixture.h"

namespace tessera::kernels {
namespace {

using Integers = std::vector<std::int32_t>;

/// A plan and the memory behind it.
struct Planned {
  Planned(Integers picks, std::int64_t tokens, std::int64_t top_k, std::int64_t experts)
      : counts(static_cast<std::size_t>(experts), -7),
        offsets(static_cast<std::size_t>(experts + 1), -7),
        row_of_slot(picks.size(), -7),
        slot_of_row(static_cast<std::size_t>(max_permuted_rows(tokens, top_k, experts)), -7),
        plan{view(counts), view(offsets), view(row_of_slot, {tokens, top_k}), view(slot_of_row)} {
    permute_plan(context, view(picks, {tokens, top_k}), plan);
  }
  Planned(const Planned&) = delete;
  std::int64_t rows() const { return static_cast<std::int64_t>(slot_of_row.size()); }

  Context context;
  std::vector<std::int64_t> counts;
  Integers offsets, row_of_slot, slot_of_row;
  Permutation plan;
};

TEST(Permute, PlanOfASmallExampleWithAnEmptyExpert) {
  const Planned p({2, 0, 2, 3, 0, 2}, 3, 2, 4);
  EXPECT_EQ(p.counts, (std::vector<std::int64_t>{2, 0, 3, 1}));
  EXPECT_EQ(p.offsets, (Integers{0, 16, 16, 32, 48}));
  EXPECT_EQ(p.row_of_slot, (Integers{16, 0, 17, 32, 1, 18}));
  Integers wanted(static_cast<std::size_t>(max_permuted_rows(3, 2, 4)), -1);
  wanted[0] = 1;
  wanted[1] = 4;
  wanted[16] = 0;
  wanted[17] = 2;
  wanted[18] = 5;
  wanted[32] = 3;
  EXPECT_EQ(p.slot_of_row, wanted);
}

/// Every slot is counted once, in a row of its own, whatever the experts.
TEST(Permute, CountsSumToTokensTimesPicks) {
  for (const std::int64_t experts : {1, 3, 64, 257}) {
    for (const std::int64_t tokens : {0, 1, 33, 5000}) {
      for (const std::int64_t top_k : {1, 3, 8}) {
        Integers picks;
        for (std::int64_t slot = 0; slot < tokens * top_k; ++slot) {
          picks.push_back(static_cast<std::int32_t>(slot * slot % 1009 % experts));
        }
        const Planned p(picks, tokens, top_k, experts);
        EXPECT_EQ(std::accumulate(p.counts.begin(), p.counts.end(), std::int64_t{0}),
                  tokens * top_k);
        std::vector<std::int64_t> counted(static_cast<std::size_t>(experts), 0);
        for (const std::int32_t pick : picks) ++counted[static_cast<std::size_t>(pick)];
        EXPECT_EQ(p.counts, counted);
        EXPECT_EQ(std::count_if(p.slot_of_row.begin(), p.slot_of_row.end(),
                                [](std::int32_t slot) { return slot >= 0; }),
                  tokens * top_k);
      }
    }
  }
}

TEST(Permute, NoTokensAtAll) {
  const Planned p({}, 0, 2, 3);
  EXPECT_EQ(p.counts, (std::vector<std::int64_t>{0, 0, 0}));
  EXPECT_EQ(p.offsets, (Integers{0, 0, 0, 0}));
  EXPECT_EQ(p.rows(), 0);
}

TEST(Permute, MostRowsIsEnoughInTheWorstCase) {
  // One slot for each of 5 experts wastes 15 rows each; 17 slots on one expert waste 15.
  EXPECT_EQ(max_permuted_rows(5, 1, 5), 80);
  EXPECT_EQ(max_permuted_rows(17, 1, 1), 32);
  EXPECT_EQ(max_permuted_rows(16, 1, 1), 16 + 0);
  EXPECT_EQ(max_permuted_rows(0, 8, 256), 0);
  EXPECT_GE(max_permuted_rows(2, 1, 256), 32);
}

TEST(Permute, APickThatIsNoExpertIsAnError) {
  expect_error([] { Planned({0, 3}, 2, 1, 3); }, "expert 3 of 3");
  expect_error([] { Planned({-1, 0}, 2, 1, 3); }, "expert -1 of 3");
}

TEST(Permute, ThereAndBackIsTopKTimes) {
  Planned p({2, 0, 2, 3, 0, 2}, 3, 2, 4);
  std::vector<float> x{1, 2, 3, 4, 5, 6}, y(static_cast<std::size_t>(p.rows() * 2), 9.f);
  std::vector<float> out(6, 100.f);
  permute_forward(p.context, view(x, {3, 2}), p.plan, view(y, {p.rows(), 2}));
  EXPECT_EQ(y[2 * 2], 0.f);       // padding of expert 0
  EXPECT_EQ(y[2 * 17 + 1], 4.f);  // expert 2's second row is token 1
  EXPECT_EQ(y[2 * 48], 9.f);      // past the rows used
  combine(p.context, view(y, {p.rows(), 2}), p.plan, view(out, {3, 2}));
  expect_near(out, {102, 104, 106, 108, 110, 112}, 0);
}

/// A token whose other expert is elsewhere has one row here.
TEST(Permute, AnAbsentPickHasNoRowAndAddsNothing) {
  Planned p({2, kNoPick, 2, 3, kNoPick, kNoPick}, 3, 2, 4);
  EXPECT_EQ(p.counts, (std::vector<std::int64_t>{0, 0, 2, 1}));
  EXPECT_EQ(p.row_of_slot, (Integers{0, -1, 1, 16, -1, -1}));
  EXPECT_EQ(std::count_if(p.slot_of_row.begin(), p.slot_of_row.end(),
                          [](std::int32_t slot) { return slot >= 0; }),
            3);
  std::vector<float> x{1, 2, 3}, y(static_cast<std::size_t>(p.rows()), 9.f), out(3, 100.f);
  permute_forward(p.context, view(x, {3, 1}), p.plan, view(y, {p.rows(), 1}));
  combine(p.context, view(y, {p.rows(), 1}), p.plan, view(out, {3, 1}));
  expect_near(out, {101, 104, 100}, 0);
  std::vector<float> d_weights(6, 9.f);
  permute_weights_backward(p.context, view(y), p.plan, view(d_weights, {3, 2}));
  expect_near(d_weights, {1, 0, 2, 2, 0, 0}, 0);
}

TEST(Permute, PlanDoesNotDependOnChunks) {
  // Enough slots for several chunks, against a plan made slot by slot.
  constexpr std::int64_t kTokens = 40000, kExperts = 7;
  Integers picks(kTokens);
  for (std::size_t t = 0; t < picks.size(); ++t) {
    picks[t] = static_cast<std::int32_t>(t * t % 11 % kExperts);
  }
  const Planned p(picks, kTokens, 1, kExperts);
  std::vector<std::int64_t> next(p.offsets.begin(), p.offsets.end() - 1);
  for (std::size_t t = 0; t < picks.size(); ++t) {
    ASSERT_EQ(p.row_of_slot[t], next[static_cast<std::size_t>(picks[t])]++);
  }
  EXPECT_EQ(std::accumulate(p.counts.begin(), p.counts.end(), std::int64_t{0}), kTokens);
}

}  // namespace
}  // namespace tessera::kernels
