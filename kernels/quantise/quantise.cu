// SPDX-License-Identifier: MIT
// Quantisation to E4M3 of activations and weights; the tile itself is in quantise_tile.cuh.
#include "core/base/error.h"
#include "kernels/quantise/weight_tile.cuh"

namespace tessera::kernels::cuda::e4m3 {

namespace {

template <class X>
__global__ void __launch_bounds__(kThreads, 3)
    activation_kernel(const X* x, int64_t rows, int cols, const int32_t* live_rows,
                      const QuantisedActivation out) {
  __shared__ ActivationShared shared;
  const Place place = place_of(live(rows, live_rows), cols);
  const int64_t row0 = static_cast<int64_t>(blockIdx.y) * kTile;
  if (row0 >= place.rows) return;
  with_place(place, row0, blockIdx.x * kTile, [&](const auto& here) {
    PairBlock block;
    const X* from = x + here.row * cols + here.column;
#pragma unroll
    for (int r = 0; r < 8; ++r, from += cols) {
      uint4 v = make_uint4(0, 0, 0, 0);
      if (here.has_row(r) && here.has_columns()) v = load_pairs(from);
      block.set_row(r, v);
    }
    quantise_tile(block, here, row0, blockIdx.x * kTile, out, shared);
  });
}

// ---- weights
// -------------------------------------------------------------------------------------

template <class P>
__device__ inline void load_block(const uint8_t* w, const P& place, PairBlock& block) {
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    uint4 v = make_uint4(0, 0, 0, 0);
    if (place.has_row(r) && place.has_columns()) {
      v = load_stream(w + ((place.row + r) * place.cols + place.column) * 2);
    }
    block.set_row(r, v);
  }
}
template <class P>
__device__ inline void load_block(const uint8_t* w, const P& place, FloatBlock& block) {
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

template <class Block>
__global__ void __launch_bounds__(kThreads, 2)
    weight_kernel(const uint8_t* w, int element_bytes, int n, int k, const QuantisedWeight out) {
  __shared__ WeightShared shared;
  const Place place = place_of(n, k);
  const int64_t batch = blockIdx.z, first = batch * n * k;
  with_place(place, static_cast<int64_t>(blockIdx.y) * kTile, blockIdx.x * kTile,
             [&](const auto& here) {
               Block block;
               load_block(w + first * element_bytes, here, block);
               quantise_weight_tile(block, here, batch, n, k, out, shared);
             });
}

// ---- launches
// ------------------------------------------------------------------------------------

}  // namespace

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

void quantise_activation(CUstream_st* stream, const void* x, bool is_bf16, int64_t rows, int cols,
                         const int32_t* live_rows, const QuantisedActivation& out) {
  check_activation(rows, cols, out, "quantise");
  if (rows == 0 || cols == 0) return;
  const dim3 grid = tiles(rows, cols, 1, "quantise");
  if (is_bf16) {
    activation_kernel<<<grid, kThreads, 0, stream>>>(static_cast<const __nv_bfloat16*>(x), rows,
                                                     cols, live_rows, out);
  } else {
    activation_kernel<<<grid, kThreads, 0, stream>>>(static_cast<const float*>(x), rows, cols,
                                                     live_rows, out);
  }
  check_launch("quantise");
}
void quantise_activation(CUstream_st* stream, const void* x, int64_t rows, int cols,
                         const int32_t* live_rows, const QuantisedActivation& out) {
  quantise_activation(stream, x, true, rows, cols, live_rows, out);
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
  check_launch("quantise_weight");
}

}  // namespace tessera::kernels::cuda::e4m3
