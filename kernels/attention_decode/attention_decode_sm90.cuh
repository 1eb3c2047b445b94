// SPDX-License-Identifier: MIT
//
// Absorbed decoding in BF16 on Hopper. A block has 64 heads of one row and a chunk of its
// positions; all heads read the same keys, and values are the keys' latent part, so a tile of 64
// positions is loaded once and multiplied twice from shared memory: as B of S = Q K^T with its
// features summed, and as B of O += P V with its positions summed.
//
// Two warpgroups share the work: of S each takes 32 of the 64 positions, of O each takes half of
// the latent. Between them they exchange row maxima and P through shared memory. A third
// warpgroup's first thread keeps two stages of keys filled with the copy engine.
#pragma once

#include <cfloat>
#include <cstdint>

#include "kernels/attention_decode/attention_decode_parts.cuh"
#include "kernels/ptx/architecture.cuh"
#include "kernels/ptx/mbarrier.cuh"
#include "kernels/ptx/tma.cuh"
#include "kernels/ptx/wgmma_bf16_256.cuh"
#include "kernels/ptx/wgmma_bf16_32.cuh"

namespace tessera::kernels::cuda::decode_sm90 {

constexpr int kHeads = 64;      // of a block
constexpr int kPositions = 64;  // of a tile
constexpr int kStages = 2;
constexpr int kThreads = 384;
constexpr int kConsumerThreads = 256;
constexpr int kPanelBytes = 64 * 128;  // 64 rows of 64 values
constexpr float kLog2e = 1.4426950408889634f;

/// PANELS of 64 features: latent and rotary key together.
template <int PANELS>
struct Layout {
  static constexpr int kTileBytes = PANELS * kPanelBytes;
  static constexpr int kQ = 0;
  static constexpr int kKeys = kQ + kTileBytes;
  static constexpr int kP = kKeys + kStages * kTileBytes;
  static constexpr int kRows = kP + kPanelBytes;  // (2, 64) F32: maxima, at the end sums
  static constexpr int kBarriers = kRows + 2 * kHeads * 4;
  static constexpr int kTotal = kBarriers + 8 * (1 + 2 * kStages);
  static_assert(kTotal <= 232448, "shared memory of one block");
};

struct Arguments {
  CUtensorMap q, cache;
  DecodeTask task;
  int chunk;  // positions of a block
};

__device__ inline float quad_max(float x) {
  x = fmaxf(x, __shfl_xor_sync(0xffffffff, x, 1));
  return fmaxf(x, __shfl_xor_sync(0xffffffff, x, 2));
}
__device__ inline float quad_sum(float x) {
  x += __shfl_xor_sync(0xffffffff, x, 1);
  return x + __shfl_xor_sync(0xffffffff, x, 2);
}
__device__ inline uint32_t pack(float low, float high) {
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

template <int PANELS>
struct Barriers {
  uint32_t base;
  __device__ explicit Barriers(uint32_t shared) : base(shared + Layout<PANELS>::kBarriers) {}
  __device__ uint32_t query() const { return base; }
  __device__ uint32_t full(int stage) const { return base + 8 * (1 + stage); }
  __device__ uint32_t empty(int stage) const { return base + 8 * (1 + kStages + stage); }
};

template <int PANELS>
__device__ inline void produce(const Arguments& p, uint32_t shared, int row, int head, int from,
                               int to) {
  using L = Layout<PANELS>;
  const Barriers<PANELS> barriers(shared);
  const DecodeTask& x = p.task;
  ptx::mbarrier_arrive_expect(barriers.query(), L::kTileBytes);
  for (int i = 0; i < PANELS; ++i) {
    ptx::tma_load_3d(shared + L::kQ + i * kPanelBytes, &p.q, barriers.query(), 64 * i, head, row);
  }
  int stage = 0;
  uint32_t parity = 1;
  for (int at = from; at < to; at += kPositions) {
    int page = x.pages[row * x.pages_row + at / x.page_tokens];
    if (page < 0 || page >= x.pages_in_cache) {
      x.bad_page.raise(row);
      page = 0;
    }
    ptx::mbarrier_wait(barriers.empty(stage), parity);
    ptx::mbarrier_arrive_expect(barriers.full(stage), L::kTileBytes);
    const uint32_t keys = shared + L::kKeys + stage * L::kTileBytes;
    for (int i = 0; i < PANELS; ++i) {
      ptx::tma_load_2d(keys + i * kPanelBytes, &p.cache, barriers.full(stage), 64 * i,
                       page * x.page_tokens + at % x.page_tokens);
    }
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
}

// NOTE: wgmma_fence() stands before the first product of a pair and hold() behind the last wait;
// any look at the sums in between, hold() too, makes the compiler wait for each wgmma.

/// Starts the scores of 32 positions: s = Q K^T.
template <int PANELS>
__device__ inline void start_scores(float (&s)[16], uint32_t q, uint32_t keys) {
  constexpr uint64_t bits = ptx::descriptor_bits(ptx::Swizzle::b128, 16, 1024);
  const uint64_t qd = ptx::descriptor(bits, q), kd = ptx::descriptor(bits, keys);
#pragma unroll
  for (int step = 0; step < 4 * PANELS; ++step) {
    const uint32_t at = step / 4 * kPanelBytes + step % 4 * 32;
    ptx::Wgmma<32, ptx::Major::k, ptx::Major::k>::shared(s, ptx::advance(qd, at),
                                                         ptx::advance(kd, at), step > 0);
  }
  ptx::wgmma_commit();
}

/// Starts o += P V for this warpgroup's columns.
template <int COLUMNS>
__device__ inline void start_values(float (&o)[COLUMNS / 2], uint32_t p, uint32_t values) {
  const uint64_t pd = ptx::descriptor(ptx::descriptor_bits(ptx::Swizzle::b128, 16, 1024), p);
  const uint64_t vd =
      ptx::descriptor(ptx::descriptor_bits(ptx::Swizzle::b128, kPanelBytes, 1024), values);
#pragma unroll
  for (int step = 0; step < kPositions / 16; ++step) {
    ptx::Wgmma<COLUMNS, ptx::Major::k, ptx::Major::mn>::shared(o, ptx::advance(pd, step * 32),
                                                               ptx::advance(vd, step * 2048), 1);
  }
  ptx::wgmma_commit();
}

template <int PANELS, int LATENT, bool WHOLE>
__device__ inline void consume(const Arguments& p, uint32_t shared, uint8_t* memory, int group,
                               int row, int first_head, int chunk, int from, int to) {
  using L = Layout<PANELS>;
  constexpr int kColumns = LATENT / 2;
  const Barriers<PANELS> barriers(shared);
  const DecodeTask& x = p.task;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
  const int upper = 16 * warp + lane / 4;  // this thread's rows: upper and upper + 8
  float* of_rows = reinterpret_cast<float*>(memory + L::kRows);
  float* mine = of_rows + group * kHeads;
  const float* others = of_rows + (1 - group) * kHeads;
  const float scale = x.scale * kLog2e;
  const uint32_t in_warp = 16 * warp + lane % 16, unit = 4 * group + lane / 16;

  float o[kColumns / 2];
#pragma unroll
  for (int i = 0; i < kColumns / 2; ++i) o[i] = 0;
  float max[2] = {-FLT_MAX, -FLT_MAX}, sum[2] = {0, 0};
  float s[16];
  int stage = 0;
  uint32_t parity = 0;
  ptx::mbarrier_wait(barriers.query(), 0);
  ptx::mbarrier_wait(barriers.full(0), 0);
  ptx::wgmma_fence();
  start_scores<PANELS>(s, shared + L::kQ, shared + L::kKeys + group * 32 * 128);
  ptx::wgmma_wait<0>();
  ptx::hold(s);
  // Scores to P in shared memory; o is scaled to the new maximum.
  const auto softmax = [&](int at) {
    const int first = at + 32 * group + 2 * (lane % 4);
    float largest[2] = {-FLT_MAX, -FLT_MAX};
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      if (first + i / 4 * 8 + i % 2 >= to) s[i] = -FLT_MAX;
      largest[i / 2 % 2] = fmaxf(largest[i / 2 % 2], s[i]);
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      largest[half] = quad_max(largest[half]);
      if (lane % 4 == 0) mine[upper + 8 * half] = largest[half];
    }
    ptx::named_barrier_sync(1, kConsumerThreads);
    float factor[2], offset[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float now = fmaxf(max[half], fmaxf(largest[half], others[upper + 8 * half]));
      factor[half] = exp2f((max[half] - now) * scale);
      max[half] = now;
      offset[half] = now * scale;
      sum[half] *= factor[half];
    }
#pragma unroll
    for (int i = 0; i < 16; ++i) {
      const int half = i / 2 % 2;
      s[i] = s[i] == -FLT_MAX ? 0.0f : exp2f(fmaf(s[i], scale, -offset[half]));
      sum[half] += s[i];
    }
#pragma unroll
    for (int j = 0; j < 4; j += 2) {
      const uint32_t to_p = shared + L::kP + in_warp * 128 + (((j + unit) ^ (in_warp % 8)) << 4);
      asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};\n" ::"r"(to_p),
                   "r"(pack(s[4 * j], s[4 * j + 1])), "r"(pack(s[4 * j + 2], s[4 * j + 3])),
                   "r"(pack(s[4 * j + 4], s[4 * j + 5])), "r"(pack(s[4 * j + 6], s[4 * j + 7]))
                   : "memory");
    }
    ptx::fence_writes_for_tma();
    if (__any_sync(0xffffffff, factor[0] != 1.0f || factor[1] != 1.0f)) {
#pragma unroll
      for (int i = 0; i < kColumns / 2; ++i) o[i] *= factor[i / 2 % 2];
    }
    ptx::named_barrier_sync(2, kConsumerThreads);
  };
  const auto values_of = [&](int of_stage) {
    return shared + L::kKeys + of_stage * L::kTileBytes + group * (kColumns / 64) * kPanelBytes;
  };

  int at = from;
  for (; at + kPositions < to; at += kPositions) {
    softmax(at);
    const int used = stage;
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
    ptx::wgmma_fence();
    start_values<kColumns>(o, shared + L::kP, values_of(used));
    // The next scores stand behind these values, so that the tensor cores go on without a break.
    ptx::mbarrier_wait(barriers.full(stage), parity);
    start_scores<PANELS>(s, shared + L::kQ,
                         shared + L::kKeys + stage * L::kTileBytes + group * 32 * 128);
    ptx::wgmma_wait<1>();
    __syncwarp();
    if (lane == 0) ptx::mbarrier_arrive(barriers.empty(used));
    ptx::wgmma_wait<0>();
    ptx::hold(o);
    ptx::hold(s);
  }
  softmax(at);
  ptx::wgmma_fence();
  start_values<kColumns>(o, shared + L::kP, values_of(stage));
  ptx::wgmma_wait<0>();
  ptx::hold(o);
  // Both halves of the positions make the sum of a row.
#pragma unroll
  for (int half = 0; half < 2; ++half) sum[half] = quad_sum(sum[half]);
  ptx::named_barrier_sync(1, kConsumerThreads);
  if (lane % 4 == 0) {
    mine[upper] = sum[0];
    mine[upper + 8] = sum[1];
  }
  ptx::named_barrier_sync(2, kConsumerThreads);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int head = first_head + upper + 8 * half;
    if (head >= x.heads) continue;
    const float total = sum[half] + others[upper + 8 * half];
    const int column = group * kColumns + 2 * (lane % 4);
    if constexpr (WHOLE) {
      auto* to_o = static_cast<__nv_bfloat16*>(x.o) + row * x.o_row + head * x.o_head + column;
      const float one = 1.0f / total;
#pragma unroll
      for (int j = 0; j < kColumns / 8; ++j) {
        *reinterpret_cast<uint32_t*>(to_o + 8 * j) =
            pack(o[4 * j + 2 * half] * one, o[4 * j + 2 * half + 1] * one);
      }
    } else {
      const std::int64_t part = (std::int64_t{row} * x.chunks + chunk) * x.heads + head;
      float* to_o = x.sums + part * LATENT + column;
#pragma unroll
      for (int j = 0; j < kColumns / 8; ++j) {
        *reinterpret_cast<float2*>(to_o + 8 * j) =
            make_float2(o[4 * j + 2 * half], o[4 * j + 2 * half + 1]);
      }
      if (group == 0 && lane % 4 == 0) x.states[part] = make_float2(max[half] * x.scale, total);
    }
  }
}

template <int PANELS, int LATENT, bool WHOLE>
__global__ void __launch_bounds__(kThreads, 1) decode_kernel(const __grid_constant__ Arguments p) {
#ifdef TESSERA_SM90A_CODE
  extern __shared__ __align__(1024) uint8_t memory[];
  const uint32_t shared = ptx::shared_address(memory);
  const Barriers<PANELS> barriers(shared);
  const int row = blockIdx.x, head = blockIdx.y * kHeads, chunk = blockIdx.z;
  const int length = p.task.lengths[row];
  if (length < 1 || length > p.task.max_positions) {
    if (threadIdx.x == 0) p.task.bad_length.raise(row);
    return;
  }
  const int from = chunk * p.chunk, to = min(length, from + p.chunk);
  if (from >= to) return;
  if (threadIdx.x == 0) {
    ptx::mbarrier_init(barriers.query(), 1);
    for (int i = 0; i < kStages; ++i) {
      ptx::mbarrier_init(barriers.full(i), 1);
      ptx::mbarrier_init(barriers.empty(i), kConsumerThreads / 32);
    }
    ptx::mbarrier_init_fence();
  }
  __syncthreads();
  const int group = __shfl_sync(0xffffffff, threadIdx.x / 128, 0);
  if (group == 2) {
    ptx::registers_shrink<40>();
    if (threadIdx.x == kConsumerThreads) produce<PANELS>(p, shared, row, head, from, to);
  } else {
    ptx::registers_grow<232>();
    consume<PANELS, LATENT, WHOLE>(p, shared, memory, group, row, head, chunk, from, to);
  }
#else
  ptx::not_in_this_code();
#endif
}

}  // namespace tessera::kernels::cuda::decode_sm90
