// SPDX-License-Identifier: MIT
//
// One 128 x 128 tile to E4M3 in both layouts, by a block of 256 threads; thread t holds the 8 x 8
// values of rows 8 (t / 16).. and columns 8 (t % 16).., so that eight values that follow each other
// are in one thread along rows and along columns, and bytes need no transposition beyond a pass
// through shared memory. Where the values come from is the kernels' business: quantise_tile().
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp8.h>

#include <cstdint>
#include <type_traits>

#include "core/base/cuda/launch.h"
#include "kernels/quantise/quantise_launch.h"

namespace tessera::kernels::cuda::e4m3 {

constexpr int kTile = 128;
constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr float kLargest = 448.0f;  // the largest number of E4M3
constexpr float kSmallestMax = 1e-4f;

__device__ inline uint32_t max_bf16x2(uint32_t a, uint32_t b) {
  uint32_t larger;  // a NaN loses
  asm("max.bf16x2 %0, %1, %2;\n" : "=r"(larger) : "r"(a), "r"(b));
  return larger;
}
__device__ inline uint32_t magnitude(uint32_t pair) {
  return pair & 0x7fff7fffu;
}
__device__ inline float low_float(uint32_t pair) {
  return __uint_as_float(pair << 16);
}
__device__ inline float high_float(uint32_t pair) {
  return __uint_as_float(pair & 0xffff0000u);
}

__device__ inline uint32_t pack_bf16(float low, float high) {
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}
__device__ inline uint32_t pack_e4m3(float a, float b, float c, float d) {
  const uint32_t low = __nv_cvt_float2_to_fp8x2(make_float2(a, b), __NV_SATFINITE, __NV_E4M3);
  const uint32_t high = __nv_cvt_float2_to_fp8x2(make_float2(c, d), __NV_SATFINITE, __NV_E4M3);
  return low | (high << 16);
}

// NOTE: the CPU divides and multiplies in this order too; results must be equal in every bit.
__device__ inline float scale_of(float largest) {
  return __fdiv_rn(fmaxf(largest, kSmallestMax), kLargest);
}
__device__ inline float inverse_of(float largest) {
  return __fdiv_rn(kLargest, fmaxf(largest, kSmallestMax));
}

__device__ inline uint4 load_stream(const void* address) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(address));
  return v;
}

// Eight neighbours as BF16 pairs; F32 is rounded to nearest even.
__device__ inline uint4 load_pairs(const __nv_bfloat16* from) {
  return load_stream(from);
}
__device__ inline uint4 load_pairs(const float* from) {
  const uint4 a = load_stream(from), b = load_stream(from + 4);
  const auto pair = [](uint32_t low, uint32_t high) {
    return pack_bf16(__uint_as_float(low), __uint_as_float(high));
  };
  return make_uint4(pair(a.x, a.y), pair(a.z, a.w), pair(b.x, b.y), pair(b.z, b.w));
}

// The thread's 8 x 8 values as BF16 pairs.
struct PairBlock {
  uint32_t pairs[8][4];
  __device__ float at(int row, int column) const {
    const uint32_t pair = pairs[row][column / 2];
    return column % 2 == 0 ? low_float(pair) : high_float(pair);
  }
  __device__ void set_row(int row, const uint4& v) {
    pairs[row][0] = v.x;
    pairs[row][1] = v.y;
    pairs[row][2] = v.z;
    pairs[row][3] = v.w;
  }
  __device__ float largest() const {
    uint32_t m = 0;
#pragma unroll
    for (int r = 0; r < 8; ++r) {
#pragma unroll
      for (int c = 0; c < 4; ++c) m = max_bf16x2(m, magnitude(pairs[r][c]));
    }
    return fmaxf(low_float(m), high_float(m));
  }
};

struct FloatBlock {
  float values[8][8];
  __device__ float at(int row, int column) const { return values[row][column]; }
  __device__ float largest() const {
    float m = 0;
#pragma unroll
    for (int r = 0; r < 8; ++r) {
#pragma unroll
      for (int c = 0; c < 8; ++c) m = fmaxf(m, fabsf(values[r][c]));
    }
    return m;
  }
};

// Where the thread stands in the tensor.
struct Place {
  int64_t row;   // first of its 8 rows
  int column;    // first of its 8 columns
  int64_t rows;  // live rows
  int cols;
  __device__ bool has_row(int r) const { return r < rows_here(); }
  /// Which of the thread's rows are live: one comparison of 64 bits for all eight.
  __device__ int rows_here() const {
    return static_cast<int>(max(int64_t{0}, min(int64_t{8}, rows - row)));
  }
  __device__ bool has_columns() const { return column < cols; }
};
/// The same in a tile that lies in the tensor as a whole, which nearly all do: nothing is asked.
struct WholePlace : Place {
  __device__ static constexpr bool has_row(int) { return true; }
  __device__ static constexpr int rows_here() { return 8; }
  __device__ static constexpr bool has_columns() { return true; }
};
template <class P>
constexpr bool kIsWhole = std::is_same_v<P, WholePlace>;

/// Calls body(place), with a WholePlace where the tile that begins at (row0, column0) is whole.
template <class Body>
__device__ inline void with_place(const Place& place, int64_t row0, int column0, const Body& body) {
  if (row0 + kTile <= place.rows && column0 + kTile <= place.cols) {
    body(WholePlace{place});
  } else {
    body(place);
  }
}

// ---- transposition through shared memory
// ---------------------------------------------------------

// NOTE: the 8-byte unit of rows 8 u.. of a column is stored as number u ^ (column / 8), so that the
// threads of half a warp, 8 columns apart, write to different banks.
__device__ inline uint32_t staged_at(uint32_t column, uint32_t unit) {
  return column * kTile + (unit ^ (column / 8)) * 8;
}

/// What becomes of bytes that are written: read soon, or not before L2 has seen much else.
enum class Written { soon_read, streamed };

template <Written WRITTEN, class V>
__device__ inline void put(uint8_t* to, const V& v) {
  if constexpr (WRITTEN == Written::streamed) {
    __stcs(reinterpret_cast<V*>(to), v);
  } else {
    *reinterpret_cast<V*>(to) = v;
  }
}

// Writes the tile's columns as rows of `to`, the first tile element at (row0, column0).
template <Written WRITTEN = Written::soon_read, bool WHOLE = false>
__device__ inline void write_transposed(const uint8_t* staged, uint8_t* to, int64_t stride,
                                        int64_t row0, int column0, int64_t rows, int cols) {
  // A thread has the same 16 rows of columns that are kStep apart.
  constexpr int kStep = kThreads / 8;
  const int first = static_cast<int>(threadIdx.x) / 8, rows16 = static_cast<int>(threadIdx.x) % 8;
  int columns = kTile;
  if constexpr (!WHOLE) columns = row0 + rows16 * 16 < rows ? cols - column0 : 0;
  to += (column0 + first) * stride + row0 + rows16 * 16;
  const uint32_t low = staged_at(first, 2 * rows16), high = staged_at(first, 2 * rows16 + 1);
#pragma unroll
  for (int i = 0; i < kTile / kStep; ++i, to += kStep * stride) {
    if (!WHOLE && first + i * kStep >= columns) continue;
    // staged_at() of the column i kStep further on.
    const auto at = [&](uint32_t unit) {
      return *reinterpret_cast<const uint2*>(staged + ((unit ^ (i * kStep)) + i * kStep * kTile));
    };
    const uint2 a = at(low), b = at(high);
    put<WRITTEN>(to, make_uint4(a.x, a.y, b.x, b.y));
  }
}

template <class Block>
__device__ inline void stage_block(uint8_t* staged, const Block& block, const float* inverse) {
  const int c8 = threadIdx.x % 16, r8 = threadIdx.x / 16;
  uint8_t* to = staged + staged_at(8 * c8, r8);
#pragma unroll
  for (int c = 0; c < 8; ++c) {
    const float s = inverse[c];
    *reinterpret_cast<uint2*>(to + c * kTile) = make_uint2(
        pack_e4m3(block.at(0, c) * s, block.at(1, c) * s, block.at(2, c) * s, block.at(3, c) * s),
        pack_e4m3(block.at(4, c) * s, block.at(5, c) * s, block.at(6, c) * s, block.at(7, c) * s));
  }
}

template <Written WRITTEN = Written::soon_read, class Block, class P>
__device__ inline void write_rows(uint8_t* to, const Block& block, const P& place,
                                  const float* inverse) {
  if (!place.has_columns()) return;
  to += place.row * place.cols + place.column;
#pragma unroll
  for (int r = 0; r < 8; ++r, to += place.cols) {
    const float s = inverse[r];
    if (!place.has_row(r)) continue;
    const uint2 bytes = make_uint2(
        pack_e4m3(block.at(r, 0) * s, block.at(r, 1) * s, block.at(r, 2) * s, block.at(r, 3) * s),
        pack_e4m3(block.at(r, 4) * s, block.at(r, 5) * s, block.at(r, 6) * s, block.at(r, 7) * s));
    put<WRITTEN>(to, bytes);
  }
}

// ---- activations
// ---------------------------------------------------------------------------------

struct ActivationShared {
  alignas(16) uint16_t row_max[kTile];
  alignas(16) uint32_t column_max[kWarps][kTile / 2];
  alignas(16) float row_inverse[kTile];
  alignas(16) float column_inverse[kTile];
  alignas(16) uint8_t staged[kTile * kTile];
};

/// The maximum of both lanes' `keep`, where a lane keeps the one of (low, high) that its bit of
/// `step` names and hands over the other: two values become one in half as many exchanges.
__device__ inline uint32_t exchange_max(uint32_t low, uint32_t high, int step) {
  const bool upper = (threadIdx.x & step) != 0;
  const uint32_t keep = upper ? high : low, give = upper ? low : high;
  return max_bf16x2(keep, __shfl_xor_sync(0xffffffff, give, step));
}

// Largest magnitudes of the tile's 128 rows.
__device__ inline void row_maxima(const PairBlock& block, ActivationShared& shared) {
  uint32_t by_rows[4];  // rows 2 i and 2 i + 1 as a pair
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    uint32_t of[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const uint32_t* p = block.pairs[2 * i + h];
      of[h] = max_bf16x2(max_bf16x2(magnitude(p[0]), magnitude(p[1])),
                         max_bf16x2(magnitude(p[2]), magnitude(p[3])));
    }
    by_rows[i] = max_bf16x2(__byte_perm(of[0], of[1], 0x5410), __byte_perm(of[0], of[1], 0x7632));
  }
  // Over the 16 threads of the rows. Lanes with bits 8 and 4 of i's end with pair i.
  const uint32_t first = exchange_max(by_rows[0], by_rows[2], 8);
  const uint32_t second = exchange_max(by_rows[1], by_rows[3], 8);
  uint32_t largest = exchange_max(first, second, 4);
#pragma unroll
  for (int step = 2; step > 0; step /= 2) {
    largest = max_bf16x2(largest, __shfl_xor_sync(0xffffffff, largest, step));
  }
  if (threadIdx.x % 4 == 0) {
    const int pair = threadIdx.x / 8 % 2 * 2 + threadIdx.x / 4 % 2;
    *reinterpret_cast<uint32_t*>(&shared.row_max[threadIdx.x / 16 * 8 + 2 * pair]) = largest;
  }
}
// Largest magnitudes of the tile's columns within each warp's 16 rows.
__device__ inline void column_maxima(const PairBlock& block, ActivationShared& shared) {
  uint32_t by_columns[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    uint32_t m = magnitude(block.pairs[0][i]);
#pragma unroll
    for (int r = 1; r < 8; ++r) m = max_bf16x2(m, magnitude(block.pairs[r][i]));
    by_columns[i] = m;
  }
  const uint2 largest = make_uint2(exchange_max(by_columns[0], by_columns[2], 16),
                                   exchange_max(by_columns[1], by_columns[3], 16));
  const int half = threadIdx.x / 16 % 2;  // has columns 8 c + 4 half..
  *reinterpret_cast<uint2*>(
      &shared.column_max[threadIdx.x / 32][4 * (threadIdx.x % 16) + 2 * half]) = largest;
}

// Threads 0 to 127 finish one row each, the others one column each.
template <class P>
__device__ inline void tile_scales(ActivationShared& shared, const QuantisedActivation& out,
                                   int64_t row0, int column0, const P& place) {
  const int i = threadIdx.x % kTile;
  if (threadIdx.x < kTile) {
    if (out.values == nullptr) return;
    const float m = low_float(shared.row_max[i]);
    shared.row_inverse[i] = inverse_of(m);
    if (kIsWhole<P> || row0 + i < place.rows) {
      out.scales[column0 / kTile * out.scale_stride + row0 + i] = scale_of(m);
    }
  } else {
    if (out.values_t == nullptr) return;
    uint32_t pair = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) pair = max_bf16x2(pair, shared.column_max[w][i / 2]);
    const float m = i % 2 == 0 ? low_float(pair) : high_float(pair);
    shared.column_inverse[i] = inverse_of(m);
    if (kIsWhole<P> || column0 + i < place.cols) {
      out.scales_t[row0 / kTile * out.scale_stride_t + column0 + i] = scale_of(m);
    }
  }
}

template <Written WRITTEN = Written::soon_read, class P>
__device__ inline void quantise_tile(const PairBlock& block, const P& place, int64_t row0,
                                     int column0, const QuantisedActivation& out,
                                     ActivationShared& shared) {
  if (out.values != nullptr) row_maxima(block, shared);
  if (out.values_t != nullptr) column_maxima(block, shared);
  __syncthreads();
  tile_scales(shared, out, row0, column0, place);
  __syncthreads();
  if (out.values != nullptr) {
    write_rows<WRITTEN>(static_cast<uint8_t*>(out.values), block, place,
                        shared.row_inverse + threadIdx.x / 16 * 8);
  }
  if (out.values_t == nullptr) return;
  stage_block(shared.staged, block, shared.column_inverse + threadIdx.x % 16 * 8);
  __syncthreads();
  write_transposed<WRITTEN, kIsWhole<P>>(shared.staged, static_cast<uint8_t*>(out.values_t),
                                         out.stride_t, row0, column0, place.rows, place.cols);
}

__device__ inline int64_t live(int64_t rows, const int32_t* live_rows) {
  return live_rows == nullptr ? rows : min(rows, static_cast<int64_t>(*live_rows));
}

__device__ inline Place place_of(int64_t rows, int cols) {
  return {static_cast<int64_t>(blockIdx.y) * kTile + threadIdx.x / 16 * 8,
          static_cast<int>(blockIdx.x) * kTile + static_cast<int>(threadIdx.x) % 16 * 8, rows,
          cols};
}

// A grid of tiles, columns along x. Throws Error past 65,535 tiles of rows.
dim3 tiles(int64_t rows, int cols, int batch, const char* where);

// Throws Error unless the layouts of `out` fit (rows, cols).
void check_activation(int64_t rows, int cols, const QuantisedActivation& out, const char* where);

}  // namespace tessera::kernels::cuda::e4m3
