// SPDX-License-Identifier: MIT
// Softmax over scores that come block by block ("online softmax", arXiv:1805.02867): what the
// attention kernels on the CPU share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/vector_math.h"

namespace tessera::kernels::cpu {

/// The largest of `first` and x[0 .. count).
template <class T>
T largest(const T* x, std::int64_t count, T first) {
  // NOTE: g++ makes scalar code of a `reduction(max)` unless NaN is ruled out, so the lanes are
  // written out.
  constexpr std::int64_t kLanes = 16;
  T lanes[kLanes];
  std::fill_n(lanes, kLanes, first);
  std::int64_t at = 0;
  for (; at + kLanes <= count; at += kLanes) {
#pragma omp simd
    for (std::int64_t i = 0; i < kLanes; ++i)
      lanes[i] = lanes[i] > x[at + i] ? lanes[i] : x[at + i];
  }
  for (std::int64_t i = 0; at < count; ++at, ++i) lanes[i] = std::max(lanes[i], x[at]);
#pragma GCC unroll 4
  for (std::int64_t width = kLanes / 2; width > 0; width /= 2) {
    for (std::int64_t i = 0; i < width; ++i) lanes[i] = std::max(lanes[i], lanes[i + width]);
  }
  return lanes[0];
}

/// The running maximum and the sum of exp(score - max) of one query.
template <class T>
struct RunningSoftmax {
  T max = -std::numeric_limits<T>::infinity(), sum = 0;

  /// Turns scores into exp(score - max) with the new maximum. Returns the factor for what was
  /// summed with the old one, often 1.
  T update(T* scores, std::int64_t count) {
    const T top = largest(scores, count, max);
    T total = 0;
#pragma omp simd reduction(+ : total)
    for (std::int64_t j = 0; j < count; ++j) {
      scores[j] = vector_exp(scores[j] - top);
      total += scores[j];
    }
    const T factor = top == max ? T(1) : vector_exp(max - top);
    max = top;
    sum = sum * factor + total;
    return factor;
  }
};

template <class T>
void multiply_row(T* row, std::int64_t count, T factor) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) row[i] *= factor;
}

}  // namespace tessera::kernels::cpu
