// SPDX-License-Identifier: MIT
// Softmax over scores that come block by block ("online softmax", arXiv:1805.02867): what the
// attention kernels on the CPU share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/vector_math.h"

namespace tessera::kernels::cpu {

/// The running maximum and the sum of exp(score - max) of one query.
template <class T>
struct RunningSoftmax {
  T max = -std::numeric_limits<T>::infinity(), sum = 0;

  /// Turns scores into exp(score - max) with the new maximum. Returns the factor for what was
  /// summed with the old one.
  T update(T* scores, std::int64_t count) {
    T top = max, total = 0;
#pragma omp simd reduction(max : top)
    for (std::int64_t j = 0; j < count; ++j) top = std::max(top, scores[j]);
#pragma omp simd reduction(+ : total)
    for (std::int64_t j = 0; j < count; ++j) {
      scores[j] = vector_exp(scores[j] - top);
      total += scores[j];
    }
    const T factor = vector_exp(max - top);
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
