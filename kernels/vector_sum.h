// SPDX-License-Identifier: MIT
// Long sums without waiting for each addition.
#pragma once

#include <cstdint>

namespace tessera::kernels {

/// The sum of term(i) for i in [0, count), in an order that `count` alone decides.
/// One vector of sums would make every addition wait for the one before (about four cycles); four
/// sums, each over a quarter, run side by side.
/// NOTE: inlined by force and `term` by value: called through a reference, g++ 12 reads what it
/// captures anew for every element and gives up on vector code (four times slower).
template <class Sum, class Term>
[[gnu::always_inline]] inline Sum vector_sum(std::int64_t count, Term term) {
  const std::int64_t quarter = count / 4;
  Sum a = 0, b = 0, c = 0, d = 0;
#pragma omp simd reduction(+ : a, b, c, d)
  for (std::int64_t i = 0; i < quarter; ++i) {
    a += term(i);
    b += term(quarter + i);
    c += term(2 * quarter + i);
    d += term(3 * quarter + i);
  }
  for (std::int64_t i = 4 * quarter; i < count; ++i) a += term(i);
  return (a + b) + (c + d);
}

}  // namespace tessera::kernels
