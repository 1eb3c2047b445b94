// SPDX-License-Identifier: MIT
//
// Quantisation to E4M3 in both layouts. One block of 256 threads per 128 x 128 tile; thread t holds
// the 8 x 8 values of rows 8 (t / 16).. and columns 8 (t % 16).., so that eight values that follow
// each other are in one thread along rows and along columns, and bytes need no transposition beyond
// a pass through shared memory.
#include <cuda_runtime.h>

#include <cstdint>

#include "core/base/error.h"
#include "kernels/quantise/quantise_launch.h"

namespace tessera::kernels::cuda {

namespace {

constexpr int kTile = 128;
constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr float kLargest = 448.0f;  // of E4M3
constexpr float kSmallestMax = 1e-4f;

void check(const char* where) {
  const cudaError_t status = cudaGetLastError();
  if (status != cudaSuccess) throw Error(where, cudaGetErrorString(status));
}

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
  uint16_t low, high;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;\n" : "=h"(low) : "f"(b), "f"(a));
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;\n" : "=h"(high) : "f"(d), "f"(c));
  return static_cast<uint32_t>(low) | (static_cast<uint32_t>(high) << 16);
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
  __device__ bool has_row(int r) const { return row + r < rows; }
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

// Writes the tile's columns as rows of `to`, the first tile element at (row0, column0).
__device__ inline void write_transposed(const uint8_t* staged, uint8_t* to, int64_t stride,
                                        int64_t row0, int column0, int64_t rows, int cols) {
#pragma unroll
  for (int i = 0; i < kTile * kTile / 16 / kThreads; ++i) {
    const int item = i * kThreads + static_cast<int>(threadIdx.x);
    const int column = item / 8, rows16 = item % 8;
    if (column0 + column < cols && row0 + rows16 * 16 < rows) {
      *reinterpret_cast<uint4*>(to + (column0 + column) * stride + row0 + rows16 * 16) =
          staged_rows(staged, column, rows16);
    }
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

template <class Block>
__device__ inline void write_rows(uint8_t* to, const Block& block, const Place& place,
                                  const float* inverse) {
  if (!place.has_columns()) return;
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    const float s = inverse[r];
    if (!place.has_row(r)) continue;
    *reinterpret_cast<uint2*>(to + (place.row + r) * place.cols + place.column) = make_uint2(
        pack_e4m3(block.at(r, 0) * s, block.at(r, 1) * s, block.at(r, 2) * s, block.at(r, 3) * s),
        pack_e4m3(block.at(r, 4) * s, block.at(r, 5) * s, block.at(r, 6) * s, block.at(r, 7) * s));
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

__device__ inline void quantise_tile(const PairBlock& block, const Place& place, int64_t row0,
                                     int column0, const QuantisedActivation& out,
                                     ActivationShared& shared) {
  tile_maxima(block, shared);
  __syncthreads();
  tile_scales(shared, out, row0, column0, place.rows, place.cols);
  __syncthreads();
  if (out.values != nullptr) {
    write_rows(static_cast<uint8_t*>(out.values), block, place,
               shared.row_inverse + threadIdx.x / 16 * 8);
  }
  if (out.values_t == nullptr) return;
  stage_block(shared.staged, block, shared.column_inverse + threadIdx.x % 16 * 8);
  __syncthreads();
  write_transposed(shared.staged, static_cast<uint8_t*>(out.values_t), out.stride_t, row0, column0,
                   place.rows, place.cols);
}

__device__ inline int64_t live(int64_t rows, const int32_t* live_rows) {
  return live_rows == nullptr ? rows : min(rows, static_cast<int64_t>(*live_rows));
}

__device__ inline Place place_of(int64_t rows, int cols) {
  return {static_cast<int64_t>(blockIdx.y) * kTile + threadIdx.x / 16 * 8,
          static_cast<int>(blockIdx.x) * kTile + static_cast<int>(threadIdx.x) % 16 * 8, rows,
          cols};
}

__global__ void __launch_bounds__(kThreads, 3)
    activation_kernel(const uint8_t* x, int64_t rows, int cols, const int32_t* live_rows,
                      const QuantisedActivation out) {
  __shared__ ActivationShared shared;
  const Place place = place_of(live(rows, live_rows), cols);
  const int64_t row0 = static_cast<int64_t>(blockIdx.y) * kTile;
  if (row0 >= place.rows) return;
  PairBlock block;
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    uint4 v = make_uint4(0, 0, 0, 0);
    if (place.has_row(r) && place.has_columns()) {
      v = load_stream(x + ((place.row + r) * cols + place.column) * 2);
    }
    block.set_row(r, v);
  }
  quantise_tile(block, place, row0, blockIdx.x * kTile, out, shared);
}

__device__ inline float swiglu(float gate, float up) {
  return __fdividef(gate, 1.0f + __expf(-gate)) * up;
}
__device__ inline uint32_t swiglu_pair(uint32_t gate, uint32_t up) {
  return pack_bf16(swiglu(low_float(gate), low_float(up)),
                   swiglu(high_float(gate), high_float(up)));
}

__global__ void __launch_bounds__(kThreads, 3)
    swiglu_kernel(const uint8_t* gate_up, int64_t rows, int width, const int32_t* live_rows,
                  uint8_t* y, const QuantisedActivation out) {
  __shared__ ActivationShared shared;
  const Place place = place_of(live(rows, live_rows), width);
  const int64_t row0 = static_cast<int64_t>(blockIdx.y) * kTile;
  if (row0 >= place.rows) return;
  PairBlock block;
  // Four rows at a time: eight loads in flight, and registers for no more.
#pragma unroll
  for (int first = 0; first < 8; first += 4) {
    uint4 gate[4], up[4];
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      gate[r] = up[r] = make_uint4(0, 0, 0, 0);
      if (place.has_row(first + r) && place.has_columns()) {
        const uint8_t* at = gate_up + ((place.row + first + r) * 2 * width + place.column) * 2;
        gate[r] = load_stream(at);
        up[r] = load_stream(at + static_cast<int64_t>(width) * 2);
      }
    }
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      const uint4 v = make_uint4(swiglu_pair(gate[r].x, up[r].x), swiglu_pair(gate[r].y, up[r].y),
                                 swiglu_pair(gate[r].z, up[r].z), swiglu_pair(gate[r].w, up[r].w));
      block.set_row(first + r, v);
      if (y != nullptr && place.has_row(first + r) && place.has_columns()) {
        *reinterpret_cast<uint4*>(y + ((place.row + first + r) * width + place.column) * 2) = v;
      }
    }
  }
  quantise_tile(block, place, row0, blockIdx.x * kTile, out, shared);
}

// ---- weights
// -------------------------------------------------------------------------------------

struct WeightShared {
  float largest[kWarps];
  alignas(16) uint8_t staged[kTile * kTile];
};

__device__ inline void load_block(const uint8_t* w, const Place& place, PairBlock& block) {
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    uint4 v = make_uint4(0, 0, 0, 0);
    if (place.has_row(r) && place.has_columns()) {
      v = load_stream(w + ((place.row + r) * place.cols + place.column) * 2);
    }
    block.set_row(r, v);
  }
}
__device__ inline void load_block(const uint8_t* w, const Place& place, FloatBlock& block) {
#pragma unroll
  for (int r = 0; r < 8; ++r) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      uint4 v = make_uint4(0, 0, 0, 0);
      if (place.has_row(r) && place.has_columns()) {
        v = load_stream(w + ((place.row + r) * place.cols + place.column) * 4 + 16 * h);
      }
      block.values[r][4 * h] = __uint_as_float(v.x);
      block.values[r][4 * h + 1] = __uint_as_float(v.y);
      block.values[r][4 * h + 2] = __uint_as_float(v.z);
      block.values[r][4 * h + 3] = __uint_as_float(v.w);
    }
  }
}

__device__ inline float block_largest(float value, float* of_warps) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    value = fmaxf(value, __shfl_xor_sync(0xffffffff, value, step));
  }
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
  __syncthreads();
  float largest = of_warps[0];
#pragma unroll
  for (int w = 1; w < kWarps; ++w) largest = fmaxf(largest, of_warps[w]);
  return largest;
}

template <class Block>
__global__ void __launch_bounds__(kThreads, 2)
    weight_kernel(const uint8_t* w, int element_bytes, int n, int k, const QuantisedWeight out) {
  __shared__ WeightShared shared;
  const Place place = place_of(n, k);
  const int64_t row0 = static_cast<int64_t>(blockIdx.y) * kTile, batch = blockIdx.z;
  const int64_t first = batch * n * k;
  Block block;
  load_block(w + first * element_bytes, place, block);
  const float largest = block_largest(block.largest(), shared.largest);
  const float inverse = inverse_of(largest);
  float inverses[8];
#pragma unroll
  for (float& value : inverses) value = inverse;
  if (threadIdx.x == 0) {
    if (out.values != nullptr) {
      out.scales[(batch * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = scale_of(largest);
    }
    if (out.values_t != nullptr) {
      out.scales_t[(batch * gridDim.x + blockIdx.x) * gridDim.y + blockIdx.y] = scale_of(largest);
    }
  }
  if (out.values != nullptr) {
    write_rows(static_cast<uint8_t*>(out.values) + first, block, place, inverses);
  }
  if (out.values_t == nullptr) return;
  stage_block(shared.staged, block, inverses);
  __syncthreads();
  write_transposed(shared.staged, static_cast<uint8_t*>(out.values_t) + first, n, row0,
                   blockIdx.x * kTile, n, k);
}

// ---- launches
// ------------------------------------------------------------------------------------

dim3 tiles(int64_t rows, int cols, int batch, const char* where) {
  const int64_t down = (rows + kTile - 1) / kTile;
  require(down <= 65535, where, "{} rows; at most 8,388,480 are handled", rows);
  return {static_cast<unsigned>((cols + kTile - 1) / kTile), static_cast<unsigned>(down),
          static_cast<unsigned>(batch)};
}

void check_activation(int64_t rows, int cols, const QuantisedActivation& out, const char* where) {
  require(rows >= 0 && cols >= 0 && cols % 8 == 0, where,
          "expected columns in multiples of 8, got ({}, {})", rows, cols);
  require(out.values == nullptr || out.scale_stride >= rows, where,
          "expected scale_stride >= {} rows, got {}", rows, out.scale_stride);
  require(out.values_t == nullptr ||
              (out.stride_t % 16 == 0 && out.stride_t >= rows && out.scale_stride_t >= cols),
          where,
          "expected stride_t a multiple of 16 and >= {} rows, scale_stride_t >= {}; got {}, {}",
          rows, cols, out.stride_t, out.scale_stride_t);
}

}  // namespace

void quantise_activation(CUstream_st* stream, const void* x, int64_t rows, int cols,
                         const int32_t* live_rows, const QuantisedActivation& out) {
  check_activation(rows, cols, out, "quantise_activation");
  if (rows == 0 || cols == 0) return;
  activation_kernel<<<tiles(rows, cols, 1, "quantise_activation"), kThreads, 0, stream>>>(
      static_cast<const uint8_t*>(x), rows, cols, live_rows, out);
  check("quantise_activation");
}

void swiglu_quantise(CUstream_st* stream, const void* gate_up, int64_t rows, int width,
                     const int32_t* live_rows, void* y, const QuantisedActivation& out) {
  check_activation(rows, width, out, "swiglu_quantise");
  if (rows == 0 || width == 0) return;
  swiglu_kernel<<<tiles(rows, width, 1, "swiglu_quantise"), kThreads, 0, stream>>>(
      static_cast<const uint8_t*>(gate_up), rows, width, live_rows, static_cast<uint8_t*>(y), out);
  check("swiglu_quantise");
}

void quantise_weight(CUstream_st* stream, const void* w, bool is_bf16, int batch, int n, int k,
                     const QuantisedWeight& out) {
  require(batch >= 0 && batch <= 65535 && n >= 0 && n % 16 == 0 && k >= 0 && k % 16 == 0,
          "quantise_weight", "expected n and k in multiples of 16, got ({}, {}, {})", batch, n, k);
  if (batch == 0 || n == 0 || k == 0) return;
  const dim3 grid = tiles(n, k, batch, "quantise_weight");
  const auto* bytes = static_cast<const uint8_t*>(w);
  if (is_bf16) {
    weight_kernel<PairBlock><<<grid, kThreads, 0, stream>>>(bytes, 2, n, k, out);
  } else {
    weight_kernel<FloatBlock><<<grid, kThreads, 0, stream>>>(bytes, 4, n, k, out);
  }
  check("quantise_weight");
}

}  // namespace tessera::kernels::cuda
