// SPDX-License-Identifier: MIT
#include "core/base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace tessera {
namespace {

using Words = std::array<std::uint32_t, 4>;

// Known answers of Philox4x32-10 as published with the authors' Random123 library.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, FollowsFromSeedStreamAndIndexAlone) {
  const Random a(5, 7), again(5, 7);
  EXPECT_EQ(a.bits(1234567890123), again.bits(1234567890123));
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed : {0, 1}) {
    for (std::uint64_t stream : {0, 1}) {
      for (std::uint64_t index : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32}) {
        seen.insert(Random(seed, stream).bits(index));
      }
    }
  }
  EXPECT_EQ(seen.size(), 12u);
}

TEST(Random, UniformIsInRangeWithTheRightMoments) {
  const Random random(1);
  double sum = 0, squares = 0;
  constexpr int kCount = 100000;
  for (int i = 0; i < kCount; ++i) {
    const double u = random.uniform(static_cast<std::uint64_t>(i));
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    squares += u * u;
  }
  EXPECT_NEAR(sum / kCount, 0.5, 0.005);
  EXPECT_NEAR(squares / kCount, 1.0 / 3, 0.005);
}

TEST(Random, NormalHasTheRightMoments) {
  const Random random(2);
  double sum = 0, squares = 0, fourth = 0;
  constexpr int kCount = 100000;
  for (int i = 0; i < kCount; ++i) {
    const double x = random.normal(static_cast<std::uint64_t>(i));
    ASSERT_TRUE(std::isfinite(x));
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.02);
  EXPECT_NEAR(squares / kCount, 1, 0.03);
  EXPECT_NEAR(fourth / kCount, 3, 0.2);
}

TEST(Random, BelowReachesEveryValueAndNoOther) {
  const Random random(3);
  std::array<int, 5> count{};
  for (std::uint64_t i = 0; i < 5000; ++i) ++count.at(random.below(i, 5));
  for (int n : count) EXPECT_NEAR(n, 1000, 150);
  EXPECT_EQ(random.below(9, 1), 0u);
}

TEST(Random, StreamsOfNamesDiffer) {
  EXPECT_EQ(stream_of(""), 0xcbf29ce484222325ull);  // the offset basis of FNV-1a
  EXPECT_EQ(stream_of("a"), 0xaf63dc4c8601ec8cull);
  EXPECT_NE(stream_of("weights"), stream_of("data"));
}

}  // namespace
}  // namespace tessera
