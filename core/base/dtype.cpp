// SPDX-License-Identifier: MIT
#include "core/base/dtype.h"

#include <array>

#include "core/base/error.h"

namespace tessera {

namespace {
struct Row {
  DType dtype;
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<Row, 13> kRows{{{DType::F64, "F64", 8},
                                     {DType::F32, "F32", 4},
                                     {DType::BF16, "BF16", 2},
                                     {DType::F16, "F16", 2},
                                     {DType::F8E4M3, "F8_E4M3", 1},
                                     {DType::F8E5M2, "F8_E5M2", 1},
                                     {DType::I64, "I64", 8},
                                     {DType::I32, "I32", 4},
                                     {DType::I16, "I16", 2},
                                     {DType::I8, "I8", 1},
                                     {DType::U8, "U8", 1},
                                     {DType::Bool, "BOOL", 1},
                                     {DType::F8E8M0, "F8_E8M0", 1}}};

/// A small float with `exponent_bits` and `mantissa_bits`, sign first, decoded by its value.
float decode(unsigned bits, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const unsigned mantissa = bits & ((1u << mantissa_bits) - 1);
  const int exponent = static_cast<int>(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
  const float sign = (bits >> (exponent_bits + mantissa_bits)) & 1u ? -1.f : 1.f;
  const float fraction = static_cast<float>(mantissa) / static_cast<float>(1 << mantissa_bits);
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias);
  return sign * std::ldexp(1.f + fraction, exponent - bias);
}
}  // namespace

std::size_t size_of(DType dtype) {
  return kRows[static_cast<std::size_t>(dtype)].bytes;
}

std::string_view name_of(DType dtype) {
  return kRows[static_cast<std::size_t>(dtype)].name;
}

DType dtype_from_name(std::string_view name) {
  for (const Row& row : kRows) {
    if (row.name == name) return row.dtype;
  }
  throw Error("dtype", fmt::format("unknown element type \"{}\"", name),
              "known are F64, F32, F16, BF16, F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, "
              "U8, BOOL");
}

f8e4m3::f8e4m3(float value) {
  const std::uint32_t u = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint8_t>((u >> 24) & 0x80u);
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) {
    bits = static_cast<std::uint8_t>(sign | 0x7fu);
  } else if (magnitude >= 448.f) {
    bits = static_cast<std::uint8_t>(sign | 0x7eu);
  } else if (magnitude < 0.015625f) {  // 2^-6: subnormal, steps of 2^-9
    // nearbyint rounds to nearest even in the default rounding mode.

    bits =
        static_cast<std::uint8_t>(sign | static_cast<unsigned>(std::nearbyint(magnitude * 512.f)));
  } else {
    std::uint32_t m = u & 0x7fffffffu;
    m += 0x7ffffu + ((m >> 20) & 1u);  // keep 3 of 23 mantissa bits, ties to even
    const unsigned code = (m >> 20) - ((127u - 7u) << 3);
    bits = static_cast<std::uint8_t>(sign | (code > 0x7eu ? 0x7eu : code));
  }
}

f8e4m3::operator float() const {
  if ((bits & 0x7fu) == 0x7fu) return std::nanf("");
  return decode(bits, 4, 3);
}

f8e5m2::operator float() const {
  const unsigned magnitude = bits & 0x7fu;
  if (magnitude > 0x7cu) return std::nanf("");
  if (magnitude == 0x7cu) return bits & 0x80u ? -INFINITY : INFINITY;
  return decode(bits, 5, 2);
}

f8e8m0::operator float() const {
  return bits == 0xffu ? std::nanf("") : std::ldexp(1.f, static_cast<int>(bits) - 127);
}

f16::operator float() const {
  const unsigned magnitude = bits & 0x7fffu;
  if (magnitude > 0x7c00u) return std::nanf("");
  if (magnitude == 0x7c00u) return bits & 0x8000u ? -INFINITY : INFINITY;
  return decode(bits, 5, 10);
}

}  // namespace tessera
