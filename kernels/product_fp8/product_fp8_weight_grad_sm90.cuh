// SPDX-License-Identifier: MIT
//
// dw[expert] (m, n) F32 (+)= a (m, tokens of expert) b (n, tokens of expert)^T, both operands with
// 1 x 128 scales along tokens: the kernel. Tiles of 256 x 128; each consumer warpgroup multiplies
// two slabs of 64 rows one after the other.
//
// A scale of b belongs to one column, and a thread needs those of BN / 4 columns: loads of shared
// memory that compete with the tensor cores for its bandwidth. So they are loaded once per stage
// into registers and serve both slabs, which is why tiles are tall and not wide. And the rows of
// the tile of b lie in another order than in memory, so that the columns of a thread are four
// neighbours each: half as many loads of scales, and results that are written 16 bytes at once.
#pragma once

#include "kernels/product_fp8/product_fp8_sm90.cuh"
#include "kernels/ptx/architecture.cuh"

namespace tessera::kernels::cuda::grouped_fp8 {

constexpr int kGradRows = 256;  // rows of a tile
constexpr int kGradColumns = 128;
constexpr int kGradSlabs = 2;   // slabs of 64 rows per warpgroup; an even number
constexpr int kGradPanel = 32;  // columns of a panel
constexpr int kGradPanels = kGradColumns / kGradPanel;  // panels of a slab
constexpr int kGradPanelBytes = 64 * kGradPanel * 4;
constexpr int kGradBand = 8;  // tiles

struct WeightGradArguments {
  CUtensorMap a, b, a_scale, b_scale;
  CUtensorMap dw_panels;  // what is added to
  float* dw;
  const int32_t* offsets;
  int m, n, experts;
  int blocks;  // blocks of 128 tokens, where there are no offsets
};

// What is added to arrives in panels in shared memory, those of one slab for each warpgroup. They
// cost a stage.
template <bool ACCUMULATE>
constexpr int kGradStages = ACCUMULATE ? 3 : 4;
template <bool ACCUMULATE>
struct WeightGradLayout
    : Layout<kGradRows, kGradColumns, kGradColumns * 4,
             ACCUMULATE ? kConsumers * kGradPanels * kGradPanelBytes : 0, kGradStages<ACCUMULATE>> {
  using L =
      Layout<kGradRows, kGradColumns, kGradColumns * 4,
             ACCUMULATE ? kConsumers * kGradPanels * kGradPanelBytes : 0, kGradStages<ACCUMULATE>>;
  static constexpr int kBarriers = kConsumers * kGradPanels;
  static constexpr int kPanelFull = (L::kTotal + 7) / 8 * 8;
  static constexpr int kPanelEmpty = kPanelFull + 8 * kBarriers;
  static constexpr int kTotal = kPanelEmpty + 8 * kBarriers;
  static_assert(kTotal <= 232448, "shared memory of one block");
};

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

// Where every block starts at once, all of them end their tiles at once, again and again, and wait
// for memory together while nothing is multiplied. So they start one after the other within the
// time of a tile, those that have fewer tiles later. By one thread.
__device__ inline void start_in_turn(const WeightGradWork& work) {
  constexpr int kCyclesOfStage = 1700, kMostStages = 16;
  if (work.first() >= work.tiles()) return;
  const int stages = work.tile(work.first()).k_blocks;
  if (stages > kMostStages) return;  // results are a small part of the tile
  const int tile = (stages + 1) * kCyclesOfStage;
  const unsigned wait = static_cast<unsigned>(tile) * static_cast<unsigned>(work.first()) /
                        static_cast<unsigned>(work.step());
  const unsigned start = clock();
  while (static_cast<unsigned>(clock()) - start < wait) __nanosleep(100);
}

template <bool ACCUMULATE>
__device__ inline void weight_grad_produce(const WeightGradArguments& p, uint32_t shared,
                                           const WeightGradWork& work) {
  using L = WeightGradLayout<ACCUMULATE>;
  start_in_turn(work);
  const int from = work.rank * (kGradRows / kCluster);
  Ring<kGradStages<ACCUMULATE>> ring;
  for (int index = work.first(); index < work.tiles(); index += work.step()) {
    const WeightGradTile tile = work.tile(index);
    for (int i = 0; i < tile.k_blocks; ++i, ring.advance()) {
      const int kb = tile.first + i;
      const uint32_t full = shared + L::kFull + 8 * ring.stage;
      const uint32_t to_a = shared + L::kA + ring.stage * L::kBytesA;
      ptx::mbarrier_wait(shared + L::kEmpty + 8 * ring.stage, ring.parity ^ 1);
      ptx::mbarrier_arrive_expect(full, L::kBytesStage);
      ptx::tma_multicast_2d(to_a + from * kTileK, &p.a, full, kBoth, kb * kTileK, tile.row + from);
      ptx::tma_load_5d(shared + L::kB + ring.stage * L::kBytesB, &p.b, full, kb * kTileK, 0, 0, 0,
                       tile.column / 16);
      ptx::tma_load_2d(shared + L::kScaleA + ring.stage * L::kBytesScaleA, &p.a_scale, full,
                       tile.row, kb);
      ptx::tma_load_2d(shared + L::kScaleB + ring.stage * L::kBytesScaleB, &p.b_scale, full,
                       tile.column, kb);
    }
  }
}

// Column n of a product is column 16 (n / 16) + 4 (n % 8 / 2) + 2 (n / 8 % 2) + n % 2 of the tile:
// the map of b has these four as dimensions. A thread's sums 8 q.. are then rows r and r + 8,
// columns 16 q + 4 (thread % 4) and the next three: two of r, two of r + 8, and so again.
constexpr int kGradQuads = kGradColumns / 16;

// Scales of the thread's columns.
__device__ inline void load_column_scales(float4 (&scale)[kGradQuads], uint32_t address) {
#pragma unroll
  for (int q = 0; q < kGradQuads; ++q) scale[q] = load_shared4(address + 64 * q);
}

// sums += scale_a scale_b partial, for one slab.
__device__ inline void promote_by_column(float* sums, const float (&partial)[kGradColumns / 2],
                                         float low, float high, const float4 (&scale)[kGradQuads]) {
#pragma unroll
  for (int q = 0; q < kGradQuads; ++q) {
    const float* from = partial + 8 * q;
    float* to = sums + 8 * q;
    to[0] = fmaf(from[0], low * scale[q].x, to[0]);
    to[1] = fmaf(from[1], low * scale[q].y, to[1]);
    to[2] = fmaf(from[2], high * scale[q].x, to[2]);
    to[3] = fmaf(from[3], high * scale[q].y, to[3]);
    to[4] = fmaf(from[4], low * scale[q].z, to[4]);
    to[5] = fmaf(from[5], low * scale[q].w, to[5]);
    to[6] = fmaf(from[6], high * scale[q].z, to[6]);
    to[7] = fmaf(from[7], high * scale[q].w, to[7]);
  }
}

__device__ inline void write_four(float* to, float x, float y, float z, float w) {
  asm volatile("st.global.cs.v4.f32 [%0], {%1, %2, %3, %4};\n" ::"l"(to), "f"(x), "f"(y), "f"(z),
               "f"(w)
               : "memory");
}

// Where the panels of a warpgroup lie, and the barriers that say that one has arrived and that it
// has been read.
struct GradPanels {
  using L = WeightGradLayout<true>;
  uint32_t first, full, empty;
  __device__ GradPanels(uint32_t shared, int group)
      : first(shared + L::kOut + group * kGradPanels * kGradPanelBytes),
        full(shared + L::kPanelFull + 8 * group * kGradPanels),
        empty(shared + L::kPanelEmpty + 8 * group * kGradPanels) {}
};

// Brings what the slabs of a warpgroup are added to, each panel as soon as the one before it has
// been read: most of it while the slab is still multiplied. By one thread.
__device__ inline void bring_panels(const WeightGradArguments& p, uint32_t shared,
                                    const WeightGradWork& work, int group) {
  const GradPanels panels(shared, group);
  uint32_t parity = 1;
  for (int index = work.first(); index < work.tiles(); index += work.step()) {
    const WeightGradTile tile = work.tile(index);
    if (tile.k_blocks == 0) continue;
    for (int slab = 0; slab < kGradSlabs; ++slab, parity ^= 1) {
      const int row = tile.row + 64 * (kGradSlabs * group + slab);
      for (int i = 0; i < kGradPanels; ++i) {
        const uint32_t full = panels.full + 8 * i;
        ptx::mbarrier_wait(panels.empty + 8 * i, parity);
        ptx::mbarrier_arrive_expect(full, kGradPanelBytes);
        ptx::tma_load_3d(panels.first + i * kGradPanelBytes, &p.dw_panels, full,
                         tile.column + i * kGradPanel, row, tile.expert, ptx::kCacheEvictFirst);
      }
    }
  }
}

__device__ inline void add_four(float& x, float& y, float& z, float& w, const float4& v) {
  x += v.x;
  y += v.y;
  z += v.z;
  w += v.w;
}

// Adds a panel to its sums. It has rows of 128 bytes with the 128-byte swizzle. Rows of odd numbers
// read their two quads in the other order than even ones, so that all banks are used at once.
__device__ inline void add_panel(const GradPanels& panels, int i, uint32_t parity, float* sums) {
  const uint32_t lane = threadIdx.x % 32, g = lane / 4;
  const bool odd = g % 2 != 0;
  const uint32_t unit = (lane % 4) ^ g ^ (odd ? 4u : 0u);
  const uint32_t from =
      panels.first + i * kGradPanelBytes + (16 * (threadIdx.x / 32 % 4) + g) * 128 + unit * 16;
  ptx::mbarrier_wait(panels.full + 8 * i, parity);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float4 first = load_shared4(from + half * 8 * 128);
    const float4 second = load_shared4((from ^ 64) + half * 8 * 128);
    float* s = sums + 2 * half;
    add_four(s[0], s[1], s[4], s[5], odd ? second : first);
    add_four(s[8], s[9], s[12], s[13], odd ? first : second);
  }
  __syncwarp();
  if (lane == 0) ptx::mbarrier_arrive(panels.empty + 8 * i);
}

// Writes one slab; `row` is the thread's upper row, `column` its first column. Calls before(i) when
// the i-th panel of it is next.
template <class Before>
__device__ inline void write_slab(const WeightGradArguments& p, int expert, int row, int column,
                                  const float* sums, const Before& before) {
  float* to = p.dw + (static_cast<int64_t>(expert) * p.m + row) * p.n + column;
  const int64_t lower = 8 * static_cast<int64_t>(p.n);
#pragma unroll
  for (int q = 0; q < kGradQuads; ++q) {
    if (q % 2 == 0) before(q / 2);
    const float* s = sums + 8 * q;
    const bool has_column = column + 16 * q < p.n;
    if (has_column && row < p.m) write_four(to + 16 * q, s[0], s[1], s[4], s[5]);
    if (has_column && row + 8 < p.m) write_four(to + lower + 16 * q, s[2], s[3], s[6], s[7]);
  }
}

template <bool ACCUMULATE>
__device__ inline void weight_grad_consume(const WeightGradArguments& p, uint32_t shared,
                                           const WeightGradWork& work, int group) {
  using L = WeightGradLayout<ACCUMULATE>;
  constexpr int kPartial = kGradColumns / 2;
  const int tiles = work.tiles();
  const int thread = threadIdx.x % 128;
  const int row = 64 * kGradSlabs * group + thread / 32 * 16 + thread % 32 / 4;
  const int column = 4 * (thread % 4);
  const Turns turns(group);
  ConsumerRing<L, kGradStages<ACCUMULATE>> ring(shared, 64 * kGradSlabs * group);
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
    const int k_blocks = work.tile(index).k_blocks;
    float sums[kGradSlabs * kPartial];
#pragma unroll
    for (float& sum : sums) sum = 0;
    for (int kb = 0; kb < k_blocks; ++kb) {
      const uint32_t row_scale = shared + L::kScaleA + ring.stage * L::kBytesScaleA + 4 * row;
      float4 scale[kGradQuads];
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
    if (ACCUMULATE && k_blocks == 0) continue;
    // NOTE: found again, as there are no registers to keep it in during the products.
    int again = index;
    asm volatile("" : "+r"(again));
    const WeightGradTile tile = work.tile(again);
#pragma unroll
    for (int slab = 0; slab < kGradSlabs; ++slab) {
      float* of_slab = sums + slab * kPartial;
      const GradPanels panels(shared, group);
      write_slab(p, tile.expert, tile.row + row + 64 * slab, tile.column + column, of_slab,
                 [&](int i) {
                   if constexpr (ACCUMULATE) add_panel(panels, i, slab % 2, of_slab + 16 * i);
                 });
    }
  }
  turns.finish();
}

template <bool ACCUMULATE>
__global__ void __cluster_dims__(kCluster, 1, 1) __launch_bounds__(kThreads, 1)
    weight_grad_kernel(const __grid_constant__ WeightGradArguments p) {
#ifdef TESSERA_SM90A_CODE
  using L = WeightGradLayout<ACCUMULATE>;
  extern __shared__ __align__(1024) uint8_t memory[];
  const uint32_t shared = ptx::shared_address(memory);
  uint16_t* starts = reinterpret_cast<uint16_t*>(memory + L::kStarts);
  load_starts(starts, p.offsets, p.experts, p.blocks);
  if (ACCUMULATE && threadIdx.x == 0) {
    for (int i = 0; i < L::kBarriers; ++i) {
      ptx::mbarrier_init(shared + L::kPanelFull + 8 * i, 1);
      ptx::mbarrier_init(shared + L::kPanelEmpty + 8 * i, kConsumerWarps / kConsumers);
    }
  }
  if (threadIdx.x == 0) init_barriers<L, kGradStages<ACCUMULATE>>(shared);
  __syncthreads();
  ptx::cluster_sync();
  const WeightGradWork work(p, starts);
  const int group = __shfl_sync(0xffffffff, threadIdx.x / 128, 0);
  if (group == kConsumers) {
    ptx::registers_shrink<24>();
    const int warp = static_cast<int>(threadIdx.x / 32) - 4 * kConsumers;
    if (threadIdx.x % 32 == 0 && warp == 0) weight_grad_produce<ACCUMULATE>(p, shared, work);
    if (ACCUMULATE && threadIdx.x % 32 == 0 && warp >= 1 && warp <= kConsumers) {
      bring_panels(p, shared, work, warp - 1);
    }
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
