// SPDX-License-Identifier: MIT
// One value to and from E5M6 in integers, for CPU and GPU alike: the bits of a BF16 number, of a
// code and of a scale are as kernels/e5m6/e5m6.h says.
#pragma once

#include <cstdint>

#include "kernels/e5m6/e5m6.h"

namespace tessera::kernels::e5m6 {

inline constexpr std::uint32_t kLeastScale = 16;  ///< every subnormal BF16 is then a subnormal code
inline constexpr std::uint32_t kInfinity = 0x7c0, kNan = 0x7e0;
inline constexpr std::uint32_t kBf16Infinity = 0x7f80;

/// |x| of BF16 bits as an integer that orders like it; 0 where x is not finite.
constexpr std::uint32_t finite_magnitude(std::uint32_t bits) {
  const std::uint32_t magnitude = bits & 0x7fffu;
  return magnitude < kBf16Infinity ? magnitude : 0u;
}

/// The scale of a tile from the largest finite_magnitude().
constexpr std::uint32_t scale_of(std::uint32_t largest) {
  const std::uint32_t exponent = largest >> 7;
  return exponent > kLeastScale + 14 ? exponent - 14 : kLeastScale;
}

/// The largest code that a finite value may get: with the largest scale, rounding up would leave
/// the range of BF16.
constexpr std::uint32_t largest_code(std::uint32_t scale) {
  return scale >= 240 ? 0x77fu : kInfinity - 1;
}

/// The code (12 bits) of BF16 bits in a tile of this scale.
constexpr std::uint32_t encode(std::uint32_t bits, std::uint32_t scale, std::uint32_t most) {
  const std::uint32_t magnitude = bits & 0x7fffu, exponent = magnitude >> 7;
  // Normal codes: one bit is dropped, to nearest even; a carry raises the exponent by itself.
  const std::uint32_t moved = magnitude - ((scale - 15) << 7);
  const std::uint32_t normal = (moved + ((moved >> 1) & 1u)) >> 1;
  // Subnormal codes: the whole significand moves to steps of 2^-20.
  const std::uint32_t significand = exponent > 0 ? 0x80u | (magnitude & 0x7fu) : magnitude;
  const std::uint32_t at = exponent > 0 ? exponent : 1u;
  const std::uint32_t below = scale > at ? scale - at : 0u;  // 15 or more where this is used
  const std::uint32_t wanted = below > 13 ? below - 13 : 2u;
  const std::uint32_t drop = wanted < 10 ? wanted : 10u;  // ten drop all of it
  const std::uint32_t step = significand >> drop;
  const std::uint32_t subnormal = (significand + (1u << (drop - 1)) - 1 + (step & 1u)) >> drop;
  const std::uint32_t rounded = at + 15 > scale ? normal : subnormal;
  const std::uint32_t finite = rounded < most ? rounded : most;
  const std::uint32_t sign = (bits >> 4) & 0x800u;
  const std::uint32_t special = magnitude > kBf16Infinity ? kNan : kInfinity | sign;
  return magnitude < kBf16Infinity ? finite | sign : special;
}

/// The BF16 bits of a code that encode() made with this scale.
constexpr std::uint32_t decode(std::uint32_t code, std::uint32_t scale) {
  const std::uint32_t magnitude = code & 0x7ffu;
  const std::uint32_t normal = (magnitude << 1) + ((scale - 15) << 7);
  // A subnormal code has up to six bits: its highest becomes the hidden one.
  std::uint32_t top = 0;
  for (std::uint32_t bit = 1; bit < 6; ++bit) top = magnitude >> bit ? bit : top;
  const std::uint32_t exponent = scale + top;  // less 20
  const std::uint32_t hidden = ((exponent - 20) << 7) | ((magnitude << (7 - top)) & 0x7fu);
  const std::uint32_t steps = exponent > 20 ? hidden : magnitude << ((scale - 14) & 7u);
  const std::uint32_t subnormal = magnitude > 0 ? steps : 0u;
  const std::uint32_t finite = magnitude >= 64 ? normal : subnormal;
  const std::uint32_t special = kBf16Infinity | ((magnitude & 0x3fu) << 1);
  return (magnitude < kInfinity ? finite : special) | ((code & 0x800u) << 4);
}

}  // namespace tessera::kernels::e5m6
