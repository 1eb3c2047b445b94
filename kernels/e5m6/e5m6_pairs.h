// SPDX-License-Identifier: MIT
// E5M6 two values at a time, for the GPU: words with the bits of a BF16 number, or a code, in each
// half. The floating additions and products between these steps are the GPU's (e5m6_tile.cuh); what
// is here is integers, which a test on the CPU holds against e5m6_code.h.
//
// Packing. Let F be the exponent field of the least normal code, and e that of |x|, or F where that
// is more. Codes between 2^e and 2^(e+1) lie 2^(e-6) apart, and so do BF16 numbers from S = 2^(e+1)
// on: the sum |x| + S is |x| rounded as wanted, and its bits less those of S count the steps of
// 2^(e-6) in it. Every binade above F has 64 codes, so
//   code = (e - F) * 64 + (bits of the sum - bits of S)
#pragma once

#include "kernels/e5m6/e5m6_code.h"

namespace tessera::kernels::e5m6 {

constexpr std::uint32_t in_both_halves(std::uint32_t x) {
  return x * 0x10001u;
}

inline constexpr std::uint32_t kMagnitudes = in_both_halves(0x7fff);
inline constexpr std::uint32_t kExponents = in_both_halves(kBf16Infinity);
inline constexpr std::uint32_t kOneExponent = in_both_halves(0x80);  ///< S from 2^e

/// Tiles whose largest magnitude is this or more are packed one by one, by encode(): they have
/// infinities, NaNs, or numbers that rounding might make infinite.
inline constexpr std::uint32_t kLeastSpecial = 0x7f00;

/// The least S, for tiles of this scale.
constexpr std::uint32_t least_steps(std::uint32_t scale) {
  return in_both_halves((scale - 13) << 7);
}

/// Two codes from two numbers: `sums` of their magnitudes and `steps`, which are S.
constexpr std::uint32_t codes_of(std::uint32_t bits, std::uint32_t sums, std::uint32_t steps,
                                 std::uint32_t least) {
  // (e - F) * 64 is half the difference of S and the least S. No half borrows from the other.
  const std::uint32_t codes = sums - (steps >> 1) - (least >> 1);
  return codes | (bits >> 4 & in_both_halves(0x800));
}

// Unpacking. A code is the upper 12 bits of binary16.

/// Two codes as binary16, of words that hold for each the lower byte and above it the upper four
/// bits, with anything above those.
constexpr std::uint32_t halves_of(std::uint32_t words) {
  return words << 4 & in_both_halves(0xfff0);
}

/// What scales a code's value: the bits of a float.
constexpr std::uint32_t factor_of(std::uint32_t scale) {
  return scale << 23;
}

/// The upper halves of two floats are BF16 numbers; a GPU's NaN, larger than this as a signed
/// integer, becomes the one that codes stand for.
inline constexpr std::uint32_t kLargestBits = in_both_halves(0x7fc0);

// The bytes of a tile. Sixteen threads have 8 neighbours each; byte j of the last 64 belongs to
// value j and value j + 64, which is eight threads further: of two such threads the lower writes
// the first four of their eight bytes, the other the rest.

constexpr int lower_at(int thread) {
  return 8 * thread;
}
/// The four bytes that a thread writes.
constexpr int upper_at(int thread) {
  return 128 + 8 * (thread & 7) + 4 * (thread >> 3);
}
/// The eight bytes that a thread reads.
constexpr int uppers_at(int thread) {
  return 128 + 8 * (thread & 7);
}

/// The upper bits of a thread's values 0 to 3 and 4 to 7, a byte each.
struct Uppers {
  std::uint32_t first, second;

  /// To the thread that is eight away.
  constexpr std::uint32_t sent(int thread) const { return thread < 8 ? second : first; }
  constexpr std::uint32_t bytes(int thread, std::uint32_t received) const {
    return thread < 8 ? first | received << 4 : received | second << 4;
  }
};

}  // namespace tessera::kernels::e5m6
