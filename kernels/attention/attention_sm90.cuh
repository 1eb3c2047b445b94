// SPDX-License-Identifier: MIT
//
// What the forward and the backward attention kernel share on Hopper: sizes, the list of tiles,
// rings of buffers, and small pieces of arithmetic.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

#include "kernels/ptx/mbarrier.cuh"
#include "kernels/ptx/tma.cuh"
#include "kernels/ptx/wgmma_bf16.cuh"

namespace tessera::kernels::cuda::attention {

using bf16 = __nv_bfloat16;
using ptx::mbarrier_arrive;
using ptx::mbarrier_arrive_expect;
using ptx::mbarrier_init;
using ptx::mbarrier_wait;
using ptx::named_barrier_arrive;
using ptx::named_barrier_sync;
using ptx::shared_address;
using ptx::tma_load_3d;

constexpr int kTile = 128;       // rows of queries (forward) or keys (backward) per tile
constexpr int kPanel = 64;       // columns of a panel with the 128-byte swizzle
constexpr int kKeySize = 192;    // columns of q and k the kernels multiply; smaller: zero-filled
constexpr int kValueSize = 128;  // columns of v and o, likewise
constexpr int kStepRows = 64;    // rows of queries per step of the backward kernel
constexpr int kMaxTiles = 8192;  // per sequence: 1 M tokens
constexpr float kLog2e = 1.4426950408889634f;
constexpr float kLn2 = 0.6931471805599453f;

// One tile of one sequence. Work falls with `rank`: forward, block = rank; backward, block =
// blocks - 1 - rank.
struct Tile {
  int start;   // first token of the sequence
  int length;  // its tokens
  int rank;
  int sequence;
};

constexpr int kMostGroups = 60;  // groups of sequences

// Head of the workspace; the tiles follow, those of one group of sequences after those of another.
struct Schedule {
  unsigned forward_next;  // next unit of work, handed out in order
  unsigned backward_next;
  int tiles;                   // in the list, over all sequences
  int group_end[kMostGroups];  // in the list; `tiles` for the last group and past it
};
constexpr int kScheduleBytes = 256;
static_assert(sizeof(Schedule) <= kScheduleBytes);

// A tile of one head. What is worked on at one time should share keys and values, and in backward
// queries and their sums, in the L2 cache: a group of sequences, in it a group of heads, in it the
// longest tiles first.
struct Unit {
  int tile, head;  // head is -1 past the last one
};
__device__ inline Unit find_unit(unsigned index, const Schedule* schedule, int heads,
                                 int head_group) {
  if (index >= static_cast<unsigned>(schedule->tiles) * heads) return {0, -1};
  int first = 0, end = schedule->group_end[0];
  for (int g = 1; index >= static_cast<unsigned>(end) * heads; ++g) {
    first = end;
    end = schedule->group_end[g];
  }
  const unsigned count = end - first, within_group = index - static_cast<unsigned>(first) * heads;
  const int group = static_cast<int>(within_group / (count * head_group));
  const unsigned within = within_group - group * count * head_group;
  const unsigned group_heads = min(head_group, heads - group * head_group);
  return {first + static_cast<int>(within / group_heads),
          group * head_group + static_cast<int>(within % group_heads)};
}

// NOTE: a step of 64 query rows may not straddle sequences, so each sequence's steps begin at its
// own multiple of 64 in the padded arrays (lse, delta, dq sums).
__host__ __device__ inline int first_step(int start, int sequence) {
  return start / kStepRows + sequence;
}

// ---- pipelines ---------------------------------------------------------------------------------

// A ring of STAGES buffers: where it stands and which phase its barriers are in.
template <int STAGES>
struct Ring {
  uint32_t stage = 0, phase = 0;
  __device__ inline void advance() {
    if (++stage == STAGES) {
      stage = 0;
      phase ^= 1;
    }
  }
};

// NOTE: the same value in all lanes, and the compiler knows: what follows from it (loop counters,
// stages, descriptors of wgmma) then lives in uniform registers, of which there are plenty.
__device__ inline int uniform(int x) {
  return __shfl_sync(0xFFFFFFFFu, x, 0);
}
// NOTE: read behind a wait, where the compiler takes lanes to be apart; without the barrier it goes
// on doing so, and nothing is uniform.
__device__ inline int4 uniform(const int4& x) {
  const int4 same = make_int4(uniform(x.x), uniform(x.y), uniform(x.z), uniform(x.w));
  __syncwarp();
  return same;
}

// ---- arithmetic --------------------------------------------------------------------------------

__device__ inline float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}
__device__ inline uint32_t pack(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
__device__ inline float low_float(uint32_t pair) {
  return __uint_as_float(pair << 16);
}
__device__ inline float high_float(uint32_t pair) {
  return __uint_as_float(pair & 0xFFFF0000u);
}

__device__ inline float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xFFFFFFFFu, x, 2));
}
__device__ inline float quad_sum(float x) {
  x += __shfl_xor_sync(0xFFFFFFFFu, x, 1);
  return x + __shfl_xor_sync(0xFFFFFFFFu, x, 2);
}

// Exchanges 4 x 4 words among the four lanes of a quad: lane c ends with word c of every lane, in
// lane order. In a wgmma sum each lane holds 2 columns of 8; afterwards it holds 8 of 32, one
// 16-byte store.
__device__ inline uint4 quad_transpose(uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3) {
  const int lane = threadIdx.x & 3;
  // Step 1: exchange the odd word of each pair with the neighbour's even one.
  const bool odd = lane & 1;
  uint32_t send = odd ? w0 : w1;
  uint32_t got = __shfl_xor_sync(0xFFFFFFFFu, send, 1);
  if (odd)
    w0 = got;
  else
    w1 = got;
  send = odd ? w2 : w3;
  got = __shfl_xor_sync(0xFFFFFFFFu, send, 1);
  if (odd)
    w2 = got;
  else
    w3 = got;
  // Step 2: the same with pairs.
  const bool upper = lane & 2;
  send = upper ? w0 : w2;
  got = __shfl_xor_sync(0xFFFFFFFFu, send, 2);
  if (upper)
    w0 = got;
  else
    w2 = got;
  send = upper ? w1 : w3;
  got = __shfl_xor_sync(0xFFFFFFFFu, send, 2);
  if (upper)
    w1 = got;
  else
    w3 = got;
  return make_uint4(w0, w1, w2, w3);
}

// Stores the sums d (64 rows x 8 BLOCKS columns of one warpgroup) times `factor` as BF16. `row` is
// this thread's upper row in the tensor (the other is 8 below), `rows` how many of the 64 exist
// counted from the upper row.
template <int BLOCKS, int FIRST = 0, int COUNT>
__device__ inline void store_rows(const float (&d)[COUNT], float factor_upper, float factor_lower,
                                  bf16* upper, int64_t eight_rows, bool has_upper, bool has_lower,
                                  int columns) {
  const int c = threadIdx.x & 3;
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const float factor = half ? factor_lower : factor_upper;
#pragma unroll
    for (int i = 0; i < BLOCKS; i += 4) {
      uint32_t w[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int at = 4 * (FIRST + i + j) + 2 * half;
        w[j] = pack(d[at] * factor, d[at + 1] * factor);
      }
      const uint4 words = quad_transpose(w[0], w[1], w[2], w[3]);
      const int column = 8 * (i + c);
      if ((half ? has_lower : has_upper) && column < columns) {
        *reinterpret_cast<uint4*>(upper + half * eight_rows + column) = words;
      }
    }
  }
}

}  // namespace tessera::kernels::cuda::attention
