// SPDX-License-Identifier: MIT
// A matrix product in which every element is summed in an order that the length of the sum alone
// decides, so that a row of c has the same bits whatever other rows there are (rows_alone.h).
// a b^T sums in eight (four) lanes along the rows of both operands, which are read as they lie:
// fast where there are few rows, as in decoding. a b sums along the columns of c.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>
#include <vector>

#include "kernels/product/gemm.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

namespace tessera::kernels::cpu {

/// Sums are kept in as many lanes on every processor: a part of the order.
template <class T>
struct RowLanes {
  static constexpr int kBytes = 32, kCount = kBytes / sizeof(T);
  typedef T Vector __attribute__((vector_size(kBytes)));
};

inline RowLanes<float>::Vector load_lanes(const float* x) {
  RowLanes<float>::Vector v;
  std::memcpy(&v, x, sizeof v);
  return v;
}
inline RowLanes<double>::Vector load_lanes(const double* x) {
  RowLanes<double>::Vector v;
  std::memcpy(&v, x, sizeof v);
  return v;
}
/// A BF16 is the upper half of an F32.
/// NOTE: g++ 12 makes four instructions of what is one where there is AVX2.
inline RowLanes<float>::Vector load_lanes(const bf16* x) {
#ifdef __AVX2__
  const __m128i stored = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x));
  return std::bit_cast<RowLanes<float>::Vector>(
      _mm256_slli_epi32(_mm256_cvtepu16_epi32(stored), 16));
#else
  typedef std::uint16_t Halves __attribute__((vector_size(16)));
  typedef std::uint32_t Words __attribute__((vector_size(32)));
  static_assert(sizeof(bf16) == 2);
  Halves halves;
  std::memcpy(&halves, x, sizeof halves);
  const Words words = __builtin_convertvector(halves, Words) << 16;
  return std::bit_cast<RowLanes<float>::Vector>(words);
#endif
}

/// The first `count` elements, and zeros.
template <class T, class In>
typename RowLanes<T>::Vector load_some(const In* x, std::int64_t count) {
  In some[RowLanes<T>::kCount] = {};
  std::copy_n(x, count, some);
  return load_lanes(some);
}

/// Halves are added until one number is left.
inline float sum_of_lanes(const RowLanes<float>::Vector& v) {
  typedef float Four __attribute__((vector_size(16)));
  const Four four =
      __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
  const Four two = four + __builtin_shufflevector(four, four, 2, 3, 2, 3);
  return two[0] + two[1];
}
inline double sum_of_lanes(const RowLanes<double>::Vector& v) {
  typedef double Two __attribute__((vector_size(16)));
  const Two two = __builtin_shufflevector(v, v, 0, 1) + __builtin_shufflevector(v, v, 2, 3);
  return two[0] + two[1];
}

/// Asks for a part of the next kCols rows of b. What is read once comes from memory, and rows are
/// too short for the processor to find out by itself.
template <int kCols, class In>
inline void ask_for_next(const Rows<const In>& b, std::int64_t p) {
#pragma GCC unroll 4
  for (int j = 0; j < kCols; ++j) {
    __builtin_prefetch(b.data + (kCols + j) * b.stride + p, 0, 2);
  }
}

/// kRows x kCols elements of c = a b^T (+ c). `kOnce`: each row of b is read by this tile alone.
template <int kRows, int kCols, bool kOnce, class T, class In>
void dot_tile(std::int64_t depth, Rows<const In> a, Rows<const In> b, bool add, Rows<T> c) {
  using Vector = typename RowLanes<T>::Vector;
  constexpr std::int64_t kLanes = RowLanes<T>::kCount;
  constexpr std::int64_t kLine = 64 / sizeof(In);  // elements of a line of the cache
  Vector sums[kRows][kCols] = {};
  std::int64_t p = 0;
  for (; p + kLanes <= depth; p += kLanes) {
    if (kOnce && sizeof(In) < 4 && p % kLine == 0) ask_for_next<kCols>(b, p);
    Vector x[kRows];
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) x[i] = load_lanes(a.data + i * a.stride + p);
#pragma GCC unroll 4
    for (int j = 0; j < kCols; ++j) {
      const Vector y = load_lanes(b.data + j * b.stride + p);
#pragma GCC unroll 4
      for (int i = 0; i < kRows; ++i) sums[i][j] += x[i] * y;
    }
  }
  if (p < depth) {
    for (int j = 0; j < kCols; ++j) {
      const Vector y = load_some<T>(b.data + j * b.stride + p, depth - p);
      for (int i = 0; i < kRows; ++i) {
        sums[i][j] += load_some<T>(a.data + i * a.stride + p, depth - p) * y;
      }
    }
  }
  for (int i = 0; i < kRows; ++i) {
    for (int j = 0; j < kCols; ++j) {
      T& out = c.data[i * c.stride + j];
      const T sum = sum_of_lanes(sums[i][j]);
      out = add ? out + sum : sum;
    }
  }
}

/// kRows rows of c = a b (+ c), `cols` of them up to kVectors vectors wide.
template <int kRows, int kVectors, class T, class In>
void outer_tile(std::int64_t depth, std::int64_t cols, Rows<const In> a, Rows<const In> b, bool add,
                Rows<T> c) {
  using Vector = typename RowLanes<T>::Vector;
  constexpr std::int64_t kLanes = RowLanes<T>::kCount;
  Vector sums[kRows][kVectors] = {};
  const bool whole = cols == kVectors * kLanes;
  for (std::int64_t p = 0; p < depth; ++p) {
    const In* row = b.data + p * b.stride;
    Vector y[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const std::int64_t left = std::clamp<std::int64_t>(cols - v * kLanes, 0, kLanes);
      y[v] = whole ? load_lanes(row + v * kLanes) : load_some<T>(row + v * kLanes, left);
    }
#pragma GCC unroll 4
    for (int i = 0; i < kRows; ++i) {
      const T x = static_cast<T>(a.data[i * a.stride + p]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[i][v] += x * y[v];
    }
  }
  T line[kVectors * kLanes];
  for (int i = 0; i < kRows; ++i) {
    std::memcpy(line, sums[i], sizeof line);
    T* out = c.data + i * c.stride;
    for (std::int64_t j = 0; j < cols; ++j) out[j] = add ? out[j] + line[j] : line[j];
  }
}

/// How many rows of a tile there are left, as a number that the compiler knows.
template <int kMost, class Work>
void with_rows(std::int64_t rows, const Work& work) {
  if constexpr (kMost > 1) {
    if (rows < kMost) return with_rows<kMost - 1>(rows, work);
  }
  work(std::integral_constant<int, kMost>());
}

/// c = a b^T (+ c) or a b (+ c) on the calling thread.
template <class T, class In>
void row_gemm(Transpose transpose, const GemmShape& s, Rows<const In> a, Rows<const In> b, bool add,
              Rows<T> c) {
  constexpr int kRows = 3, kCols = 4, kVectors = 4;
  constexpr std::int64_t kBlockRows = 48;
  constexpr std::int64_t kWidth =
      std::int64_t{kVectors} * RowLanes<T>::kCount;  // of c, where b is not transposed
  const bool dots = transpose == Transpose::B;
  const std::int64_t step = dots ? kCols : kWidth;
  for (std::int64_t block = 0; block < s.m; block += kBlockRows) {
    const std::int64_t block_end = std::min(block + kBlockRows, s.m);
    for (std::int64_t j = 0; j < s.n; j += step) {
      const std::int64_t cols = std::min(step, s.n - j);
      const Rows<const In> y{b.data + j * (dots ? b.stride : 1), b.stride};
      for (std::int64_t i = block; i < block_end; i += kRows) {
        const Rows<const In> x{a.data + i * a.stride, a.stride};
        const Rows<T> z{c.data + i * c.stride + j, c.stride};
        with_rows<kRows>(block_end - i, [&](auto rows) {
          constexpr int kTileRows = decltype(rows)::value;
          if (!dots) return outer_tile<kTileRows, kVectors, T>(s.k, cols, x, y, add, z);
          with_rows<kCols>(cols, [&](auto columns) {
            constexpr int kTileCols = decltype(columns)::value;
            if (s.m <= kRows) {
              dot_tile<kTileRows, kTileCols, true, T>(s.k, x, y, add, z);
            } else {
              dot_tile<kTileRows, kTileCols, false, T>(s.k, x, y, add, z);
            }
          });
        });
      }
    }
  }
}

/// row_gemm() that widens BF16 once where there are many rows, and not at every multiplication.
/// Their numbers and the order of sums are the same, and so are the bits.
template <class T, class In>
void row_gemm_widened(Transpose transpose, const GemmShape& s, Rows<const In> a, Rows<const In> b,
                      bool add, Rows<T> c) {
  constexpr std::int64_t kFewRows = 6, kMostElements = 1 << 19;
  const bool dots = transpose == Transpose::B;
  const std::int64_t b_rows = dots ? s.n : s.k, b_cols = dots ? s.k : s.n;
  if (std::is_same_v<T, In> || s.m <= kFewRows || s.m * s.k + b_rows * b_cols > kMostElements) {
    return row_gemm<T, In>(transpose, s, a, b, add, c);
  }
  static thread_local std::vector<T> wide;
  wide.resize(static_cast<std::size_t>(s.m * s.k + b_rows * b_cols));
  const auto widen = [](Rows<const In> from, std::int64_t rows, std::int64_t cols, T* to) {
    for (std::int64_t i = 0; i < rows; ++i, to += cols) {
      const In* row = from.data + i * from.stride;
      std::int64_t j = 0;
      for (; j + RowLanes<T>::kCount <= cols; j += RowLanes<T>::kCount) {
        const auto lanes = load_lanes(row + j);
        std::memcpy(to + j, &lanes, sizeof lanes);
      }
      for (; j < cols; ++j) to[j] = static_cast<T>(row[j]);
    }
  };
  widen(a, s.m, s.k, wide.data());
  widen(b, b_rows, b_cols, wide.data() + s.m * s.k);
  row_gemm<T, T>(transpose, s, {wide.data(), s.k}, {wide.data() + s.m * s.k, b_cols}, add, c);
}

}  // namespace tessera::kernels::cpu
