// SPDX-License-Identifier: MIT
// Sums and maxima over warps and blocks, in an order that the shape of the block alone decides.
#pragma once

#include <cstdint>

#include "kernels/cuda/pack.cuh"

namespace tessera::kernels::cuda {

inline constexpr unsigned kAllLanes = 0xffffffffu;
inline constexpr int kWarp = 32;

struct Add {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Larger {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};

/// Every lane gets the same bits: a + b = b + a in each exchange.
template <class T, class Combine>
__device__ inline T warp_reduce(T value, Combine combine) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value = combine(value, __shfl_xor_sync(kAllLanes, value, step));
  }
  return value;
}
template <class T>
__device__ inline T warp_sum(T value) {
  return warp_reduce(value, Add{});
}

/// Over the threads of one y of the block. All threads of the block call it; blockDim.x is a
/// multiple of 32; `shared` has one T per warp of the block and may be used again at once.
template <class T, class Combine>
__device__ inline T row_reduce(T value, T* shared, Combine combine) {
  value = warp_reduce(value, combine);
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  if (warps == 1) return value;
  T* of_row = shared + threadIdx.y * warps;
  if (threadIdx.x % kWarp == 0) of_row[threadIdx.x / kWarp] = value;
  __syncthreads();
  T total = of_row[0];
  for (int warp = 1; warp < warps; ++warp) total = combine(total, of_row[warp]);
  __syncthreads();
  return total;
}
template <class T>
__device__ inline T row_sum(T value, T* shared) {
  return row_reduce(value, shared, Add{});
}

// ---- long sums in F64, in two launches

inline constexpr int kSumThreads = 256;
inline constexpr int kMostSumBlocks =
    1024;  // fixed: the order of a sum depends on its length alone
inline constexpr int kSumUnroll = 4;

/// partial[block] = sum of term(x[i]) over the block's elements; packs of N.
template <int N, class T, class Term>
__global__ void __launch_bounds__(kSumThreads)
    partial_sums(const T* x, std::int64_t count, Term term, double* partial) {
  __shared__ double shared[kSumThreads / kWarp];
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kSumThreads;
  const std::int64_t packs = count / N;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kSumThreads + threadIdx.x;
  double sums[kSumUnroll] = {};
  std::int64_t at = first;
  for (; at + (kSumUnroll - 1) * step < packs; at += kSumUnroll * step) {
    Pack<T, N> loaded[kSumUnroll];
#pragma unroll
    for (int u = 0; u < kSumUnroll; ++u) loaded[u] = load_pack<N>(x + (at + u * step) * N);
#pragma unroll
    for (int u = 0; u < kSumUnroll; ++u) {
#pragma unroll
      for (int i = 0; i < N; ++i) sums[u] += term(static_cast<double>(loaded[u].values[i]));
    }
  }
  for (; at < packs; at += step) {
    const Pack<T, N> loaded = load_pack<N>(x + at * N);
#pragma unroll
    for (int i = 0; i < N; ++i) sums[0] += term(static_cast<double>(loaded.values[i]));
  }
  const std::int64_t rest = packs * N + first;
  if (rest < count) sums[1] += term(static_cast<double>(x[rest]));
  const double total = row_sum((sums[0] + sums[1]) + (sums[2] + sums[3]), shared);
  if (threadIdx.x == 0) partial[blockIdx.x] = total;
}

/// *total = sum of x[0, count), or is added to where `adds`. One block.
template <bool adds>
__global__ void __launch_bounds__(kMostSumBlocks)
    finish_sum(const double* x, std::int64_t count, double* total) {
  __shared__ double shared[kMostSumBlocks / kWarp];
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += kMostSumBlocks) sum += x[i];
  sum = row_sum(sum, shared);
  if (threadIdx.x == 0) *total = adds ? *total + sum : sum;
}

/// *total += sum of term(x[i]); x has elements of T at an address that is a multiple of 16 or takes
/// the path of single elements.
template <class T, class Term>
void add_sum(Context& context, const char* where, const T* x, std::int64_t count, Term term,
             double* total) {
  if (count == 0) return;
  constexpr int kElements = 16 / sizeof(T);
  const unsigned blocks = blocks_for(count, kSumThreads * kElements * kSumUnroll, kMostSumBlocks);
  auto* partial = static_cast<double*>(workspace(context, blocks * sizeof(double)));
  if (reinterpret_cast<std::uintptr_t>(x) % 16 == 0) {
    partial_sums<kElements>
        <<<blocks, kSumThreads, 0, stream_of(context)>>>(x, count, term, partial);
  } else {
    partial_sums<1><<<blocks, kSumThreads, 0, stream_of(context)>>>(x, count, term, partial);
  }
  check_launch(where);
  finish_sum<true><<<1, kMostSumBlocks, 0, stream_of(context)>>>(partial, blocks, total);
  check_launch(where);
}

}  // namespace tessera::kernels::cuda
