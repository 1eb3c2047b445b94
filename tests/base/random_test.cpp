// SPDX-License-Identifier: MIT
#include "core/base/random.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>
#include <vector>

#include "core/base/normals.h"

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

// NOTE: so many that some of them are of those that the vector code leaves to the library.
TEST(Random, ManyNormalsAtOnceAreTheSameToTheLastBit) {
  struct Range {
    std::uint64_t seed, stream, from;
    std::size_t count;
    double sigma;
  };
  for (const Range& r : {Range{1, stream_of("blocks.0.up"), 0, 3000001, 0.006},
                         Range{std::uint64_t{1} << 40 | 7, 2, 0xFFFFFFFFull - 300, 1001, 1.0},
                         Range{0, 0, std::uint64_t{1} << 50, 255, 1e-30},
                         Range{9, ~std::uint64_t{0}, 17, 1, 1e30}, Range{9, 1, 5, 300, 0}}) {
    std::vector<float> made(r.count + 1, -7.0f);
    fill_normals(r.seed, r.stream, r.sigma, r.from, std::span(made).first(r.count));
    const Random random(r.seed, r.stream);
    std::size_t different = 0;
    for (std::size_t i = 0; i < r.count; ++i) {
      const auto want = static_cast<float>(r.sigma * random.normal(r.from + i));
      different += std::bit_cast<std::uint32_t>(want) != std::bit_cast<std::uint32_t>(made[i]);
    }
    EXPECT_EQ(different, 0u) << "seed " << r.seed << ", from " << r.from;
    EXPECT_EQ(made.back(), -7.0f);
  }
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
