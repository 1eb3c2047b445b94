// SPDX-License-Identifier: MIT
// What the kernels of decoding share: the task, and the merge of a row's chunks.
#pragma once

#include <cfloat>
#include <cstdint>

#include "core/base/cuda/element.cuh"
#include "core/base/cuda/launch.h"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/reduce.cuh"
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

struct LargerScore {
  __device__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

/// o of one row and head from the row's chunks of `chunk` positions, in their order. A thread has
/// WIDTH neighbouring values, which o and d_latent must allow. May be launched early. What differs
/// from chunk to chunk is read by a thread for each, so that nothing waits for one after the other.
template <class Out, int WIDTH>
__global__ void __launch_bounds__(kMergeThreads) merge_kernel(DecodeTask x, int chunk) {
  constexpr int kAtOnce = 8;  // loads on their way
  __shared__ float largest[kMergeThreads / kWarp], factors[kMergeThreads], sums[kMergeThreads];
  ptx::launch_dependents();
  ptx::wait_for_grid_before();
  const int row = blockIdx.x, head = blockIdx.y, thread = static_cast<int>(threadIdx.x);
  const int length = min(x.lengths[row], x.max_positions);
  const int chunks = (length + chunk - 1) / chunk;
  const std::int64_t first = std::int64_t{row} * x.chunks * x.heads + head;
  float max = -FLT_MAX;
  for (int c = thread; c < chunks; c += kMergeThreads) {
    max = fmaxf(max, x.states[first + std::int64_t{c} * x.heads].x);
  }
  max = row_reduce(max, largest, LargerScore{});
  Out* to = static_cast<Out*>(x.o) + row * x.o_row + head * x.o_head;
  for (int from = 0; from < x.d_latent; from += WIDTH * kMergeThreads) {
    const int i = from + WIDTH * thread;
    float sum = 0, value[WIDTH] = {};
    for (int batch = 0; batch < chunks; batch += kMergeThreads) {
      const int count = min(chunks - batch, kMergeThreads);
      if (thread < count) {
        const float2 state = x.states[first + std::int64_t{batch + thread} * x.heads];
        factors[thread] = expf(state.x - max);
        sums[thread] = state.y;
      }
      __syncthreads();
      if (i < x.d_latent) {
#pragma unroll kAtOnce
        for (int c = 0; c < count; ++c) {
          const std::int64_t part = first + std::int64_t{batch + c} * x.heads;
          float share[WIDTH];
          load<WIDTH>(x.sums + part * x.d_latent + i, share);
          sum = fmaf(sums[c], factors[c], sum);
#pragma unroll
          for (int j = 0; j < WIDTH; ++j) value[j] = fmaf(factors[c], share[j], value[j]);
        }
      }
      __syncthreads();
    }
    if (i >= x.d_latent) continue;
#pragma unroll
    for (int j = 0; j < WIDTH; ++j) value[j] /= sum;
    save<WIDTH>(to + i, value);
  }
}

}  // namespace tessera::kernels::cuda
