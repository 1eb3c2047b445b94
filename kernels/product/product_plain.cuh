// SPDX-License-Identifier: MIT
// A plain tiled product for any type, stride and alignment: what the fast kernels do not take.
// A block of 256 threads makes 64 x 64 of c, 4 x 4 a thread; sums in F32, in the order of k.
#pragma once

#include "core/base/cuda/element.cuh"
#include "core/base/cuda/launch.h"

namespace tessera::kernels::cuda {

constexpr int kPlainTile = 64;
constexpr int kPlainDepth = 16;
constexpr int kPlainThreads = 256;

/// Element (i, j) of a matrix is data[i * row + j * column].
template <class T>
struct Strided {
  T* data;
  std::int64_t row, column;

  __device__ float at(std::int64_t i, std::int64_t j) const {
    return to_float(data[i * row + j * column]);
  }
  __device__ bool rows_are_contiguous() const { return column == 1; }
  __device__ bool columns_are_contiguous() const { return row == 1; }
};

/// Which expert's which row tile a block has; expert = experts where there is none.
__device__ inline int2 find_plain_tile(const std::int32_t* offsets, int experts, int tile) {
  for (int e = 0; e < experts; ++e) {
    const int tiles = (offsets[e + 1] - offsets[e] + kPlainTile - 1) / kPlainTile;
    if (tile < tiles) return make_int2(e, tile);
    tile -= tiles;
  }
  return make_int2(experts, 0);
}

/// c[i0.., j0..] = (or +=) a b, where a is (m, k), b (k, n) and c (m, n). A and B are Strided, or
/// have the same functions.
template <class A, class B, class Out>
__device__ inline void plain_product_tile(const A& a, const B& b, Strided<Out> c, std::int64_t m,
                                          std::int64_t n, std::int64_t k, std::int64_t i0,
                                          std::int64_t j0, bool add) {
  // One column of padding: both reading orders then fall into different banks.
  __shared__ float as[kPlainDepth][kPlainTile + 1], bs[kPlainDepth][kPlainTile + 1];
  const int thread = static_cast<int>(threadIdx.x);
  const int ti = thread / 16, tj = thread % 16;
  // Neighbouring threads read along whichever side is contiguous.
  const bool a_along_k = a.rows_are_contiguous(), b_along_k = b.columns_are_contiguous();
  float sums[4][4] = {};
  for (std::int64_t k0 = 0; k0 < k; k0 += kPlainDepth) {
#pragma unroll
    for (int part = 0; part < 4; ++part) {
      const int at = thread + part * kPlainThreads;
      const int ak = a_along_k ? at % kPlainDepth : at / kPlainTile;
      const int ai = a_along_k ? at / kPlainDepth : at % kPlainTile;
      const bool has_a = i0 + ai < m && k0 + ak < k;
      as[ak][ai] = has_a ? a.at(i0 + ai, k0 + ak) : 0.0f;
      const int bk = b_along_k ? at % kPlainDepth : at / kPlainTile;
      const int bj = b_along_k ? at / kPlainDepth : at % kPlainTile;
      const bool has_b = j0 + bj < n && k0 + bk < k;
      bs[bk][bj] = has_b ? b.at(k0 + bk, j0 + bj) : 0.0f;
    }
    __syncthreads();
#pragma unroll
    for (int step = 0; step < kPlainDepth; ++step) {
      float x[4], y[4];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        x[i] = as[step][ti + 16 * i];
        y[i] = bs[step][tj + 16 * i];
      }
#pragma unroll
      for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j) sums[i][j] = fmaf(x[i], y[j], sums[i][j]);
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const std::int64_t row = i0 + ti + 16 * i, column = j0 + tj + 16 * j;
      if (row >= m || column >= n) continue;
      Out& to = c.data[row * c.row + column * c.column];
      store(to, add ? sums[i][j] + to_float(to) : sums[i][j]);
    }
  }
}

}  // namespace tessera::kernels::cuda
