// SPDX-License-Identifier: MIT
#include "core/base/dtype.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/base/error.h"

namespace tessera {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::uint16_t bf16_bits(std::uint32_t float_bits) {
  return bf16(std::bit_cast<float>(float_bits)).bits;
}
float value_of(unsigned code) {
  f8e4m3 x;
  x.bits = static_cast<std::uint8_t>(code);
  return static_cast<float>(x);
}
unsigned code_of(float value) {
  return f8e4m3(value).bits;
}

TEST(DType, NamesAreThoseOfSafetensorsAndGoBothWays) {
  for (DType dtype :
       {DType::F64, DType::F32, DType::BF16, DType::F16, DType::F8E4M3, DType::F8E5M2, DType::I64,
        DType::I32, DType::I16, DType::I8, DType::U8, DType::Bool, DType::F8E8M0}) {
    EXPECT_EQ(dtype_from_name(name_of(dtype)), dtype);
  }
  EXPECT_EQ(name_of(DType::F8E4M3), "F8_E4M3");
  EXPECT_EQ(size_of(DType::BF16), 2u);
  EXPECT_EQ(size_of(DType::F8E8M0), 1u);
  EXPECT_THROW(dtype_from_name("F7"), Error);
}

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(bf16_bits(0x3f800000), 0x3f80);  // 1
  EXPECT_EQ(bf16_bits(0x3f807fff), 0x3f80);  // just below half a step
  EXPECT_EQ(bf16_bits(0x3f808000), 0x3f80);  // a tie goes down to the even mantissa
  EXPECT_EQ(bf16_bits(0x3f808001), 0x3f81);
  EXPECT_EQ(bf16_bits(0x3f818000), 0x3f82);  // a tie goes up to the even mantissa
  EXPECT_EQ(bf16_bits(0xbf818000), 0xbf82);
  EXPECT_EQ(bf16_bits(0x3fffffff), 0x4000);  // the carry reaches the exponent
}

TEST(BFloat16, KeepsZerosInfinitiesAndNan) {
  EXPECT_EQ(bf16_bits(0x80000000), 0x8000);
  EXPECT_EQ(bf16_bits(0x00000001), 0x0000);  // the smallest subnormal of F32
  EXPECT_EQ(bf16_bits(0x00018000), 0x0002);  // subnormals round alike
  EXPECT_EQ(bf16_bits(0x7f7fffff), 0x7f80);  // the largest F32 rounds to infinity
  EXPECT_EQ(bf16(-kInfinity).bits, 0xff80);
  for (std::uint32_t nan : {0x7f800001u, 0x7fc00000u, 0xff80ffffu, 0x7fffffffu, 0xffffffffu}) {
    EXPECT_TRUE(std::isnan(static_cast<float>(bf16(std::bit_cast<float>(nan))))) << std::hex << nan;
  }
}

TEST(BFloat16, EveryFiniteValueComesBack) {
  for (std::uint32_t code = 0; code < 0x10000; ++code) {
    bf16 x;
    x.bits = static_cast<std::uint16_t>(code);
    const auto value = static_cast<float>(x);
    if (std::isnan(value)) continue;
    ASSERT_EQ(bf16(value).bits, code);
  }
}

TEST(Float8E4M3, KnownValues) {
  EXPECT_EQ(value_of(0x00), 0.f);
  EXPECT_EQ(value_of(0x01), 0x1p-9f);
  EXPECT_EQ(value_of(0x07), 0x7p-9f);
  EXPECT_EQ(value_of(0x08), 0x1p-6f);
  EXPECT_EQ(value_of(0x38), 1.f);
  EXPECT_EQ(value_of(0x39), 1.125f);
  EXPECT_EQ(value_of(0x7e), 448.f);
  EXPECT_EQ(value_of(0xfe), -448.f);
  EXPECT_TRUE(std::isnan(value_of(0x7f)));
  EXPECT_TRUE(std::isnan(value_of(0xff)));
}

TEST(Float8E4M3, EveryCodeComesBack) {
  for (unsigned code = 0; code < 256; ++code) {
    if ((code & 0x7f) == 0x7f) {
      EXPECT_EQ(code_of(value_of(code)) & 0x7f, 0x7fu);  // NaN stays NaN
    } else {
      EXPECT_EQ(code_of(value_of(code)), code);
    }
  }
}

/// By the definition: the nearest value, of two the one with the even code.
unsigned nearest_code(float magnitude) {
  if (magnitude >= 448.f) return 0x7e;
  unsigned low = 0;
  for (unsigned step = 64; step > 0; step /= 2) {
    if (low + step <= 0x7e && value_of(low + step) <= magnitude) low += step;
  }
  const double below = double(magnitude) - double(value_of(low));
  const double above = double(value_of(low + 1)) - double(magnitude);
  return below < above || (below == above && low % 2 == 0) ? low : low + 1;
}

TEST(Float8E4M3, EveryNumberGoesToTheNearest) {
  // All signs, exponents and 11 bits of the mantissa; of the rest matters only whether it is zero.
  for (std::uint32_t upper = 0; upper < 0x80000; ++upper) {
    for (const std::uint32_t lower : {0x000u, 0x001u, 0xfffu}) {
      const std::uint32_t bits = (upper << 12) | lower;
      const float magnitude = std::bit_cast<float>(bits);
      const unsigned code = std::isnan(magnitude) ? 0x7f : nearest_code(magnitude);
      ASSERT_EQ(code_of(magnitude), code) << magnitude;
      ASSERT_EQ(code_of(std::bit_cast<float>(bits | 0x80000000u)), code | 0x80u) << -magnitude;
    }
  }
}

TEST(Float8E4M3, TiesGoToTheEvenCodeAndTheRestToTheNearest) {
  for (unsigned code = 0; code < 0x7e; ++code) {
    const float low = value_of(code), high = value_of(code + 1);
    ASSERT_LT(low, high);
    const float middle = (low + high) / 2;  // exact in F32
    const unsigned even = code % 2 == 0 ? code : code + 1;
    EXPECT_EQ(code_of(middle), even) << middle;
    EXPECT_EQ(code_of(-middle), even | 0x80u) << -middle;
    EXPECT_EQ(code_of(std::nextafter(middle, 0.f)), code);
    EXPECT_EQ(code_of(std::nextafter(middle, kInfinity)), code + 1);
  }
}

TEST(Float8E4M3, Saturates) {
  for (float value : {448.f, 449.f, 464.f, 480.f, 1e9f, kInfinity}) {
    EXPECT_EQ(code_of(value), 0x7eu) << value;
    EXPECT_EQ(code_of(-value), 0xfeu) << value;
  }
  EXPECT_EQ(code_of(1e-30f), 0x00u);
  EXPECT_EQ(code_of(-0.f), 0x80u);
}

TEST(ReadOnlyTypes, KnownValues) {
  const auto e5m2 = [](unsigned bits) {
    return static_cast<float>(f8e5m2{static_cast<std::uint8_t>(bits)});
  };
  EXPECT_EQ(e5m2(0x3c), 1.f);
  EXPECT_EQ(e5m2(0x7b), 57344.f);
  EXPECT_EQ(e5m2(0x01), 0x1p-16f);
  EXPECT_EQ(e5m2(0xfc), -kInfinity);
  EXPECT_TRUE(std::isnan(e5m2(0x7d)));
  const auto half = [](unsigned bits) {
    return static_cast<float>(f16{static_cast<std::uint16_t>(bits)});
  };
  EXPECT_EQ(half(0x3c00), 1.f);
  EXPECT_EQ(half(0x0001), 0x1p-24f);
  EXPECT_EQ(half(0x7bff), 65504.f);
  EXPECT_EQ(half(0xfc00), -kInfinity);
  EXPECT_TRUE(std::isnan(half(0x7e00)));
  const auto scale = [](unsigned bits) {
    return static_cast<float>(f8e8m0{static_cast<std::uint8_t>(bits)});
  };
  EXPECT_EQ(scale(127), 1.f);
  EXPECT_EQ(scale(0), 0x1p-127f);
  EXPECT_EQ(scale(254), 0x1p127f);
  EXPECT_TRUE(std::isnan(scale(255)));
}

}  // namespace
}  // namespace tessera
