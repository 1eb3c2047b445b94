// SPDX-License-Identifier: MIT
//
// dw[expert] (m, n) F32 (+)= a (m, tokens of expert) b (n, tokens of expert)^T, both operands with
// 1 x 128 scales along tokens: the kernel. A scale of b belongs to one column, so promotion costs a
// multiplication more per sum than in the forward kernel.
#pragma once

#include "kernels/grouped_product/grouped_product_fp8.cuh"

namespace tessera::kernels::cuda::grouped_fp8 {

struct WeightGradArguments {
  CUtensorMap a, b, a_scale, b_scale;
  float* dw;
  const int32_t* offsets;
  int m, n, experts;
};

template <int BN, int STAGES>
using WeightGradLayout = Layout<BN, BN * 4, 0, STAGES>;

struct WeightGradTile {
  int expert, row, column, first, k_blocks;
};

// Tiles of one expert follow each other, so that its operands stay in the L2 cache.
template <int BN>
__device__ inline WeightGradTile weight_grad_tile(const WeightGradArguments& p,
                                                  const uint16_t* starts, int index, int rank) {
  const int pairs = (p.m + 2 * kTileM - 1) / (2 * kTileM), columns = (p.n + BN - 1) / BN;
  const int expert = index / (pairs * columns);
  const TilePosition position = tile_position(index - expert * pairs * columns, pairs, columns);
  return {expert, (2 * position.pair + rank) * kTileM, position.column * BN, starts[expert],
          starts[expert + 1] - starts[expert]};
}

template <int BN>
__device__ inline int weight_grad_tiles(const WeightGradArguments& p) {
  return p.experts * ((p.m + 2 * kTileM - 1) / (2 * kTileM)) * ((p.n + BN - 1) / BN);
}

template <int BN, int STAGES>
__device__ inline void weight_grad_produce(const WeightGradArguments& p, uint32_t shared,
                                           const uint16_t* starts) {
  using L = WeightGradLayout<BN, STAGES>;
  constexpr int kHalf = BN / kCluster;
  const int rank = static_cast<int>(ptx::cluster_rank());
  const int tiles = weight_grad_tiles<BN>(p);
  Ring<STAGES> ring;
  for (int index = blockIdx.x / kCluster; index < tiles; index += gridDim.x / kCluster) {
    const WeightGradTile tile = weight_grad_tile<BN>(p, starts, index, rank);
    for (int i = 0; i < tile.k_blocks; ++i, ring.advance()) {
      const int kb = tile.first + i;
      const uint32_t full = shared + L::kFull + 8 * ring.stage;
      ptx::mbarrier_wait(shared + L::kEmpty + 8 * ring.stage, ring.parity ^ 1);
      ptx::mbarrier_arrive_expect(full, L::kBytesStage);
      ptx::tma_multicast_2d(shared + L::kB + ring.stage * L::kBytesB + rank * kHalf * kTileK, &p.b,
                            full, 3, kb * kTileK, tile.column + rank * kHalf);
      ptx::tma_load_2d(shared + L::kA + ring.stage * L::kBytesA, &p.a, full, kb * kTileK,
                       tile.row);
      ptx::tma_load_2d(shared + L::kScaleA + ring.stage * L::kBytesScaleA, &p.a_scale, full,
                       tile.row, kb);
      ptx::tma_load_2d(shared + L::kScaleB + ring.stage * BN * 4, &p.b_scale, full, tile.column,
                       kb);
    }
  }
}

// sums += scale_a scale_b partial. `column_scale` is the address of the scale of the thread's first
// column, 2 (thread % 4).
template <int WN>
__device__ inline void promote_by_column(float* sums, const float (&partial)[WN / 2], float low,
                                         float high, uint32_t column_scale) {
#pragma unroll
  for (int j = 0; j < WN / 8; ++j) {
    const float2 scale = load_shared2(column_scale + 32 * j);
    sums[4 * j] = fmaf(partial[4 * j], low * scale.x, sums[4 * j]);
    sums[4 * j + 1] = fmaf(partial[4 * j + 1], low * scale.y, sums[4 * j + 1]);
    sums[4 * j + 2] = fmaf(partial[4 * j + 2], high * scale.x, sums[4 * j + 2]);
    sums[4 * j + 3] = fmaf(partial[4 * j + 3], high * scale.y, sums[4 * j + 3]);
  }
}

template <bool ACCUMULATE>
__device__ inline void write_pair(float* to, float x, float y) {
  if constexpr (ACCUMULATE) {
    // One writer per element and launch, so the order of sums is fixed.
    asm volatile("red.global.add.v2.f32 [%0], {%1, %2};\n" ::"l"(to), "f"(x), "f"(y) : "memory");
  } else {
    *reinterpret_cast<float2*>(to) = make_float2(x, y);
  }
}

// `row` is the thread's upper row, `column` its first column.
template <int BN, bool ACCUMULATE>
__device__ inline void write_sums(const WeightGradArguments& p, int expert, int row, int column,
                                  const float (&sums)[BN / 2]) {
  float* to = p.dw + (static_cast<int64_t>(expert) * p.m + row) * p.n + column;
  const int64_t lower = 8 * static_cast<int64_t>(p.n);
#pragma unroll
  for (int j = 0; j < BN / 8; ++j) {
    if (column + 8 * j >= p.n) break;
    if (row < p.m) write_pair<ACCUMULATE>(to + 8 * j, sums[4 * j], sums[4 * j + 1]);
    if (row + 8 < p.m) write_pair<ACCUMULATE>(to + lower + 8 * j, sums[4 * j + 2], sums[4 * j + 3]);
  }
}

template <int BN, int WN, int STAGES, bool ACCUMULATE>
__device__ inline void weight_grad_consume(const WeightGradArguments& p, uint32_t shared,
                                           const uint16_t* starts, int group) {
  using L = WeightGradLayout<BN, STAGES>;
  const int rank = static_cast<int>(ptx::cluster_rank());
  const int tiles = weight_grad_tiles<BN>(p);
  const int thread = threadIdx.x % 128;
  const int row = 64 * group + thread / 32 * 16 + thread % 32 / 4, column = 2 * (thread % 4);
  Ring<STAGES> ring;
  for (int index = blockIdx.x / kCluster; index < tiles; index += gridDim.x / kCluster) {
    const WeightGradTile tile = weight_grad_tile<BN>(p, starts, index, rank);
    float sums[BN / 2];
#pragma unroll
    for (int i = 0; i < BN / 2; ++i) sums[i] = 0;
    float partial[WN / 2];
    for (int kb = 0; kb < tile.k_blocks; ++kb, ring.advance()) {
      ptx::mbarrier_wait(shared + L::kFull + 8 * ring.stage, ring.parity);
      const uint64_t a = ptx::descriptor(
          ptx::kTileBits, shared + L::kA + ring.stage * L::kBytesA + group * 64 * kTileK);
      const uint64_t b =
          ptx::descriptor(ptx::kTileBits, shared + L::kB + ring.stage * L::kBytesB);
      const uint32_t row_scale = shared + L::kScaleA + ring.stage * L::kBytesScaleA + 4 * row;
      const uint32_t column_scale = shared + L::kScaleB + ring.stage * BN * 4 + 4 * column;
#pragma unroll
      for (int part = 0; part < BN / WN; ++part) {
        multiply_stage<WN>(partial, a, b + ptx::rows_fp8(part * WN));
        const float low = load_shared(row_scale), high = load_shared(row_scale + 32);
        ptx::wgmma_wait<0>();
        ptx::hold(partial);
        promote_by_column<WN>(sums + part * (WN / 2), partial, low, high,
                              column_scale + part * WN * 4);
      }
      // NOTE: the column scales are read until here, so the stage is freed after the promotion.
      release_stage(shared + L::kEmpty + 8 * ring.stage);
    }
    if (!ACCUMULATE || tile.k_blocks > 0) {
      write_sums<BN, ACCUMULATE>(p, tile.expert, tile.row + row, tile.column + column, sums);
    }
  }
}

template <int BN, int WN, int STAGES, bool ACCUMULATE>
__global__ void __cluster_dims__(kCluster, 1, 1) __launch_bounds__(kThreads, 1)
    weight_grad_kernel(const __grid_constant__ WeightGradArguments p) {
  using L = WeightGradLayout<BN, STAGES>;
  extern __shared__ __align__(1024) uint8_t memory[];
  const uint32_t shared = ptx::shared_address(memory);
  uint16_t* starts = reinterpret_cast<uint16_t*>(memory + L::kStarts);
  load_starts(starts, p.offsets, p.experts);
  if (threadIdx.x == 0) init_barriers<L, STAGES>(shared);
  __syncthreads();
  ptx::cluster_sync();
  const int group = __shfl_sync(0xffffffff, threadIdx.x / 128, 0);
  if (group == kConsumers) {
    ptx::registers_shrink<kProducerRegisters>();
    if (threadIdx.x == kConsumers * 128) weight_grad_produce<BN, STAGES>(p, shared, starts);
  } else {
    ptx::registers_grow<kConsumerRegisters>();
    weight_grad_consume<BN, WN, STAGES, ACCUMULATE>(p, shared, starts, group);
  }
  // NOTE: the other block may still multicast into this one or arrive at its barriers.
  __syncthreads();
  ptx::cluster_sync();
}

}  // namespace tessera::kernels::cuda::grouped_fp8
