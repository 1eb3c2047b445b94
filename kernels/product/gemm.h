// SPDX-License-Identifier: MIT
// One matrix product over plain pointers, on the CPU: what kernels/product, kernels/grouped_product
// and kernels/attention are made of.
#pragma once

#include <cstdint>

#include "core/base/dtype.h"
#include "kernels/product/product.h"

namespace tessera::kernels::cpu {

/// Sizes of c (m, n) and the length k of the sums.
struct GemmShape {
  std::int64_t m = 0, n = 0, k = 0;
};

/// A matrix with contiguous rows, `stride` elements apart (at least as many as a row has).
template <class T>
struct Rows {
  T* data = nullptr;
  std::int64_t stride = 0;
};

/// c = alpha a b + beta c, with a and b read as `transpose` says (kernels/product/product.h); beta
/// is 0 (c is only written) or 1. Sizes may be 0. Uses the threads of OpenMP's next team, and one
/// when called from inside a parallel region. Safe from any thread.
void gemm(Transpose transpose, const GemmShape& shape, float alpha, Rows<const float> a,
          Rows<const float> b, float beta, Rows<float> c);
void gemm(Transpose transpose, const GemmShape& shape, double alpha, Rows<const double> a,
          Rows<const double> b, double beta, Rows<double> c);
void gemm(Transpose transpose, const GemmShape& shape, float alpha, Rows<const bf16> a,
          Rows<const bf16> b, float beta, Rows<float> c);

/// Whether `count` independent products of this shape run faster one per thread than one after the
/// other on all threads.
bool one_product_per_thread(const GemmShape& shape, std::int64_t count);

}  // namespace tessera::kernels::cpu
