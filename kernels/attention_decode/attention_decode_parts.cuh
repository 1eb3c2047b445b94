// SPDX-License-Identifier: MIT
// What the kernels of decoding share: the task, and the merge of a row's chunks.
#pragma once

#include <cfloat>
#include <cstdint>

#include "core/base/cuda/element.cuh"
#include "core/base/cuda/launch.h"
#include "kernels/cuda/pack.cuh"
#include "kernels/ptx/dependent_launch.cuh"

namespace tessera::kernels::cuda {

struct DecodeTask {
  const void* q;
  const void* cache;
  void* o;
  std::int64_t q_row, q_head, o_row, o_head, cache_page, cache_token, pages_row;  // elements
  const std::int32_t *pages, *lengths;
  int rows, heads, d, d_latent, page_tokens, pages_in_cache, max_positions, chunks;
  float scale;
  float* sums;     // (rows, chunks, heads, d_latent)
  float2* states;  // (rows, chunks, heads): largest scaled score, sum of exponentials
  tessera::cuda::Fault bad_page, bad_length;
};

constexpr int kMergeThreads = 128;

/// o of one row and head from the row's chunks of `chunk` positions, in their order. A thread has
/// WIDTH neighbouring values, which o and d_latent must allow. May be launched early.
template <class Out, int WIDTH>
__global__ void __launch_bounds__(kMergeThreads) merge_kernel(DecodeTask x, int chunk) {
  ptx::wait_for_grid_before();
  const int row = blockIdx.x, head = blockIdx.y;
  const int length = min(x.lengths[row], x.max_positions);
  const int chunks = (length + chunk - 1) / chunk;
  const std::int64_t first = std::int64_t{row} * x.chunks * x.heads + head;
  float max = -FLT_MAX;
  for (int c = 0; c < chunks; ++c) max = fmaxf(max, x.states[first + c * x.heads].x);
  Out* to = static_cast<Out*>(x.o) + row * x.o_row + head * x.o_head;
  for (int i = WIDTH * threadIdx.x; i < x.d_latent; i += WIDTH * kMergeThreads) {
    float sum = 0, value[WIDTH] = {};
    for (int c = 0; c < chunks; ++c) {
      const std::int64_t part = first + std::int64_t{c} * x.heads;
      const float2 state = x.states[part];
      const float factor = expf(state.x - max);
      sum = fmaf(state.y, factor, sum);
      float share[WIDTH];
      load<WIDTH>(x.sums + part * x.d_latent + i, share);
#pragma unroll
      for (int j = 0; j < WIDTH; ++j) value[j] = fmaf(factor, share[j], value[j]);
    }
#pragma unroll
    for (int j = 0; j < WIDTH; ++j) value[j] /= sum;
    save<WIDTH>(to + i, value);
  }
}

}  // namespace tessera::kernels::cuda
