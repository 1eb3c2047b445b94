// SPDX-License-Identifier: MIT
// Exponentials for loops that the compiler vectorises: plain arithmetic and no branches, so that a
// loop marked `#pragma omp simd` becomes vector code without -ffast-math and without losing the
// right results for infinities and NaN.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace tessera::kernels {

/// e^x within 1 unit in the last place (1.3 where there is no FMA). Results below the smallest
/// normal number are 0; infinity past 88.72, NaN for NaN.
/// e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln 2 / 2, and e^r by a polynomial.
inline float vector_exp(float x) {
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  constexpr float kShift = 12582912.0f;
  const float shifted = x * 1.44269504f + kShift;
  const float n = shifted - kShift;
  const float r = (x - n * 0.693145752f) - n * 1.42860677e-6f;  // ln 2 in two parts
  float p = 1.39261911e-3f;
  p = p * r + 8.36318503e-3f;
  p = p * r + 4.16665546e-2f;
  p = p * r + 1.6666577e-1f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  // Times 2^n: n is added to the exponent, bits 23 and up. Out of range and for NaN that gives
  // nonsense, which the last two lines replace.
  const float power = std::bit_cast<float>(std::bit_cast<std::uint32_t>(p) +
                                           (std::bit_cast<std::uint32_t>(shifted) << 23));
  const float low = x < -87.336544f ? 0.0f : power;
  return x <= 88.722839f ? low : x + std::numeric_limits<float>::infinity();
}

/// The same name for F64, where speed matters less.
inline double vector_exp(double x) {
  return std::exp(x);
}

/// 1 / (1 + e^-x).
template <class T>
inline T sigmoid(T x) {
  return T(1) / (T(1) + vector_exp(-x));
}

/// x sigmoid(x), "swish" (arXiv:1702.03118).
template <class T>
inline T silu(T x) {
  return x * sigmoid(x);
}

}  // namespace tessera::kernels
