// SPDX-License-Identifier: MIT
//
// What the two FP8 expert products share: the shape of a tile, its pipeline in shared memory, the
// order of tiles, and the search for the expert of a row.
//
// A cluster of two blocks works on two tiles one above the other (2 x 128 rows, the same columns),
// so that each block loads half of the B tile and multicasts it to both. In a block, one producer
// warp keeps a ring of stages filled; two consumer warpgroups multiply 64 rows each. While one of
// them promotes its partial sums, the other one has the tensor cores.
#pragma once

#include <cstdint>

#include "kernels/ptx/mbarrier.cuh"
#include "kernels/ptx/tma.cuh"
#include "kernels/ptx/wgmma_fp8.cuh"

namespace tessera::kernels::cuda::grouped_fp8 {

constexpr int kTileM = 128;
constexpr int kTileK = 128;
constexpr int kConsumers = 2;
constexpr int kThreads = 128 * (kConsumers + 1);
constexpr int kConsumerWarps = 4 * kConsumers;
constexpr int kCluster = 2;
constexpr int kProducerRegisters = 40;
constexpr int kConsumerRegisters = 232;
constexpr int kMaxStarts = 385;  // experts + 1

// Byte offsets in dynamic shared memory. BN columns per tile; SB bytes of B scales per stage;
// OUT bytes for results on their way out.
template <int BN, int SB, int OUT, int STAGES>
struct Layout {
  static constexpr int kBytesA = kTileM * kTileK;
  static constexpr int kBytesB = BN * kTileK;
  static constexpr int kBytesScaleA = kTileM * 4;
  static constexpr int kBytesStage = kBytesA + kBytesB + kBytesScaleA + SB;
  static constexpr int kOut = 0;
  static constexpr int kA = kOut + OUT;
  static constexpr int kB = kA + STAGES * kBytesA;
  static constexpr int kScaleA = kB + STAGES * kBytesB;
  static constexpr int kScaleB = kScaleA + STAGES * kBytesScaleA;
  static constexpr int kFull = kScaleB + STAGES * SB;
  static constexpr int kEmpty = kFull + 8 * STAGES;
  static constexpr int kStarts = kEmpty + 8 * STAGES;
  static constexpr int kTotal = kStarts + 2 * kMaxStarts;
  static_assert(OUT % 1024 == 0 && kTotal <= 232448, "shared memory of one block");
};

// Position in the ring of stages.
template <int STAGES>
struct Ring {
  int stage = 0;
  uint32_t parity = 0;
  __device__ void advance() {
    if (++stage == STAGES) {
      stage = 0;
      parity ^= 1;
    }
  }
};

template <class L, int STAGES>
__device__ inline void init_barriers(uint32_t shared) {
  for (int i = 0; i < STAGES; ++i) {
    ptx::mbarrier_init(shared + L::kFull + 8 * i, 1);
    ptx::mbarrier_init(shared + L::kEmpty + 8 * i, kConsumerWarps * kCluster);
  }
  ptx::mbarrier_init_fence();
}

// First 128-row block of every expert, as 16-bit numbers: 8 M rows at most.
__device__ inline void load_starts(uint16_t* starts, const int32_t* offsets, int experts) {
  for (int e = threadIdx.x; e <= experts; e += blockDim.x) {
    starts[e] = static_cast<uint16_t>(offsets[e] / kTileM);
  }
}

// The expert that owns 128-row block `block`: the last one that starts at or before it. Called by
// whole warps.
__device__ inline int expert_of(const uint16_t* starts, int experts, int block) {
  int count = 0;
  for (int first = 0; first < experts; first += 32) {
    const int e = first + static_cast<int>(threadIdx.x % 32);
    count += __popc(__ballot_sync(0xffffffff, e < experts && starts[e] <= block));
  }
  return count - 1;
}

// Tiles in flight at one time should share rows of A and columns of B in the L2 cache: bands of
// kBand pairs of tiles, column by column.
#ifndef TESSERA_BAND
#define TESSERA_BAND 8
#endif
constexpr int kBand = TESSERA_BAND;
struct TilePosition {
  int pair, column;
};
__device__ inline TilePosition tile_position(int index, int pairs, int columns) {
  const int band_tiles = kBand * columns;
  const int band = index / band_tiles;
  const int height = min(kBand, pairs - band * kBand);
  const int within = index - band * band_tiles;
  return {band * kBand + within % height, within / height};
}

// Frees a stage in both blocks of the cluster: their producers write to both.
__device__ inline void release_stage(uint32_t empty_barrier) {
  const uint32_t lane = threadIdx.x % 32;
  if (lane < kCluster) ptx::mbarrier_arrive_at_rank(empty_barrier, lane);
}

__device__ inline float load_shared(uint32_t address) {
  float value;
  asm volatile("ld.shared.f32 %0, [%1];\n" : "=f"(value) : "r"(address));
  return value;
}
__device__ inline float2 load_shared2(uint32_t address) {
  float2 value;
  asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];\n"
               : "=f"(value.x), "=f"(value.y)
               : "r"(address));
  return value;
}
__device__ inline float load_read_only(const float* address) {
  float value;
  asm volatile("ld.global.nc.f32 %0, [%1];\n" : "=f"(value) : "l"(address));
  return value;
}

// Issues the products of one stage for N columns: sums = A (64 x 128) B (N x 128)^T.
template <int N>
__device__ inline void multiply_stage(float (&sums)[N / 2], uint64_t a, uint64_t b) {
  ptx::hold(sums);
  ptx::wgmma_fence();
#pragma unroll
  for (int step = 0; step < kTileK / 32; ++step) {
    ptx::wgmma_fp8<N>(sums, a + step * ptx::kStepFp8, b + step * ptx::kStepFp8, step > 0);
  }
  ptx::wgmma_commit();
}

}  // namespace tessera::kernels::cuda::grouped_fp8
