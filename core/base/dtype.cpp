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
