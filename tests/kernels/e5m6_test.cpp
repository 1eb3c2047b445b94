// SPDX-License-Identifier: MIT
// E5M6 against its definition: every BF16 number, with scales from one end to the other.
#include "kernels/e5m6/e5m6.h"

#include <bit>
#include <cmath>
#include <vector>

#include "kernels/e5m6/e5m6_pairs.h"
#include "tests/kernels/kernel_fixture.h"

namespace tessera::kernels {
namespace {

double number_of(std::uint32_t bf16_bits) {
  return std::bit_cast<float>(bf16_bits << 16);
}

/// What a finite code without sign stands for, as the header of the folder says.
double meaning_of(std::uint32_t code, std::uint32_t scale) {
  const int exponent = static_cast<int>(code >> 6), fraction = static_cast<int>(code & 63);
  const double value =
      exponent == 0 ? std::ldexp(fraction, -20) : std::ldexp(64 + fraction, exponent - 15 - 6);
  return std::ldexp(value, static_cast<int>(scale) - 127);
}

/// The nearest code up to `most`, of two the even one.
std::uint32_t nearest(double x, std::uint32_t scale, std::uint32_t most) {
  std::uint32_t low = 0;
  for (std::uint32_t step = 1024; step > 0; step /= 2) {
    if (low + step <= most && meaning_of(low + step, scale) <= x) low += step;
  }
  if (low == most) return low;
  const double below = x - meaning_of(low, scale), above = meaning_of(low + 1, scale) - x;
  if (below != above) return below < above ? low : low + 1;
  return low % 2 == 0 ? low : low + 1;
}

class E5m6OfScale : public testing::TestWithParam<std::uint32_t> {};

TEST_P(E5m6OfScale, EveryNumberGoesToTheNearestAndBackExactly) {
  const std::uint32_t scale = GetParam(), most = e5m6::largest_code(scale);
  const std::uint32_t end = std::min<std::uint32_t>(0x7f80, (scale + 15) << 7);  // the tile's range
  for (std::uint32_t bits = 0; bits < end; ++bits) {
    const std::uint32_t code = e5m6::encode(bits, scale, most);
    ASSERT_EQ(code, nearest(number_of(bits), scale, most)) << bits;
    const std::uint32_t back = e5m6::decode(code, scale);
    ASSERT_EQ(number_of(back), meaning_of(code, scale)) << bits;
    ASSERT_LT(back, 0x7f80u) << bits;
    ASSERT_EQ(e5m6::encode(bits | 0x8000u, scale, most), code | 0x800u);
    ASSERT_EQ(e5m6::decode(code | 0x800u, scale), back | 0x8000u);
  }
}

TEST_P(E5m6OfScale, WhatIsNotANumberStaysThat) {
  const std::uint32_t scale = GetParam(), most = e5m6::largest_code(scale);
  const auto there_and_back = [&](std::uint32_t bits) {
    return e5m6::decode(e5m6::encode(bits, scale, most), scale);
  };
  EXPECT_EQ(there_and_back(0x7f80), 0x7f80u);
  EXPECT_EQ(there_and_back(0xff80), 0xff80u);
  for (const std::uint32_t nan : {0x7f81u, 0x7fc0u, 0x7fffu, 0xff81u, 0xffffu}) {
    EXPECT_EQ(there_and_back(nan), 0x7fc0u);
  }
}

// What the GPU does between the integer steps of e5m6_pairs.h, in one half of a word.

/// The sum of two BF16 numbers without sign, rounded to nearest even, up to infinity.
/// NOTE: where it is inexact in double it lies far from any tie.
std::uint32_t bf16_sum(std::uint32_t a, std::uint32_t b) {
  const double sum = number_of(a) + number_of(b);
  const int exponent = std::max(std::ilogb(sum), -126);
  const double steps = std::nearbyint(std::ldexp(sum, 7 - exponent));
  return (static_cast<std::uint32_t>(exponent + 126) << 7) + static_cast<std::uint32_t>(steps);
}

double number_of_half(std::uint32_t bits) {
  const int exponent = static_cast<int>(bits >> 10 & 31), fraction = static_cast<int>(bits & 1023);
  const double magnitude = exponent == 0    ? std::ldexp(fraction, -24)
                           : exponent == 31 ? (fraction ? kNan : kInfinity)
                                            : std::ldexp(1024 + fraction, exponent - 25);
  return bits & 0x8000u ? -magnitude : magnitude;
}

/// Two codes as a GPU makes them.
std::uint32_t encode_pair(std::uint32_t pair, std::uint32_t scale) {
  const std::uint32_t least = e5m6::least_steps(scale);
  std::uint32_t steps = 0, sums = 0;
  for (int shift = 0; shift < 32; shift += 16) {
    const auto half = [=](std::uint32_t word) { return word >> shift & 0xffffu; };
    const std::uint32_t step =
        std::max(half(pair & e5m6::kExponents) + half(e5m6::kOneExponent), half(least));
    steps |= step << shift;
    sums |= bf16_sum(half(pair & e5m6::kMagnitudes), step) << shift;
  }
  return e5m6::codes_of(pair, sums, steps, least);
}

std::uint32_t decode_pair(std::uint32_t words, std::uint32_t scale) {
  const std::uint32_t halves = e5m6::halves_of(words);
  const auto factor = std::bit_cast<float>(e5m6::factor_of(scale));
  std::uint32_t bits = 0;
  for (int shift = 0; shift < 32; shift += 16) {
    const double value = number_of_half(halves >> shift & 0xffffu);
    std::uint32_t number = 0x7fff;  // a GPU's NaN
    if (!std::isnan(value)) {
      number = std::bit_cast<std::uint32_t>(static_cast<float>(value) * factor) >> 16;
    }
    const auto as_signed = [](std::uint32_t x) { return static_cast<std::int16_t>(x); };
    const std::uint32_t largest = e5m6::kLargestBits & 0xffffu;
    bits |= (as_signed(number) < as_signed(largest) ? number : largest) << shift;
  }
  return bits;
}

TEST_P(E5m6OfScale, PairsAreAsSingleValues) {
  const std::uint32_t scale = GetParam(), most = e5m6::largest_code(scale);
  const std::uint32_t end = std::min(e5m6::kLeastSpecial, (scale + 15) << 7);
  for (std::uint32_t bits = 0; bits < end && scale < 240; ++bits) {
    const std::uint32_t other = (end - 1 - bits) | 0x8000u;
    const std::uint32_t codes = encode_pair(bits | other << 16, scale);
    ASSERT_EQ(codes & 0xffffu, e5m6::encode(bits, scale, most)) << bits;
    ASSERT_EQ(codes >> 16, e5m6::encode(other, scale, most)) << other;
  }
  for (std::uint32_t code = 0; code < 0x1000; ++code) {
    const std::uint32_t magnitude = code & 0x7ffu;
    if (magnitude > most && magnitude != e5m6::kInfinity && code != e5m6::kNan) continue;
    const std::uint32_t other = code == e5m6::kNan ? 0 : code ^ 0x800u;
    // The four bits above a code are those of another.
    const std::uint32_t pair = decode_pair((code | 0xa000u) | (other | 0x5000u) << 16, scale);
    ASSERT_EQ(pair & 0xffffu, e5m6::decode(code, scale)) << code;
    ASSERT_EQ(pair >> 16, e5m6::decode(other, scale)) << other;
  }
}

INSTANTIATE_TEST_SUITE_P(Scales, E5m6OfScale,
                         testing::Values(16, 17, 19, 20, 21, 30, 113, 127, 200, 239, 240));

TEST(E5m6, TheLargestOfATileLiesUnderTwoTo15) {
  for (std::uint32_t bits = 0; bits < 0x7f80; ++bits) {
    const std::uint32_t scale = e5m6::scale_of(bits);
    const double scaled = std::ldexp(number_of(bits), 127 - static_cast<int>(scale));
    ASSERT_LT(scaled, 0x1p15) << bits;
    if (number_of(bits) >= 0x1p-97) {
      ASSERT_GE(scaled, 0x1p14) << bits;
    }
    ASSERT_TRUE(scale >= 16 && scale <= 240) << bits;
  }
}

TEST(E5m6, PairsTakeTilesWithoutSpecialValues) {
  for (std::uint32_t largest = 0; largest < e5m6::kLeastSpecial; ++largest) {
    const std::uint32_t scale = e5m6::scale_of(largest);
    ASSERT_LT(scale, 240u);
    ASSERT_LT(largest, (scale + 15) << 7);
  }
  EXPECT_EQ(e5m6::scale_of(e5m6::kLeastSpecial), 240u);
}

/// What sixteen threads write is the tile's bytes, each once.
TEST(E5m6, ThreadsShareTheUpperBytes) {
  const auto code_of = [](int value) {
    return static_cast<std::uint32_t>(value * 29 + 5) & 0xfffu;
  };
  const auto uppers_of = [&](int thread) {
    std::uint32_t four[2] = {};
    for (int i = 0; i < 8; ++i) four[i / 4] |= code_of(8 * thread + i) >> 8 << (8 * (i % 4));
    return e5m6::Uppers{four[0], four[1]};
  };
  std::vector<int> expected(192), got(192, -1);
  for (int value = 0; value < 128; ++value) {
    expected[static_cast<std::size_t>(value)] = static_cast<int>(code_of(value) & 0xffu);
    expected[static_cast<std::size_t>(128 + value % 64)] |=
        static_cast<int>(code_of(value) >> 8 << (value < 64 ? 0 : 4));
  }
  const auto put = [&](int at, std::uint32_t byte) {
    EXPECT_EQ(got[static_cast<std::size_t>(at)], -1) << at;
    got[static_cast<std::size_t>(at)] = static_cast<int>(byte & 0xffu);
  };
  for (int thread = 0; thread < 16; ++thread) {
    const int other = thread ^ 8;
    const std::uint32_t four = uppers_of(thread).bytes(thread, uppers_of(other).sent(other));
    for (int i = 0; i < 4; ++i) put(e5m6::upper_at(thread) + i, four >> (8 * i));
    for (int i = 0; i < 8; ++i) put(e5m6::lower_at(thread) + i, code_of(8 * thread + i));
    EXPECT_EQ(e5m6::uppers_at(thread), 128 + 8 * (thread % 8));
  }
  EXPECT_EQ(got, expected);
}

TEST(E5m6, BytesLieAsTheyAreDescribed) {
  std::vector<float> x(128, 0.f);
  x[3] = 1.f;
  x[67] = -1.5f;
  x[66] = 0.25f;
  std::vector<std::uint8_t> values(192, 0xa5), scales(1);
  const PackedE5m6 packed{Tensor(values.data(), DType::U8, {1, 1, 192}),
                          Tensor(scales.data(), DType::U8, {1, 1})};
  Context context;
  pack_e5m6(context, Tensor(x.data(), DType::F32, {1, 128}), packed);
  EXPECT_EQ(scales[0], 113);  // 1.5 stands as 1.5 x 2^14: exponent field 29
  std::vector<std::uint8_t> expected(192, 0);
  expected[3] = 0x40;    // 29 << 6 = 0x740
  expected[67] = 0x60;   // 0xf60
  expected[66] = 0xc0;   // 27 << 6 = 0x6c0
  expected[131] = 0xf7;  // value 3 in the lower half, value 67 in the upper
  expected[130] = 0x60;
  EXPECT_EQ(values, expected);
}

TEST(E5m6, OddWidthsAreRefused) {
  std::vector<float> x(12, 1.f);
  std::vector<std::uint8_t> values(192), scales(1);
  const PackedE5m6 packed{Tensor(values.data(), DType::U8, {1, 1, 192}),
                          Tensor(scales.data(), DType::U8, {1, 1})};
  Context context;
  EXPECT_THROW(pack_e5m6(context, Tensor(x.data(), DType::F32, {1, 12}), packed), Error);
  EXPECT_THROW(unpack_e5m6(context, packed, Tensor(x.data(), DType::F32, {1, 12})), Error);
}

}  // namespace
}  // namespace tessera::kernels
