// SPDX-License-Identifier: MIT
//
// dw[expert] (m, n) F32 (+)= a (m, tokens of expert) b (n, tokens of expert)^T, both operands with
// 1 x 128 scales along tokens: the kernel. Tiles of 256 x 128; each consumer warpgroup multiplies
// two slabs of 64 rows one after the other.
//
// A scale of b belongs to one column, and a thread needs those of BN / 4 columns: loads of shared
// memory that compete with the tensor cores for its bandwidth. So they are loaded once per stage
// into registers and serve both slabs, which is why tiles are tall and not wide.
#pragma once

#include "kernels/grouped_product/grouped_product_fp8.cuh"
#include "kernels/ptx/architecture.cuh"

namespace tessera::kernels::cuda::grouped_fp8 {

constexpr int kGradRows = 256;  // of a tile
constexpr int kGradColumns = 128;
constexpr int kGradSlabs = 2;  // of 64 rows, per warpgroup
constexpr int kGradStages = 4;
constexpr int kGradBand = 8;  // tiles

struct WeightGradArguments {
  CUtensorMap a, b, a_scale, b_scale;
  float* dw;
  const int32_t* offsets;
  int m, n, experts;
  int blocks;  // of 128 tokens, where there are no offsets
};

using WeightGradLayout = Layout<kGradRows, kGradColumns, kGradColumns * 4, 0, kGradStages>;

struct WeightGradTile {
  int expert, row, column, first, k_blocks;
};

// What all warps of a block know about the work. The tiles of a cluster lie side by side. Tiles of
// one expert follow each other, so that its operands stay in the L2 cache.
struct WeightGradWork {
  const uint16_t* starts;
  int experts, rank, rows, columns;  // tiles per expert; columns in pairs

  __device__ WeightGradWork(const WeightGradArguments& p, const uint16_t* starts_)
      : starts(starts_),
        experts(p.experts),
        rank(static_cast<int>(ptx::cluster_rank())),
        rows((p.m + kGradRows - 1) / kGradRows),
        columns((p.n + kGradColumns * kCluster - 1) / (kGradColumns * kCluster)) {}
  __device__ int tiles() const { return experts * rows * columns; }
  __device__ int first() const { return blockIdx.x / kCluster; }
  __device__ int step() const { return gridDim.x / kCluster; }
  __device__ WeightGradTile tile(int index) const {
    const int expert = index / (rows * columns);
    const TilePosition at =
        tile_position(index - expert * rows * columns, rows, columns, kGradBand);
    return {expert, at.row * kGradRows, (at.column * kCluster + rank) * kGradColumns,
            starts[expert], starts[expert + 1] - starts[expert]};
  }
  // Stages that this block goes through in all.
  __device__ int stages() const {
    int sum = 0;
    for (int index = first(); index < tiles(); index += step()) {
      const int expert = index / (rows * columns);
      sum += starts[expert + 1] - starts[expert];
    }
    return sum;
  }
};

__device__ inline void weight_grad_produce(const WeightGradArguments& p, uint32_t shared,
                                           const WeightGradWork& work) {
  using L = WeightGradLayout;
  const int from = work.rank * (kGradRows / kCluster);
  Ring<kGradStages> ring;
  for (int index = work.first(); index < work.tiles(); index += work.step()) {
    const WeightGradTile tile = work.tile(index);
    for (int i = 0; i < tile.k_blocks; ++i, ring.advance()) {
      const int kb = tile.first + i;
      const uint32_t full = shared + L::kFull + 8 * ring.stage;
      const uint32_t to_a = shared + L::kA + ring.stage * L::kBytesA;
      ptx::mbarrier_wait(shared + L::kEmpty + 8 * ring.stage, ring.parity ^ 1);
      ptx::mbarrier_arrive_expect(full, L::kBytesStage);
      ptx::tma_multicast_2d(to_a + from * kTileK, &p.a, full, kBoth, kb * kTileK, tile.row + from);
      ptx::tma_load_2d(shared + L::kB + ring.stage * L::kBytesB, &p.b, full, kb * kTileK,
                       tile.column);
      ptx::tma_load_2d(shared + L::kScaleA + ring.stage * L::kBytesScaleA, &p.a_scale, full,
                       tile.row, kb);
      ptx::tma_load_2d(shared + L::kScaleB + ring.stage * L::kBytesScaleB, &p.b_scale, full,
                       tile.column, kb);
    }
  }
}

// Scales of the thread's columns: 8 j + 2 (thread % 4) and the next, for every j.
__device__ inline void load_column_scales(float2 (&scale)[kGradColumns / 8], uint32_t address) {
#pragma unroll
  for (int j = 0; j < kGradColumns / 8; ++j) scale[j] = load_shared2(address + 32 * j);
}

// sums += scale_a scale_b partial, for one slab.
__device__ inline void promote_by_column(float* sums, const float (&partial)[kGradColumns / 2],
                                         float low, float high,
                                         const float2 (&scale)[kGradColumns / 8]) {
#pragma unroll
  for (int j = 0; j < kGradColumns / 8; ++j) {
    sums[4 * j] = fmaf(partial[4 * j], low * scale[j].x, sums[4 * j]);
    sums[4 * j + 1] = fmaf(partial[4 * j + 1], low * scale[j].y, sums[4 * j + 1]);
    sums[4 * j + 2] = fmaf(partial[4 * j + 2], high * scale[j].x, sums[4 * j + 2]);
    sums[4 * j + 3] = fmaf(partial[4 * j + 3], high * scale[j].y, sums[4 * j + 3]);
  }
}

template <bool ACCUMULATE>
__device__ inline void write_pair(float* to, float x, float y) {
  if constexpr (ACCUMULATE) {
    // One writer per element and launch, so the order of sums is fixed.
    asm volatile("red.global.add.v2.f32 [%0], {%1, %2};\n" ::"l"(to), "f"(x), "f"(y) : "memory");
  } else {
    asm volatile("st.global.cs.v2.f32 [%0], {%1, %2};\n" ::"l"(to), "f"(x), "f"(y) : "memory");
  }
}

// One slab; `row` is the thread's upper row, `column` its first column.
template <bool ACCUMULATE>
__device__ inline void write_slab(const WeightGradArguments& p, int expert, int row, int column,
                                  const float* sums) {
  float* to = p.dw + (static_cast<int64_t>(expert) * p.m + row) * p.n + column;
  const int64_t lower = 8 * static_cast<int64_t>(p.n);
#pragma unroll
  for (int j = 0; j < kGradColumns / 8; ++j) {
    if (column + 8 * j >= p.n) break;
    if (row < p.m) write_pair<ACCUMULATE>(to + 8 * j, sums[4 * j], sums[4 * j + 1]);
    if (row + 8 < p.m) write_pair<ACCUMULATE>(to + lower + 8 * j, sums[4 * j + 2], sums[4 * j + 3]);
  }
}

template <bool ACCUMULATE>
__device__ inline void weight_grad_consume(const WeightGradArguments& p, uint32_t shared,
                                           const WeightGradWork& work, int group) {
  using L = WeightGradLayout;
  constexpr int kPartial = kGradColumns / 2;
  const int tiles = work.tiles();
  const int thread = threadIdx.x % 128;
  const int row = 64 * kGradSlabs * group + thread / 32 * 16 + thread % 32 / 4;
  const int column = 2 * (thread % 4);
  const Turns turns(group);
  ConsumerRing<L, kGradStages> ring(shared, 64 * kGradSlabs * group);
  float partial[kPartial];
  const auto multiply = [&](int slab) {
    turns.take();
    multiply_stage<kGradColumns>(partial, ring.descriptor_a() + ptx::rows_fp8(64 * slab),
                                 ring.descriptor_b());
    turns.pass();
  };
  const auto begin_stage = [&] {
    ring.wait();
    multiply(0);
  };
  int stages = work.stages();
  if (stages > 0) begin_stage();
  for (int index = work.first(); index < tiles; index += work.step()) {
    const WeightGradTile tile = work.tile(index);
    float sums[kGradSlabs * kPartial];
#pragma unroll
    for (float& sum : sums) sum = 0;
    for (int kb = 0; kb < tile.k_blocks; ++kb) {
      const uint32_t row_scale = shared + L::kScaleA + ring.stage * L::kBytesScaleA + 4 * row;
      float2 scale[kGradColumns / 8];
      load_column_scales(scale, shared + L::kScaleB + ring.stage * L::kBytesScaleB + 4 * column);
#pragma unroll
      for (int slab = 0; slab < kGradSlabs; ++slab) {
        if (slab > 0) multiply(slab);
        const float low = load_shared(row_scale + 256 * slab);
        const float high = load_shared(row_scale + 256 * slab + 32);
        const uint32_t empty = ring.empty();
        if (slab == kGradSlabs - 1) ring.advance();
        ptx::wgmma_wait<0>();
        ptx::hold(partial);
        if (slab == kGradSlabs - 1) release_stage(empty);
        promote_by_column(sums + slab * kPartial, partial, low, high, scale);
      }
      // The products of the next tile begin before this one is written.
      if (--stages > 0) begin_stage();
    }
    if (ACCUMULATE && tile.k_blocks == 0) continue;
#pragma unroll
    for (int slab = 0; slab < kGradSlabs; ++slab) {
      write_slab<ACCUMULATE>(p, tile.expert, tile.row + row + 64 * slab, tile.column + column,
                             sums + slab * kPartial);
    }
  }
  turns.finish();
}

template <bool ACCUMULATE>
__global__ void __cluster_dims__(kCluster, 1, 1) __launch_bounds__(kThreads, 1)
    weight_grad_kernel(const __grid_constant__ WeightGradArguments p) {
#ifdef TESSERA_SM90A_CODE
  using L = WeightGradLayout;
  extern __shared__ __align__(1024) uint8_t memory[];
  const uint32_t shared = ptx::shared_address(memory);
  uint16_t* starts = reinterpret_cast<uint16_t*>(memory + L::kStarts);
  load_starts(starts, p.offsets, p.experts, p.blocks);
  if (threadIdx.x == 0) init_barriers<L, kGradStages>(shared);
  __syncthreads();
  ptx::cluster_sync();
  const WeightGradWork work(p, starts);
  const int group = __shfl_sync(0xffffffff, threadIdx.x / 128, 0);
  if (group == kConsumers) {
    ptx::registers_shrink<24>();
    if (threadIdx.x == kConsumers * 128) weight_grad_produce(p, shared, work);
  } else {
    ptx::registers_grow<240>();
    weight_grad_consume<ACCUMULATE>(p, shared, work, group);
  }
  // NOTE: the other block may still multicast into this one or arrive at its barriers.
  __syncthreads();
  ptx::cluster_sync();
#else
  ptx::not_in_this_code();
#endif
}

}  // namespace tessera::kernels::cuda::grouped_fp8
