// SPDX-License-Identifier: MIT
//
// c (rows, n) BF16 or F32 = a (rows, k) b[expert] (n, k)^T with 1 x 128 and 128 x 128 scales, or
// added to c: the kernel.
// BN columns per tile are multiplied WN at a time: WN / 2 registers of a thread hold partial sums
// and BN / 2 the FP32 sums.
#pragma once

#include "kernels/product_fp8/product_fp8_sm90.cuh"
#include "kernels/ptx/architecture.cuh"

namespace tessera::kernels::cuda::grouped_fp8 {

constexpr int kForwardRows = 128;  // rows of a tile
constexpr int kForwardBand = 8;    // pairs of tiles

struct ForwardArguments {
  CUtensorMap a, b, c, a_scale;
  const float* b_scale;
  const int32_t* offsets;
  int n, k, experts;
  int blocks;  // blocks of 128 rows, where there are no offsets
  bool add;
};

template <int BN>
constexpr int kOutColumns = BN == 256 ? 128 : BN;  // columns on their way out at one time

template <int BN, int STAGES>
using ForwardLayout = Layout<kForwardRows, BN, 0, kForwardRows * kOutColumns<BN> * 2, STAGES>;

// One tile as both sides of the pipeline see it; `column` is its first column.
struct ForwardTile {
  int block, expert, column;
  bool live, shared_b;
};

// What all warps of a block know about the work. The tiles of a cluster lie one above the other.
template <int BN>
struct ForwardWork {
  const uint16_t* starts;
  int experts, rank, blocks, columns;

  __device__ ForwardWork(const ForwardArguments& p, const uint16_t* starts_)
      : starts(starts_),
        experts(p.experts),
        rank(static_cast<int>(ptx::cluster_rank())),
        blocks(starts_[p.experts]),
        columns((p.n + BN - 1) / BN) {}
  __device__ int tiles() const { return (blocks + 1) / 2 * columns; }
  __device__ int first() const { return blockIdx.x / kCluster; }
  __device__ int step() const { return gridDim.x / kCluster; }
  // Two blocks of different experts have different B; then each loads its own.
  __device__ ForwardTile tile(int index) const {
    const TilePosition position = tile_position(index, (blocks + 1) / 2, columns, kForwardBand);
    const int block = 2 * position.row + rank, other = block ^ 1;
    const int expert = expert_of(starts, experts, min(block, blocks - 1));
    const bool alone = other < blocks && expert_of(starts, experts, other) != expert;
    return {block, expert, position.column * BN, block < blocks, !alone};
  }
};

template <int BN, int STAGES>
__device__ inline void forward_produce(const ForwardArguments& p, uint32_t shared,
                                       const ForwardWork<BN>& work) {
  using L = ForwardLayout<BN, STAGES>;
  constexpr int kHalf = BN / kCluster;
  const int k_blocks = (p.k + kTileK - 1) / kTileK, from = work.rank * kHalf;
  Ring<STAGES> ring;
  for (int index = work.first(); index < work.tiles(); index += work.step()) {
    const ForwardTile tile = work.tile(index);
    if (threadIdx.x % 32 != 0) continue;
    const int row = tile.block * kForwardRows;
    for (int kb = 0; kb < k_blocks; ++kb, ring.advance()) {
      const int k = kb * kTileK;
      const uint32_t full = shared + L::kFull + 8 * ring.stage;
      const uint32_t to_b = shared + L::kB + ring.stage * L::kBytesB;
      ptx::mbarrier_wait(shared + L::kEmpty + 8 * ring.stage, ring.parity ^ 1);
      ptx::mbarrier_arrive_expect(full, L::kBytesStage);
      if (tile.shared_b) {
        ptx::tma_multicast_3d(to_b + from * kTileK, &p.b, full, kBoth, k, tile.column + from,
                              tile.expert);
      } else {
        ptx::tma_load_3d(to_b, &p.b, full, k, tile.column, tile.expert);
        ptx::tma_load_3d(to_b + kHalf * kTileK, &p.b, full, k, tile.column + kHalf, tile.expert);
      }
      ptx::tma_load_2d(shared + L::kA + ring.stage * L::kBytesA, &p.a, full, k, row);
      ptx::tma_load_2d(shared + L::kScaleA + ring.stage * L::kBytesScaleA, &p.a_scale, full, row,
                       kb);
    }
  }
}

// Columns of a tile that share a scale of B: a tile may begin in the middle of 128.
template <int BN>
constexpr int kScaledColumns = BN % 128 == 0 ? 128 : 64;

// sums += scale_a scale_b partial, for WN columns. `low` and `high` are the scales of the thread's
// two rows, scale_b[i] that of the i-th SCALED columns.
template <int WN, int SCALED>
__device__ inline void promote(float* sums, const float (&partial)[WN / 2], float low, float high,
                               const float* scale_b) {
#pragma unroll
  for (int segment = 0; segment < WN / SCALED; ++segment) {
    const float scale_low = low * scale_b[segment], scale_high = high * scale_b[segment];
#pragma unroll
    for (int i = SCALED / 2 * segment; i < SCALED / 2 * (segment + 1); i += 4) {
      sums[i] = fmaf(partial[i], scale_low, sums[i]);
      sums[i + 1] = fmaf(partial[i + 1], scale_low, sums[i + 1]);
      sums[i + 2] = fmaf(partial[i + 2], scale_high, sums[i + 2]);
      sums[i + 3] = fmaf(partial[i + 3], scale_high, sums[i + 3]);
    }
  }
}

// Scales of B for block `kb` of K. They come from L2: asked for a stage before they are needed.
template <int COUNT>
__device__ inline void load_scales(float (&to)[COUNT], const float* const (&from)[COUNT], int kb) {
#pragma unroll
  for (int i = 0; i < COUNT; ++i) to[i] = load_read_only(from[i] + kb);
}

__device__ inline uint32_t pack_bf16(float low, float high) {
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

// Writes the warp's 16 rows of `COLUMNS` columns to `out` as panels of 64 columns with the 128-byte
// swizzle. `out` is the first panel of the warpgroup's 64 rows.
template <int COLUMNS>
__device__ inline void stage_results(uint32_t out, const float* sums) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
  const uint32_t row = 16 * warp + lane % 16, unit = lane / 16;
#pragma unroll
  for (int j = 0; j < COLUMNS / 8; j += 2) {
    const uint32_t to = out + j / 8 * 8192 + row * 128 + (((j % 8 + unit) ^ (row % 8)) << 4);
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};\n" ::"r"(to),
                 "r"(pack_bf16(sums[4 * j], sums[4 * j + 1])),
                 "r"(pack_bf16(sums[4 * j + 2], sums[4 * j + 3])),
                 "r"(pack_bf16(sums[4 * j + 4], sums[4 * j + 5])),
                 "r"(pack_bf16(sums[4 * j + 6], sums[4 * j + 7]))
                 : "memory");
  }
}

/// A panel of results to c; the copy engine stores or adds.
__device__ inline void send_panel(const ForwardArguments& p, uint32_t from, int column, int row) {
  if (p.add) {
    ptx::tma_add_2d(&p.c, from, column, row);
  } else {
    ptx::tma_store_2d(&p.c, from, column, row, ptx::kCacheEvictFirst);
  }
}

template <int BN>
__device__ inline void store_results(const ForwardArguments& p, uint32_t out, int group, int row,
                                     int column, const float* sums) {
  constexpr int kColumns = kOutColumns<BN>;
  const bool leader = threadIdx.x % 128 == 0;
  out += group * 64 * kColumns * 2;
#pragma unroll
  for (int first = 0; first < BN; first += kColumns) {
    if (leader) ptx::tma_store_wait_read<0>();
    ptx::named_barrier_sync(1 + group, 128);
    stage_results<kColumns>(out, sums + first / 2);
    ptx::fence_writes_for_tma();
    ptx::named_barrier_sync(1 + group, 128);
    if (leader) {
      for (int at = 0; at < kColumns && column + first + at < p.n; at += 64) {
        send_panel(p, out + at / 64 * 8192, column + first + at, row + 64 * group);
      }
      ptx::tma_store_commit();
    }
  }
}

// The same for F32, in panels of 32 columns.
template <int BN>
__device__ inline void store_floats(const ForwardArguments& p, uint32_t out, int group, int row,
                                    int column, const float* sums) {
  constexpr int kColumns = kOutColumns<BN> / 2;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4, c = lane % 4;
  const bool leader = threadIdx.x % 128 == 0;
  out += group * 64 * kColumns * 4;
#pragma unroll
  for (int first = 0; first < BN; first += kColumns) {
    if (leader) ptx::tma_store_wait_read<0>();
    ptx::named_barrier_sync(1 + group, 128);
#pragma unroll
    for (int j = 0; j < kColumns / 8; ++j) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const uint32_t in_panel = 16 * warp + lane / 4 + 8 * half, unit = 2 * (j % 4) + c / 2;
        const int at = first / 2 + 4 * j + 2 * half;
        asm volatile(
            "st.shared.v2.f32 [%0], {%1, %2};\n" ::"r"(out + j / 4 * 8192 + in_panel * 128 +
                                                       ((unit ^ (in_panel % 8)) << 4) + c % 2 * 8),
            "f"(sums[at]), "f"(sums[at + 1])
            : "memory");
      }
    }
    ptx::fence_writes_for_tma();
    ptx::named_barrier_sync(1 + group, 128);
    if (leader) {
      for (int at = 0; at < kColumns && column + first + at < p.n; at += 32) {
        send_panel(p, out + at / 32 * 8192, column + first + at, row + 64 * group);
      }
      ptx::tma_store_commit();
    }
  }
}

template <int BN, int WN, int STAGES, class Out>
__device__ inline void forward_consume(const ForwardArguments& p, uint32_t shared,
                                       const ForwardWork<BN>& work, int group) {
  using L = ForwardLayout<BN, STAGES>;
  constexpr int kScaled = kScaledColumns<BN>, kScales = BN / kScaled;
  const int k_blocks = (p.k + kTileK - 1) / kTileK, n_blocks = (p.n + 127) / 128;
  const int thread = threadIdx.x % 128;
  const uint32_t row_scale =
      shared + L::kScaleA + 4 * (64 * group + thread / 32 * 16 + thread % 32 / 4);
  ConsumerRing<L, STAGES> ring(shared, 64 * group);
  for (int index = work.first(); index < work.tiles(); index += work.step()) {
    const ForwardTile tile = work.tile(index);
    const float* scale_of[kScales];
#pragma unroll
    for (int i = 0; i < kScales; ++i) {
      const int block = min((tile.column + kScaled * i) / 128, n_blocks - 1);
      scale_of[i] = p.b_scale + (static_cast<int64_t>(tile.expert) * n_blocks + block) * k_blocks;
    }
    float sums[BN / 2];
#pragma unroll
    for (int i = 0; i < BN / 2; ++i) sums[i] = 0;
    float partial[WN / 2], next_b[kScales];
    load_scales(next_b, scale_of, 0);
    for (int kb = 0; kb < k_blocks; ++kb) {
      ring.wait();
      const float low = load_shared(row_scale + ring.stage * L::kBytesScaleA);
      const float high = load_shared(row_scale + ring.stage * L::kBytesScaleA + 32);
      float scale_b[kScales];
#pragma unroll
      for (int part = 0; part < BN / WN; ++part) {
        multiply_stage<WN>(partial, ring.descriptor_a(),
                           ring.descriptor_b() + ptx::rows_fp8(part * WN));
        if (part == 0) {
#pragma unroll
          for (int i = 0; i < kScales; ++i) scale_b[i] = next_b[i];
          load_scales(next_b, scale_of, min(kb + 1, k_blocks - 1));
        }
        const uint32_t empty = ring.empty();
        if (part == BN / WN - 1) ring.advance();
        ptx::wgmma_wait<0>();
        ptx::hold(partial);
        if (part == BN / WN - 1) release_stage(empty);
        promote<WN, kScaled>(sums + part * (WN / 2), partial, low, high,
                             scale_b + part * (WN / kScaled));
      }
    }
    if (!tile.live) continue;
    if constexpr (sizeof(Out) == 4) {
      store_floats<BN>(p, shared + L::kOut, group, tile.block * kForwardRows, tile.column, sums);
    } else {
      store_results<BN>(p, shared + L::kOut, group, tile.block * kForwardRows, tile.column, sums);
    }
  }
  if (thread == 0) ptx::tma_store_wait<0>();
}

template <int BN, int WN, int STAGES, class Out>
__global__ void __cluster_dims__(kCluster, 1, 1) __launch_bounds__(kThreads, 1)
    forward_kernel(const __grid_constant__ ForwardArguments p) {
#ifdef TESSERA_SM90A_CODE
  using L = ForwardLayout<BN, STAGES>;
  extern __shared__ __align__(1024) uint8_t memory[];
  const uint32_t shared = ptx::shared_address(memory);
  uint16_t* starts = reinterpret_cast<uint16_t*>(memory + L::kStarts);
  load_starts(starts, p.offsets, p.experts, p.blocks);
  if (threadIdx.x == 0) init_barriers<L, STAGES>(shared);
  __syncthreads();
  ptx::cluster_sync();
  const ForwardWork<BN> work(p, starts);
  const int group = __shfl_sync(0xffffffff, threadIdx.x / 128, 0);
  if (group == kConsumers) {
    ptx::registers_shrink<40>();
    if (threadIdx.x / 32 % 4 == 0) forward_produce<BN, STAGES>(p, shared, work);
  } else {
    ptx::registers_grow<232>();
    forward_consume<BN, WN, STAGES, Out>(p, shared, work, group);
  }
  // NOTE: the other block may still multicast into this one or arrive at its barriers.
  __syncthreads();
  ptx::cluster_sync();
#else
  ptx::not_in_this_code();
#endif
}

}  // namespace tessera::kernels::cuda::grouped_fp8
