// SPDX-License-Identifier: MIT
// E5M6 against its definition: every BF16 number, with scales from one end to the other.
#include "kernels/e5m6/e5m6.h"

#include <bit>
#include <cmath>
#include <vector>

#include "kernels/e5m6/e5m6_code.h"
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
  expected[131] = 0xf7;  // of 3 below, of 67 above
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
