// SPDX-License-Identifier: MIT
// Sums over a row that a warp makes: eight elements of a weight a lane at a time, several of them
// on their way at once; the other factor lies in shared memory as BF16.
#pragma once

#include "core/base/cuda/element.cuh"
#include "core/base/cuda/launch.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/ptx/dependent_launch.cuh"

namespace tessera::kernels::cuda::few_rows {

constexpr int kWarps = 4;  // of a block
constexpr int kThreads = kWarps * kWarp;
constexpr int kEight = 8;
constexpr int kStep = kWarp * kEight;  // elements that a warp reads at one time
constexpr int kAhead = 4;              // such steps whose loads are on their way at once

/// Eight neighbouring weights.
template <class W>
struct Eight;
template <>
struct Eight<__nv_bfloat16> {
  uint4 bits;
  __device__ void load(const __nv_bfloat16* from) {
    bits = __ldg(reinterpret_cast<const uint4*>(from));
  }
  __device__ void unpack(float (&to)[kEight]) const {
    const uint32_t pairs[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      to[2 * i] = __uint_as_float(pairs[i] << 16);
      to[2 * i + 1] = __uint_as_float(pairs[i] & 0xffff0000u);
    }
  }
};
template <>
struct Eight<float> {
  float4 low, high;
  __device__ void load(const float* from) {
    low = __ldg(reinterpret_cast<const float4*>(from));
    high = __ldg(reinterpret_cast<const float4*>(from) + 1);
  }
  __device__ void unpack(float (&to)[kEight]) const {
    to[0] = low.x;
    to[1] = low.y;
    to[2] = low.z;
    to[3] = low.w;
    to[4] = high.x;
    to[5] = high.y;
    to[6] = high.z;
    to[7] = high.w;
  }
};

/// Asks for what a lane will read of a row of weights, before it may read anything else.
template <class W>
__device__ inline void prefetch_row(const W* row, int k, int lane) {
#pragma unroll
  for (int ahead = 0; ahead < kAhead; ++ahead) {
    const int at = ahead * kStep + lane * kEight;
    if (at < k) asm volatile("prefetch.global.L2 [%0];\n" ::"l"(row + at));
  }
}

/// sums[j][m] += the lane's share of w[j] . rows[m]; rows (M, k) in shared memory.
template <int M, int C, class W>
__device__ inline void add_products(float (&sums)[C][M], const W* const (&w)[C],
                                    const __nv_bfloat16* rows, int k, int lane) {
  for (int from = lane * kEight; from < k; from += kAhead * kStep) {
    Eight<W> loaded[kAhead][C];
#pragma unroll
    for (int ahead = 0; ahead < kAhead; ++ahead) {
      const int at = from + ahead * kStep;
#pragma unroll
      for (int j = 0; j < C; ++j) {
        if (at < k) loaded[ahead][j].load(w[j] + at);
      }
    }
#pragma unroll
    for (int ahead = 0; ahead < kAhead; ++ahead) {
      const int at = from + ahead * kStep;
      if (at >= k) break;
      float weights[C][kEight];
#pragma unroll
      for (int j = 0; j < C; ++j) loaded[ahead][j].unpack(weights[j]);
#pragma unroll
      for (int m = 0; m < M; ++m) {
        Eight<__nv_bfloat16> x;
        x.bits = *reinterpret_cast<const uint4*>(rows + m * k + at);
        float values[kEight];
        x.unpack(values);
#pragma unroll
        for (int j = 0; j < C; ++j) {
#pragma unroll
          for (int i = 0; i < kEight; ++i) {
            sums[j][m] = fmaf(weights[j][i], values[i], sums[j][m]);
          }
        }
      }
    }
  }
}

/// Launches `kernel` so that it may begin while the one before it in the stream still runs.
template <class Task>
void launch(Context& context, const char* where, void (*kernel)(Task), dim3 grid,
            std::size_t shared, const Task& task, int threads = kThreads) {
  if (shared > 48 * 1024) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(shared)),
          where);
  }
  cudaLaunchAttribute early{};
  early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  early.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.dynamicSmemBytes = shared;
  config.stream = stream_of(context);
  config.attrs = &early;
  config.numAttrs = 1;
  check(cudaLaunchKernelEx(&config, kernel, task), where);
  check_launch(where);
}

}  // namespace tessera::kernels::cuda::few_rows
