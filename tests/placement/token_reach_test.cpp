// SPDX-License-Identifier: MIT
// Nodes that a token travels to, with free routing and with routing that is limited to few groups,
// by the router that models use.
#include "core/placement/token_reach.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <vector>

#include "core/base/error.h"
#include "core/base/random.h"
#include "kernels/router/router.h"

namespace tessera {
namespace {

constexpr std::int64_t kTokens = 100'000;

/// Nearly normal, and quick to make.
float logit_of(const std::array<std::uint32_t, 4>& words) {
  float sum = -2.f;
  for (const std::uint32_t word : words) sum += static_cast<float>(word) * 0x1p-32f;
  return 1.7320508f * sum;
}

/// What the router picks for tokens with random logits.
TokenReach routed(const ExpertOwners& of, int kept_groups) {
  constexpr std::int64_t kSlice = 4000;
  const kernels::RouterConfig config{.groups = kept_groups > 0 ? int(of.owners) : 1,
                                     .kept_groups = kept_groups > 0 ? kept_groups : 1,
                                     .top_k = int(of.top_k)};
  const std::size_t values = std::size_t(kSlice * of.experts),
                    chosen = std::size_t(kSlice * of.top_k);
  std::vector<float> logits(values), scores(values), weights(chosen),
      bias(std::size_t(of.experts), 0.f);
  std::vector<std::int32_t> picks(chosen), all;
  const Random random(7);
  std::uint64_t drawn = 0;
  Context context;
  for (std::int64_t done = 0; done < kTokens; done += kSlice) {
    for (float& l : logits) l = logit_of(random.words(drawn++));
    kernels::router_forward(context, Tensor(logits.data(), DType::F32, {kSlice, of.experts}),
                            Tensor(bias.data(), DType::F32, {of.experts}), config,
                            Tensor(scores.data(), DType::F32, {kSlice, of.experts}),
                            Tensor(picks.data(), DType::I32, {kSlice, of.top_k}),
                            Tensor(weights.data(), DType::F32, {kSlice, of.top_k}));
    all.insert(all.end(), picks.begin(), picks.end());
  }
  return count_reach(all, of);
}

struct Row {
  ExpertOwners of;
  int kept = 0;
  double free = 0, limited = 0;  ///< nodes a token, of 4,000 random tokens elsewhere
  double less_than_free = 0, less_than_copies = 0;
};

TEST(TokenReach, OfLimitedRoutingIsThatOfTheTable) {
  const Row rows[] = {
      {{256, 8, 8}, 4, 5.30, 3.97, 0.25, 0.50}, {{160, 8, 6}, 3, 4.48, 2.99, 0.33, 0.50},
      {{64, 8, 6}, 3, 4.54, 2.99, 0.34, 0.50},  {{64, 8, 6}, 4, 4.53, 3.86, 0.15, 0.36},
      {{64, 4, 8}, 2, 3.66, 2.00, 0.45, 0.75},  {{32, 4, 4}, 2, 2.82, 1.99, 0.29, 0.50}};
  for (const Row& row : rows) {
    const TokenReach free = routed(row.of, 0), limited = routed(row.of, row.kept);
    const double expected = expected_reach(row.of);
    EXPECT_NEAR(free.owners_per_token(), expected, 0.01);  // of 100,000 tokens: three sigma
    EXPECT_NEAR(expected, row.free, 0.01 * row.free);
    EXPECT_NEAR(limited.owners_per_token(), row.limited, 0.01 * row.limited);
    EXPECT_LE(limited.owners_per_token(), row.kept);
    const double less = limited.saved_against(expected);
    EXPECT_NEAR(less, row.less_than_free, 0.012);
    EXPECT_NEAR(limited.saved_against_copies(), row.less_than_copies, 0.012);
    std::printf(
        "%lld experts on %lld nodes, top-%lld of %d groups: %.3f nodes a token free, %.3f limited; "
        "%.1f %% less than once to each node, %.1f %% less than %lld copies\n",
        static_cast<long long>(row.of.experts), static_cast<long long>(row.of.owners),
        static_cast<long long>(row.of.top_k), row.kept, free.owners_per_token(),
        limited.owners_per_token(), 100 * less, 100 * limited.saved_against_copies(),
        static_cast<long long>(row.of.top_k));
  }
  const TokenReach v3 = routed({256, 8, 8}, 4);
  EXPECT_GE(v3.saved_against_copies(), 0.50);
  EXPECT_GE(v3.saved_against(expected_reach({256, 8, 8})), 0.24);
}

/// The closed form by trying every choice of a small case.
TEST(TokenReach, ClosedFormIsExact) {
  std::int64_t choices = 0, owners = 0;
  for (std::int32_t a = 0; a < 6; ++a) {
    for (std::int32_t b = a + 1; b < 6; ++b) {
      const std::int32_t picks[] = {a, b};
      owners += count_reach(picks, {6, 3, 2}).owners;
      ++choices;
    }
  }
  EXPECT_NEAR(expected_reach({6, 3, 2}), double(owners) / double(choices), 1e-12);
  EXPECT_DOUBLE_EQ(expected_reach({8, 2, 8}), 2);
  EXPECT_DOUBLE_EQ(expected_reach({8, 8, 3}), 3);
  EXPECT_NEAR(expected_reach({256, 8, 8}), 5.295, 0.0005);
}

TEST(TokenReach, CountsEachOwnerOnceAToken) {
  const std::int32_t picks[] = {0, 1, 7, 3, 4, 5};
  const TokenReach reach = count_reach(picks, {8, 4, 3});
  EXPECT_EQ(reach.tokens, 2);
  EXPECT_EQ(reach.owners, 4);  // {0, 3} and {1, 2}
  EXPECT_DOUBLE_EQ(reach.saved_against_copies(), 1.0 / 3);
  const std::int32_t wrong[] = {0, 9, 1};
  EXPECT_THROW(count_reach(wrong, {8, 4, 3}), Error);
  EXPECT_THROW(count_reach(picks, {8, 3, 3}), Error);
}

}  // namespace
}  // namespace tessera
