// SPDX-License-Identifier: MIT
// A matrix product in the manner of BLIS (Van Zee and van de Geijn, ACM TOMS 41(3), 2015): blocks
// of both operands are packed into the order in which a register tile reads them, whatever their
// strides, transposition and type were.
#pragma once

#include <algorithm>
#include <cstring>

#include "kernels/product/gemm.h"
#include "kernels/product/workspace.h"

namespace tessera::kernels::cpu {

/// The tile of c that one call of the inner loop keeps in registers: kRows by two vectors.
template <class T>
struct Tile {
#if defined(__AVX512F__)
  static constexpr int kVectorBytes = 64, kRows = 12;  // 24 of 32 registers hold sums
#elif defined(__AVX__)
  static constexpr int kVectorBytes = 32, kRows = 6;  // 12 of 16
#else
  static constexpr int kVectorBytes = 16, kRows = 6;
#endif
  typedef T Vector __attribute__((vector_size(kVectorBytes)));
  static constexpr int kLanes = kVectorBytes / sizeof(T), kCols = 2 * kLanes;

  // Blocks: a packed block of a (kBlockRows x kBlockDepth) fills a part of the L2 cache, a sliver
  // of b (kBlockDepth x kCols) a part of L1, a packed block of b a part of L3.
  static constexpr std::int64_t kBlockDepth = 256, kBlockRows = 16 * kRows, kBlockCols = 1024;
};

inline std::int64_t round_up(std::int64_t value, std::int64_t step) {
  return (value + step - 1) / step * step;
}

/// One sliver of kWidth rows whose elements along the depth are contiguous: a transposition, in
/// squares that the compiler keeps in registers or the nearest cache.
template <int kWidth, class T, class In>
void pack_transposed(const In* x, std::int64_t step, std::int64_t depth, T* out) {
  constexpr std::int64_t kSquare = 16;
  std::int64_t p = 0;
  for (; p + kSquare <= depth; p += kSquare) {
    for (int i = 0; i < kWidth; ++i) {
      const In* from = x + i * step + p;
      for (std::int64_t q = 0; q < kSquare; ++q) {
        out[(p + q) * kWidth + i] = static_cast<T>(from[q]);
      }
    }
  }
  for (; p < depth; ++p) {
    for (int i = 0; i < kWidth; ++i) out[p * kWidth + i] = static_cast<T>(x[i * step + p]);
  }
}

/// Packs `count` x `depth` of an operand into slivers of kWidth: [sliver][depth][kWidth], zeros
/// where the last sliver is not full. Element (i, p) is x[i * step + p * depth_step].
template <int kWidth, class T, class In>
void pack(const In* x, std::int64_t step, std::int64_t depth_step, std::int64_t count,
          std::int64_t depth, T* out) {
  for (std::int64_t first = 0; first < count; first += kWidth, out += depth * kWidth) {
    const In* from = x + first * step;
    const std::int64_t width = std::min<std::int64_t>(kWidth, count - first);
    if (width == kWidth && depth_step == 1) {
      pack_transposed<kWidth>(from, step, depth, out);
      continue;
    }
    for (std::int64_t p = 0; p < depth; ++p) {
      const In* row = from + p * depth_step;
      T* to = out + p * kWidth;
      if (width == kWidth && step == 1) {
#pragma omp simd
        for (int i = 0; i < kWidth; ++i) to[i] = static_cast<T>(row[i]);
      } else {
        for (int i = 0; i < kWidth; ++i) to[i] = i < width ? static_cast<T>(row[i * step]) : T(0);
      }
    }
  }
}

/// One tile: alpha (sliver of a) (sliver of b), added to `add` c.
template <class T>
void multiply_tile(std::int64_t depth, const T* a, const T* b, T alpha, bool add, T* c,
                   std::int64_t c_stride) {
  using Vector = typename Tile<T>::Vector;
  constexpr int kRows = Tile<T>::kRows, kLanes = Tile<T>::kLanes;
  Vector sums[kRows][2] = {};
  for (std::int64_t p = 0; p < depth; ++p, a += kRows, b += 2 * kLanes) {
    const Vector b0 = *reinterpret_cast<const Vector*>(b);
    const Vector b1 = *reinterpret_cast<const Vector*>(b + kLanes);
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
      sums[i][0] += a[i] * b0;
      sums[i][1] += a[i] * b1;
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i, c += c_stride) {
    for (int half = 0; half < 2; ++half) {
      Vector result = alpha * sums[i][half], before;
      if (add) {
        std::memcpy(&before, c + half * kLanes, sizeof before);
        result += before;
      }
      std::memcpy(c + half * kLanes, &result, sizeof result);
    }
  }
}

/// Tiles of c at the lower and right edges go through a full tile beside it.
template <class T>
void multiply_edge_tile(std::int64_t depth, const T* a, const T* b, T alpha, bool add, T* c,
                        std::int64_t c_stride, std::int64_t rows, std::int64_t cols) {
  T tile[Tile<T>::kRows * Tile<T>::kCols];
  multiply_tile(depth, a, b, alpha, false, tile, Tile<T>::kCols);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < cols; ++j) {
      T& out = c[i * c_stride + j];
      out = tile[i * Tile<T>::kCols + j] + (add ? out : T(0));
    }
  }
}

/// All tiles of a packed block of a times a packed block of b.
template <class T>
void multiply_packed(const GemmShape& s, const T* a, const T* b, T alpha, bool add, Rows<T> c) {
  constexpr std::int64_t kRows = Tile<T>::kRows, kCols = Tile<T>::kCols;
  for (std::int64_t j = 0; j < s.n; j += kCols) {
    for (std::int64_t i = 0; i < s.m; i += kRows) {
      const T *a_sliver = a + i * s.k, *b_sliver = b + j * s.k;
      T* out = c.data + i * c.stride + j;
      if (i + kRows <= s.m && j + kCols <= s.n) {
        multiply_tile(s.k, a_sliver, b_sliver, alpha, add, out, c.stride);
      } else {
        multiply_edge_tile(s.k, a_sliver, b_sliver, alpha, add, out, c.stride,
                           std::min(kRows, s.m - i), std::min(kCols, s.n - j));
      }
    }
  }
}

/// gemm() on the calling thread, for beta 0 or 1; k > 0.
template <class T, class In>
void blocked_gemm(Transpose transpose, const GemmShape& s, T alpha, Rows<const In> a,
                  Rows<const In> b, bool add, Rows<T> c) {
  using Block = Tile<T>;
  const std::int64_t a_row = transpose == Transpose::A ? 1 : a.stride;
  const std::int64_t a_depth = transpose == Transpose::A ? a.stride : 1;
  const std::int64_t b_col = transpose == Transpose::B ? b.stride : 1;
  const std::int64_t b_depth = transpose == Transpose::B ? 1 : b.stride;
  const std::int64_t depth_max = std::min(s.k, Block::kBlockDepth);
  T* packed_a = thread_workspace<T>(Workspace::PackedA, Block::kBlockRows * depth_max);
  T* packed_b = thread_workspace<T>(
      Workspace::PackedB, round_up(std::min(s.n, Block::kBlockCols), Block::kCols) * depth_max);

  for (std::int64_t j = 0; j < s.n; j += Block::kBlockCols) {
    const std::int64_t n = std::min(Block::kBlockCols, s.n - j);
    for (std::int64_t p = 0; p < s.k; p += Block::kBlockDepth) {
      const std::int64_t depth = std::min(Block::kBlockDepth, s.k - p);
      pack<Block::kCols>(b.data + j * b_col + p * b_depth, b_col, b_depth, n, depth, packed_b);
      for (std::int64_t i = 0; i < s.m; i += Block::kBlockRows) {
        const std::int64_t m = std::min(Block::kBlockRows, s.m - i);
        pack<Block::kRows>(a.data + i * a_row + p * a_depth, a_row, a_depth, m, depth, packed_a);
        multiply_packed<T>({m, n, depth}, packed_a, packed_b, alpha, add || p > 0,
                           {c.data + i * c.stride + j, c.stride});
      }
    }
  }
}

/// c = alpha a b^T (+ c) for a few rows of a, as in decoding: every row of b is read once, in
/// order.
template <class T, class In>
void dot_gemm(const GemmShape& s, T alpha, Rows<const In> a, Rows<const In> b, bool add,
              Rows<T> c) {
  for (std::int64_t j = 0; j < s.n; ++j) {
    const In* y = b.data + j * b.stride;
    for (std::int64_t i = 0; i < s.m; ++i) {
      const In* x = a.data + i * a.stride;
      T sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t p = 0; p < s.k; ++p) sum += static_cast<T>(x[p]) * static_cast<T>(y[p]);
      T& out = c.data[i * c.stride + j];
      out = alpha * sum + (add ? out : T(0));
    }
  }
}

}  // namespace tessera::kernels::cpu
