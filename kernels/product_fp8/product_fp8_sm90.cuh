// SPDX-License-Identifier: MIT
//
// What the two FP8 expert products share: the shape of a tile, its pipeline in shared memory, the
// order of tiles, and the search for the expert of a row.
//
// The two blocks of a cluster work on neighbouring tiles: one above the other they share the tile
// of B, side by side that of A. Each loads half of the shared tile and multicasts it to both. In a
// block, one producer warp keeps a ring of stages filled and two consumer warpgroups multiply.
#pragma once

#include <cstdint>

#include "kernels/ptx/mbarrier.cuh"
#include "kernels/ptx/tma.cuh"
#include "kernels/ptx/wgmma_fp8.cuh"

namespace tessera::kernels::cuda::grouped_fp8 {

constexpr int kTileK = 128;  // values of K per stage: one scaling tile
constexpr int kConsumers = 2;
constexpr int kThreads = 128 * (kConsumers + 1);
constexpr int kConsumerWarps = 4 * kConsumers;
constexpr int kCluster = 2;
constexpr uint16_t kBoth = 3;     // mask of a multicast
constexpr int kGroupBlock = 128;  // alignment of groups
constexpr int kMaxStarts = 385;   // experts + 1

// Byte offsets in dynamic shared memory, for tiles of BM x BN. SB bytes of B scales per stage; OUT
// bytes for results on their way out.
template <int BM, int BN, int SB, int OUT, int STAGES>
struct Layout {
  static constexpr int kBytesA = BM * kTileK;
  static constexpr int kBytesB = BN * kTileK;
  static constexpr int kBytesScaleA = BM * 4;
  static constexpr int kBytesScaleB = SB;
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

// Position in the ring of stages, for the producer.
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

// The ring as a consumer sees it, with the descriptors of its operands ready before they are
// needed: between the end of one product and the start of the next, every cycle counts.
template <class L, int STAGES>
struct ConsumerRing {
  uint32_t shared, first_a, first_b, a, b;
  int stage = 0;
  uint32_t parity = 0;
  bool ready = false;
  __device__ ConsumerRing(uint32_t shared_, int first_row)
      : shared(shared_),
        first_a((shared_ + L::kA + first_row * kTileK) >> 4),
        first_b((shared_ + L::kB) >> 4),
        a(first_a),
        b(first_b) {}
  __device__ uint64_t descriptor_a() const { return ptx::kTileBits | a; }
  __device__ uint64_t descriptor_b() const { return ptx::kTileBits | b; }
  __device__ uint32_t empty() const { return shared + L::kEmpty + 8 * stage; }
  __device__ uint32_t full() const { return shared + L::kFull + 8 * stage; }
  __device__ void wait() const {
    if (!ready) ptx::mbarrier_wait(full(), parity);
  }
  __device__ void advance() {
    a += L::kBytesA >> 4;
    b += L::kBytesB >> 4;
    if (++stage == STAGES) {
      stage = 0;
      parity ^= 1;
      a = first_a;
      b = first_b;
    }
    ready = ptx::mbarrier_test(full(), parity);
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

// Frees a stage in both blocks: the producers of both write to both.
__device__ inline void release_stage(uint32_t empty_barrier) {
  const uint32_t lane = threadIdx.x % 32;
  if (lane < kCluster) ptx::mbarrier_arrive_at_rank(empty_barrier, lane);
}

// First 128-row block of every expert, as 16-bit numbers: 8 M rows at most. Without offsets
// `blocks` blocks in near-equal parts.
// NOTE: the number of rounds is known to the compiler. With one that depends on `experts` it took
// everything behind the loop for divergent: descriptors left the uniform registers, 10 % of the
// kernel's speed.
__device__ inline void load_starts(uint16_t* starts, const int32_t* offsets, int experts,
                                   int blocks) {
#pragma unroll
  for (int first = 0; first < kMaxStarts; first += kThreads) {
    const int e = first + static_cast<int>(threadIdx.x);
    if (e > experts) continue;
    const int64_t part = static_cast<int64_t>(blocks) * e / experts;
    starts[e] = static_cast<uint16_t>(offsets != nullptr ? offsets[e] / kGroupBlock : part);
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
// `band` rows of tiles, column by column, every other band backwards so that it begins with the
// columns that the last one ended with.
struct TilePosition {
  int row, column;
};
__device__ inline TilePosition tile_position(int index, int rows, int columns, int band) {
  const int which = index / (band * columns);
  const int height = min(band, rows - which * band);
  const int within = index - which * band * columns;
  const int column = within / height;
  return {which * band + within % height, which % 2 == 0 ? column : columns - 1 - column};
}

__device__ inline float load_shared(uint32_t address) {
  float value;
  asm volatile("ld.shared.f32 %0, [%1];\n" : "=f"(value) : "r"(address));
  return value;
}
__device__ inline float4 load_shared4(uint32_t address) {
  float4 value;
  asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];\n"
               : "=f"(value.x), "=f"(value.y), "=f"(value.z), "=f"(value.w)
               : "r"(address));
  return value;
}
__device__ inline void store_shared4(uint32_t address, const float (&v)[4]) {
  asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};\n" ::"r"(address), "f"(v[0]), "f"(v[1]),
               "f"(v[2]), "f"(v[3])
               : "memory");
}
__device__ inline float load_read_only(const float* address) {
  float value;
  asm volatile("ld.global.nc.f32 %0, [%1];\n" : "=f"(value) : "l"(address));
  return value;
}

// The consumer warpgroups take turns at the tensor cores. Without that both start together, their
// products interleave, both finish together, and the tensor cores idle while both promote.
struct Turns {
  static constexpr int kBarrier = 4;  // and 5; the epilogues use 1 and 2
  int group;
  __device__ explicit Turns(int group_) : group(group_) {
    if (group == 1) ptx::named_barrier_arrive(kBarrier, 128 * kConsumers);
  }
  __device__ void take() const { ptx::named_barrier_sync(kBarrier + group, 128 * kConsumers); }
  __device__ void pass() const {
    ptx::named_barrier_arrive(kBarrier + (1 - group), 128 * kConsumers);
  }
  // The last turn that was passed to the first warpgroup is taken, so that no barrier stays open.
  __device__ void finish() const {
    if (group == 0) take();
  }
};

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
