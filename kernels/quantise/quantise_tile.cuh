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

#include "core/base/cuda/launch.h"
#include "kernels/quantise/quantise_launch.h"

namespace tessera::kernels::cuda::e4m3 {

constexpr int kTile = 128;
constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr float kLargest = 448.0f;  // of E4M3
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
  /// Of the thread's rows, those that are live: one comparison of 64 bits for all eight.
  __device__ int rows_here() const {
    return static_cast<int>(max(int64_t{0}, min(int64_t{8}, rows - row)));
  }
  __device__ bool has_columns() const { return column < cols; }
};

// ---- transposition through shared memory
// ---------------------------------------------------------

// NOTE: 8-byte units of a column are stored at unit ^ (column / 8), so that the threads of half a
// warp, 8 columns apart, write to different banks.
__device__ inline void stage_column(uint8_t* staged, int column, int row_unit, uint2 bytes) {
  const int unit = row_unit ^ (column / 8);
  *reinterpret_cast<uint2*>(staged + column * kTile + unit * 8) = bytes;
}
__device__ inline uint4 staged_rows(const uint8_t* staged, int column, int rows16) {
  const int first = (2 * rows16) ^ (column / 8);
  const uint4 v = *reinterpret_cast<const uint4*>(staged + column * kTile + (first & ~1) * 8);
  return (first & 1) != 0 ? make_uint4(v.z, v.w, v.x, v.y) : v;
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
template <Written WRITTEN = Written::soon_read>
__device__ inline void write_transposed(const uint8_t* staged, uint8_t* to, int64_t stride,
                                        int64_t row0, int column0, int64_t rows, int cols) {
  // A thread has the same rows of columns that are kStep apart.
  constexpr int kStep = kThreads / 8;
  const int first = static_cast<int>(threadIdx.x) / 8, rows16 = static_cast<int>(threadIdx.x) % 8;
  const int columns = row0 + rows16 * 16 < rows ? cols - column0 : 0;
  to += (column0 + first) * stride + row0 + rows16 * 16;
#pragma unroll
  for (int column = first; column - first < kTile; column += kStep, to += kStep * stride) {
    if (column < columns) put<WRITTEN>(to, staged_rows(staged, column, rows16));
  }
}

template <class Block>
__device__ inline void stage_block(uint8_t* staged, const Block& block, const float* inverse) {
  const int c8 = threadIdx.x % 16, r8 = threadIdx.x / 16;
#pragma unroll
  for (int c = 0; c < 8; ++c) {
    const float s = inverse[c];
    stage_column(staged, 8 * c8 + c, r8,
                 make_uint2(pack_e4m3(block.at(0, c) * s, block.at(1, c) * s, block.at(2, c) * s,
                                      block.at(3, c) * s),
                            pack_e4m3(block.at(4, c) * s, block.at(5, c) * s, block.at(6, c) * s,
                                      block.at(7, c) * s)));
  }
}

template <Written WRITTEN = Written::soon_read, class Block>
__device__ inline void write_rows(uint8_t* to, const Block& block, const Place& place,
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
  uint16_t row_max[kTile];
  uint32_t column_max[kWarps][kTile / 2];
  float row_inverse[kTile];
  float column_inverse[kTile];
  alignas(16) uint8_t staged[kTile * kTile];
};

// Largest magnitudes of the tile's 128 rows, and of the columns within each warp's 16 rows.
__device__ inline void tile_maxima(const PairBlock& block, ActivationShared& shared) {
  const int lane = threadIdx.x % 32, c8 = threadIdx.x % 16, r8 = threadIdx.x / 16;
  uint32_t by_rows[4], by_columns[4];
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
    uint32_t m = magnitude(block.pairs[0][i]);
#pragma unroll
    for (int r = 1; r < 8; ++r) m = max_bf16x2(m, magnitude(block.pairs[r][i]));
    by_columns[i] = m;
  }
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int step = 8; step > 0; step /= 2) {
      by_rows[i] = max_bf16x2(by_rows[i], __shfl_xor_sync(0xffffffff, by_rows[i], step));
    }
    by_columns[i] = max_bf16x2(by_columns[i], __shfl_xor_sync(0xffffffff, by_columns[i], 16));
  }
  if (c8 == 0) {
    *reinterpret_cast<uint4*>(&shared.row_max[8 * r8]) =
        make_uint4(by_rows[0], by_rows[1], by_rows[2], by_rows[3]);
  }
  if (lane < 16) {
    *reinterpret_cast<uint4*>(&shared.column_max[threadIdx.x / 32][4 * c8]) =
        make_uint4(by_columns[0], by_columns[1], by_columns[2], by_columns[3]);
  }
}

// Threads 0 to 127 finish one row each, the others one column each.
__device__ inline void tile_scales(ActivationShared& shared, const QuantisedActivation& out,
                                   int64_t row0, int column0, int64_t rows, int cols) {
  const int i = threadIdx.x % kTile;
  if (threadIdx.x < kTile) {
    const float m = low_float(shared.row_max[i]);
    shared.row_inverse[i] = inverse_of(m);
    if (out.values != nullptr && row0 + i < rows) {
      out.scales[column0 / kTile * out.scale_stride + row0 + i] = scale_of(m);
    }
  } else {
    uint32_t pair = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) pair = max_bf16x2(pair, shared.column_max[w][i / 2]);
    const float m = i % 2 == 0 ? low_float(pair) : high_float(pair);
    shared.column_inverse[i] = inverse_of(m);
    if (out.values_t != nullptr && column0 + i < cols) {
      out.scales_t[row0 / kTile * out.scale_stride_t + column0 + i] = scale_of(m);
    }
  }
}

template <Written WRITTEN = Written::soon_read>
__device__ inline void quantise_tile(const PairBlock& block, const Place& place, int64_t row0,
                                     int column0, const QuantisedActivation& out,
                                     ActivationShared& shared) {
  tile_maxima(block, shared);
  __syncthreads();
  tile_scales(shared, out, row0, column0, place.rows, place.cols);
  __syncthreads();
  if (out.values != nullptr) {
    write_rows<WRITTEN>(static_cast<uint8_t*>(out.values), block, place,
                        shared.row_inverse + threadIdx.x / 16 * 8);
  }
  if (out.values_t == nullptr) return;
  stage_block(shared.staged, block, shared.column_inverse + threadIdx.x % 16 * 8);
  __syncthreads();
  write_transposed<WRITTEN>(shared.staged, static_cast<uint8_t*>(out.values_t), out.stride_t, row0,
                            column0, place.rows, place.cols);
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
