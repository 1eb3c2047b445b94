// SPDX-License-Identifier: MIT
// Element types: the names of safetensors, their sizes, and BF16 and FP8 E4M3 as C++ types. And the
// kinds of devices that elements lie on.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace tessera {

enum class Device : std::uint8_t { Cpu, Cuda };

enum class DType : std::uint8_t {
  F64,
  F32,
  BF16,
  F16,
  F8E4M3,
  F8E5M2,
  I64,
  I32,
  I16,
  I8,
  U8,
  Bool,
  F8E8M0
};

/// Bytes of one element.
std::size_t size_of(DType dtype);

/// The safetensors name: "F32", "BF16", "F8_E4M3", ...
std::string_view name_of(DType dtype);

/// The inverse of name_of(). Throws Error for an unknown name.
DType dtype_from_name(std::string_view name);

/// bfloat16: the upper half of an IEEE binary32. Rounds to nearest even; NaN stays NaN.
struct bf16 {
  std::uint16_t bits = 0;

  bf16() = default;
  explicit bf16(float value) {
    // In integers and without a branch, so that loops over it become vector code.
    const std::uint32_t u = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    const bool nan = (u & 0x7fffffffu) > 0x7f800000u;
    bits = static_cast<std::uint16_t>(nan ? (u >> 16) | 0x40u : rounded);
  }
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
};

/// FP8 E4M3 (OCP 8-bit floating point, "E4M3FN"): no infinity, largest finite value 448.
/// Conversion rounds to nearest even and saturates, as the GPU's cvt.rn.satfinite does.
struct f8e4m3 {
  std::uint8_t bits = 0;

  f8e4m3() = default;
  explicit f8e4m3(float value) {
    // As in bf16. Below 2^-6 values are multiples of 2^-9, to which adding 2^14 rounds; above, 3 of
    // 23 bits of the mantissa stay and the exponent's bias becomes 7.
    constexpr std::uint32_t kNormal = std::bit_cast<std::uint32_t>(0x1p-6f), kLargest = 0x7e;
    const std::uint32_t u = std::bit_cast<std::uint32_t>(value), magnitude = u & 0x7fffffffu;
    const std::uint32_t small =
        std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0x1p14f) -
        std::bit_cast<std::uint32_t>(0x1p14f);
    const std::uint32_t kept = (magnitude + 0x7ffffu + ((magnitude >> 20) & 1u)) >> 20;
    const std::uint32_t normal = kept - ((127u - 7u) << 3);
    const std::uint32_t code = magnitude < kNormal ? small : normal < kLargest ? normal : kLargest;
    const bool nan = magnitude > 0x7f800000u;
    bits = static_cast<std::uint8_t>(((u >> 24) & 0x80u) | (nan ? 0x7fu : code));
  }
  explicit operator float() const;
};

namespace detail {
/// What each code means.
inline constexpr std::array<float, 256> kE4M3 = [] {
  std::array<float, 256> values{};
  for (unsigned code = 0; code < 256; ++code) {
    const unsigned exponent = (code >> 3) & 15u, mantissa = code & 7u;
    const float magnitude =
        exponent == 0 ? 0x1p-9f * static_cast<float>(mantissa)
                      : std::bit_cast<float>(((exponent + (127u - 7u)) << 23) | (mantissa << 20));
    values[code] = code & 0x80u ? -magnitude : magnitude;
    if ((code & 0x7fu) == 0x7fu) values[code] = std::numeric_limits<float>::quiet_NaN();
  }
  return values;
}();
}  // namespace detail

inline f8e4m3::operator float() const {
  return detail::kE4M3[bits];
}

/// FP8 E5M2: infinity and NaN as IEEE, largest finite value 57344. Read only, for checkpoints.
struct f8e5m2 {
  std::uint8_t bits = 0;
  explicit operator float() const;
};

/// OCP MX scale: a power of two, 2^(bits - 127); 255 is NaN. Read only, for scales in checkpoints.
struct f8e8m0 {
  std::uint8_t bits = 0;
  explicit operator float() const;
};

/// IEEE binary16. Read only, for checkpoints.
struct f16 {
  std::uint16_t bits = 0;
  explicit operator float() const;
};

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<double>() {
  return DType::F64;
}
template <>
constexpr DType dtype_of<float>() {
  return DType::F32;
}
template <>
constexpr DType dtype_of<bf16>() {
  return DType::BF16;
}
template <>
constexpr DType dtype_of<f8e4m3>() {
  return DType::F8E4M3;
}
template <>
constexpr DType dtype_of<f8e5m2>() {
  return DType::F8E5M2;
}
template <>
constexpr DType dtype_of<f8e8m0>() {
  return DType::F8E8M0;
}
template <>
constexpr DType dtype_of<f16>() {
  return DType::F16;
}
template <>
constexpr DType dtype_of<std::int64_t>() {
  return DType::I64;
}
template <>
constexpr DType dtype_of<std::int32_t>() {
  return DType::I32;
}
template <>
constexpr DType dtype_of<std::int16_t>() {
  return DType::I16;
}
template <>
constexpr DType dtype_of<std::int8_t>() {
  return DType::I8;
}
template <>
constexpr DType dtype_of<std::uint8_t>() {
  return DType::U8;
}
template <>
constexpr DType dtype_of<bool>() {
  return DType::Bool;
}

}  // namespace tessera
