// SPDX-License-Identifier: MIT
//
// Absorbed decoding in BF16 on Hopper: two warpgroups that take turns with whole tiles. A block has
// 64 heads of one row (unused ones are zeros) and a chunk of its positions. All heads read the same
// keys, and values are the keys' latent part, so a tile of 64 positions is loaded once and
// multiplied twice from shared memory: as B of S = Q K^T with its features summed, and as B of
// O += P V with its positions summed. Scores of even tiles are warpgroup 0's, of odd ones warpgroup
// 1's; of O each holds half of the latent and multiplies every tile, in order, with its half: its
// own P from registers, the other's through shared memory. While one exponentiates, the other's
// products keep the tensor cores busy. A third warpgroup's first thread starts the copies. The idea
// is that of FlashMLA's "seesaw" (DeepSeek, April 2025). Numbers: NOTES.md.
//
// Who waits for whom, tile t of owner g = t % 2, other h = 1 - g, stage t % 2:
//   full[stage][panel]   copies -> readers of the panel, once per tile
//   ready (named, 1 + g) g's 128 threads arrive when P and the maxima of t are in shared memory,
//                        h's 128 wait before their product; once per tile
//   empty[stage][half]   the 4 warps of warpgroup `half` arrive when O += P V of t is through with
//                        that half of the latent: warpgroup g after its own product, h after the
//                        other's. g's scores of t were through before `ready`, so h's arrival also
//                        speaks for g. The copies of tile t + 2 wait for it.
// P of t is written over the tile's rotary keys, of which there are three slots: rotary keys of
// t + 2 go where P of t - 1 was, which g has multiplied before its arrival for t.
#pragma once

#include <cfloat>
#include <cstdint>

#include "kernels/attention_decode/attention_decode_parts.cuh"
#include "kernels/ptx/architecture.cuh"
#include "kernels/ptx/dependent_launch.cuh"
#include "kernels/ptx/mbarrier.cuh"
#include "kernels/ptx/tma.cuh"
#include "kernels/ptx/wgmma_bf16_256.cuh"

namespace tessera::kernels::cuda::decode_sm90 {

constexpr int kHeads = 64;      // heads of a block
constexpr int kPositions = 64;  // positions of a tile
constexpr int kThreads = 384;
constexpr int kConsumerThreads = 256;
constexpr int kGroupThreads = 128;
constexpr int kPanelBytes = 64 * 128;  // 64 rows of 64 values
constexpr float kLog2e = 1.4426950408889634f;
constexpr float kSlack = 8;  // log2 of how much larger than 1 a weight may get

struct Arguments {
  CUtensorMap q, cache;
  DecodeTask task;
  int chunk;  // positions of a block
};

/// PANELS of 64 features: the latent in two halves, then the rotary key.
template <int PANELS>
struct Layout {
  static constexpr int kLatentPanels = PANELS - 1;
  static constexpr int kHalfPanels = kLatentPanels / 2;
  static constexpr int kTileBytes = kLatentPanels * kPanelBytes;
  static constexpr int kQ = 0;
  static constexpr int kLatent = kQ + PANELS * kPanelBytes;
  static constexpr int kSlots = kLatent + 2 * kTileBytes;   // rotary keys, then P
  static constexpr int kMaxima = kSlots + 3 * kPanelBytes;  // (2, 64) F32
  static constexpr int kSums = kMaxima + 2 * kHeads * 4;
  static constexpr int kBarriers = kSums + 2 * kHeads * 4;
  static constexpr int kTotal = kBarriers + 8 * (1 + 2 * PANELS + 4);
  static_assert(kTotal <= 232448, "shared memory of one block");
};

template <int PANELS>
struct Barriers {
  uint32_t base;
  __device__ explicit Barriers(uint32_t shared) : base(shared + Layout<PANELS>::kBarriers) {}
  __device__ uint32_t query() const { return base; }
  __device__ uint32_t full(int stage, int panel) const {
    return base + 8 * (1 + stage * PANELS + panel);
  }
  __device__ uint32_t empty(int stage, int half) const {
    return base + 8 * (1 + 2 * PANELS + 2 * stage + half);
  }
  static __device__ int ready(int group) { return 1 + group; }  // named, 256 threads
  static __device__ int own(int group) { return 3 + group; }    // named, 128 threads
  static constexpr int kEnd = 5;                                // named, 256 threads
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
__device__ inline float exp2_fast(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(y) : "f"(x));
  return y;
}

// ---- copies

template <int PANELS>
struct Producer {
  using L = Layout<PANELS>;
  const Arguments& p;
  const Barriers<PANELS> barriers;
  uint32_t shared;

  __device__ void panel(uint32_t to, int stage, int index, int position) const {
    const uint32_t full = barriers.full(stage, index);
    ptx::mbarrier_arrive_expect(full, kPanelBytes);
    ptx::tma_load_2d(to, &p.cache, full, 64 * index, position);
  }
  __device__ int page(int row, int at) const {
    return p.task.pages[row * p.task.pages_row + at / p.task.page_tokens];
  }
  /// Where position `at` of a row stands in the cache.
  __device__ int position(int page, int row, int at) const {
    const DecodeTask& x = p.task;
    if (page < 0 || page >= x.pages_in_cache) {
      x.bad_page.raise(row);
      page = 0;
    }
    return page * x.page_tokens + at % x.page_tokens;
  }
  __device__ void run(int row, int head, int from, int tiles) const {
    ptx::mbarrier_arrive_expect(barriers.query(), PANELS * kPanelBytes);
    for (int i = 0; i < PANELS; ++i) {
      ptx::tma_load_3d(shared + L::kQ + i * kPanelBytes, &p.q, barriers.query(), 64 * i, head, row);
    }
    int slot = 0, next = page(row, from);
    for (int tile = 0; tile < tiles; ++tile) {
      const int stage = tile % 2, at = from + tile * kPositions;
      const int now = position(next, row, at);
      // Read a tile ahead, so that no copy waits for its page's number.
      if (tile + 1 < tiles) next = page(row, at + kPositions);
      const uint32_t parity = tile / 2 % 2 ^ 1;
      const uint32_t latent = shared + L::kLatent + stage * L::kTileBytes;
      // The owner's half is free first and multiplied first.
      for (int i = 0; i < 2; ++i) {
        const int half = i ^ stage;
        ptx::mbarrier_wait(barriers.empty(stage, half), parity);
        if (i == 0) panel(shared + L::kSlots + slot * kPanelBytes, stage, PANELS - 1, now);
        for (int j = half * L::kHalfPanels; j < (half + 1) * L::kHalfPanels; ++j) {
          panel(latent + j * kPanelBytes, stage, j, now);
        }
      }
      slot = slot == 2 ? 0 : slot + 1;
    }
  }
};

// ---- products

/// Starts s = Q K^T, or s += Q K^T, of one panel of 64 features.
__device__ inline void start_panel(float (&s)[32], uint64_t q, uint64_t k, bool first) {
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    ptx::Wgmma<64, ptx::Major::k, ptx::Major::k>::shared(
        s, ptx::advance(q, step * 32), ptx::advance(k, step * 32), !first || step > 0);
  }
}

/// Starts o += P V with P in registers.
template <int COLUMNS>
__device__ inline void start_own_values(float (&o)[COLUMNS / 2], const uint32_t (&p)[16],
                                        uint32_t values) {
  const uint64_t vd =
      ptx::descriptor(ptx::descriptor_bits(ptx::Swizzle::b128, kPanelBytes, 1024), values);
#pragma unroll
  for (int step = 0; step < kPositions / 16; ++step) {
    ptx::Wgmma<COLUMNS, ptx::Major::k, ptx::Major::mn>::registers(o, p + 4 * step,
                                                                  ptx::advance(vd, step * 2048), 1);
  }
  ptx::wgmma_commit();
}

// ---- softmax

/// The running softmax of a thread's two rows. NOTE: `max` is only raised when a score exceeds it
/// by kSlack, so weights are at most 2^kSlack and the sums rarely need scaling; any common value
/// gives the same quotient.
struct Rows {
  const float slack;  // kSlack in scores
  float max[2] = {-FLT_MAX, -FLT_MAX}, sum[2] = {0, 0};

  /// Goes over to new maxima: scales sums and `o`.
  template <int COUNT>
  __device__ void raise(const float (&now)[2], float scale, float (&o)[COUNT]) {
    const bool same = now[0] == max[0] && now[1] == max[1];
    if (__all_sync(0xffffffff, same)) return;
    float factor[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      factor[half] = exp2_fast((max[half] - now[half]) * scale);
      max[half] = now[half];
      sum[half] *= factor[half];
    }
#pragma unroll
    for (int i = 0; i < COUNT; ++i) o[i] *= factor[i / 2 % 2];
  }

  /// Scores of a tile to weights, of which the first `count` columns are real.
  template <int COUNT>
  __device__ void weigh(float (&s)[32], int count, float scale, float (&o)[COUNT]) {
    const int column = 2 * (threadIdx.x % 4);
    const bool partial = count < kPositions;
    if (partial) {
#pragma unroll
      for (int i = 0; i < 32; ++i) {
        if (column + i / 4 * 8 + i % 2 >= count) s[i] = -FLT_MAX;
      }
    }
    // Four chains each for maxima and sums: one warp alone must hide their latency.
    float largest[2][2] = {{s[0], s[1]}, {s[2], s[3]}};
#pragma unroll
    for (int i = 4; i < 32; ++i) {
      largest[i / 2 % 2][i % 2] = fmaxf(largest[i / 2 % 2][i % 2], s[i]);
    }
    float now[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float all = quad_max(fmaxf(largest[half][0], largest[half][1]));
      now[half] = all > max[half] + slack ? all : max[half];
    }
    raise(now, scale, o);
    const float offset[2] = {max[0] * scale, max[1] * scale};
#pragma unroll
    for (int i = 0; i < 32; ++i) s[i] = exp2_fast(fmaf(s[i], scale, -offset[i / 2 % 2]));
    if (partial) {
#pragma unroll
      for (int i = 0; i < 32; ++i) {
        if (column + i / 4 * 8 + i % 2 >= count) s[i] = 0;
      }
    }
    float sums[2][2] = {};
#pragma unroll
    for (int i = 0; i < 32; ++i) sums[i / 2 % 2][i % 2] += s[i];
#pragma unroll
    for (int half = 0; half < 2; ++half) sum[half] += sums[half][0] + sums[half][1];
  }
};

// ---- a warpgroup

/// NOTE: GROUP is known to the compiler: descriptors then live in uniform registers.
template <int PANELS, int LATENT, int GROUP>
struct Group {
  using L = Layout<PANELS>;
  static constexpr int kColumns = LATENT / 2;  // columns of O
  const Barriers<PANELS> barriers;
  const uint32_t shared;
  float* const maxima;  // (2, 64), of the last tile of either warpgroup
  const int lane;       // lane within the warp
  const int upper;      // this thread's rows: upper and upper + 8
  const float scale;    // times log2(e)

  __device__ uint32_t slot(int tile) const { return shared + L::kSlots + tile % 3 * kPanelBytes; }
  __device__ uint32_t values(int stage) const {
    return shared + L::kLatent + stage * L::kTileBytes + GROUP * L::kHalfPanels * kPanelBytes;
  }

  // NOTE: wgmma_fence() stands before products and hold() behind the last wait; any look at sums in
  // flight, hold() too, makes the compiler wait for each wgmma.

  /// Starts the scores of an own tile from its rotary keys and the half of the latent that comes
  /// first, the one that this warpgroup multiplies with P.
  __device__ void start_first_scores(float (&s)[32], int tile) const {
    constexpr uint64_t bits = ptx::descriptor_bits(ptx::Swizzle::b128, 16, 1024);
    const int parity = tile / 2 % 2;
    ptx::wgmma_fence();
    ptx::mbarrier_wait(barriers.full(GROUP, PANELS - 1), parity);
    start_panel(s, ptx::descriptor(bits, shared + L::kQ + L::kTileBytes),
                ptx::descriptor(bits, slot(tile)), true);
    start_half(s, GROUP, parity);
  }
  __device__ void start_half(float (&s)[32], int half, int parity) const {
    constexpr uint64_t bits = ptx::descriptor_bits(ptx::Swizzle::b128, 16, 1024);
    const uint32_t first = half * L::kHalfPanels;
    const uint64_t q = ptx::descriptor(bits, shared + L::kQ + first * kPanelBytes);
    const uint64_t k =
        ptx::descriptor(bits, shared + L::kLatent + GROUP * L::kTileBytes + first * kPanelBytes);
#pragma unroll
    for (int i = 0; i < L::kHalfPanels; ++i) {
      ptx::mbarrier_wait(barriers.full(GROUP, first + i), parity);
      start_panel(s, ptx::advance(q, i * kPanelBytes), ptx::advance(k, i * kPanelBytes), false);
    }
    ptx::wgmma_commit();
  }

  /// Starts the product of the other's `tile`, when its P is there.
  __device__ void start_others_values(float (&o)[kColumns / 2], Rows& rows, int tile) const {
    const int other = 1 - GROUP;
    // The owner has seen these copies arrive; who reads them looks as well.
#pragma unroll
    for (int i = 0; i < L::kHalfPanels; ++i) {
      ptx::mbarrier_wait(barriers.full(other, GROUP * L::kHalfPanels + i), tile / 2 % 2);
    }
    ptx::named_barrier_sync(barriers.ready(other), 2 * kGroupThreads);
    const float* theirs = maxima + other * kHeads + upper;
    rows.raise({theirs[0], theirs[8]}, scale, o);
    const uint64_t pd =
        ptx::descriptor(ptx::descriptor_bits(ptx::Swizzle::b128, 16, 1024), slot(tile));
    const uint64_t vd =
        ptx::descriptor(ptx::descriptor_bits(ptx::Swizzle::b128, kPanelBytes, 1024), values(other));
    ptx::wgmma_fence();
#pragma unroll
    for (int step = 0; step < kPositions / 16; ++step) {
      ptx::Wgmma<kColumns, ptx::Major::k, ptx::Major::mn>::shared(o, ptx::advance(pd, step * 32),
                                                                  ptx::advance(vd, step * 2048), 1);
    }
    ptx::wgmma_commit();
  }

  /// Hands this warpgroup's half of a tile back to the copies.
  __device__ void release(int stage) const {
    __syncwarp();
    if (lane == 0) ptx::mbarrier_arrive(barriers.empty(stage, GROUP));
  }

  /// Scores of an own tile to P, in registers and for the other; then its product. `count`: how
  /// many of its positions are real.
  __device__ void finish_tile(float (&s)[32], float (&o)[kColumns / 2], Rows& rows, int tile,
                              int count) const {
    rows.weigh(s, count, scale, o);
    if (lane % 4 == 0) {
      maxima[GROUP * kHeads + upper] = rows.max[0];
      maxima[GROUP * kHeads + upper + 8] = rows.max[1];
    }
    uint32_t p[16];
#pragma unroll
    for (int i = 0; i < 16; ++i) p[i] = pack(s[2 * i], s[2 * i + 1]);
    // NOTE: P goes over the rotary keys, which the scores of all four warps must have read.
    ptx::named_barrier_sync(barriers.own(GROUP), kGroupThreads);
    const uint32_t in_group = upper - lane / 4 + lane % 16, to_p = slot(tile) + in_group * 128;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};\n" ::"r"(
                       to_p + (((2 * j + lane / 16) ^ (in_group % 8)) << 4)),
                   "r"(p[4 * j]), "r"(p[4 * j + 1]), "r"(p[4 * j + 2]), "r"(p[4 * j + 3])
                   : "memory");
    }
    ptx::fence_writes_for_tma();
    ptx::named_barrier_arrive(barriers.ready(GROUP), 2 * kGroupThreads);
    ptx::wgmma_fence();
    start_own_values<kColumns>(o, p, values(GROUP));
    ptx::wgmma_wait<0>();
    ptx::hold(o);
    ptx::hold(p);
    release(GROUP);
  }

  /// All tiles of a chunk of `positions`, in order. The other's product stands between the halves
  /// of the own scores: the first half needs nothing of the other, the second goes on while the
  /// other's tile is handed back.
  __device__ void run(float (&o)[kColumns / 2], Rows& rows, int positions) const {
    const int tiles = (positions + kPositions - 1) / kPositions;
    float s[32];
    ptx::mbarrier_wait(barriers.query(), 0);
    int tile = GROUP;
    for (; tile < tiles; tile += 2) {
      const bool others = GROUP == 1 || tile > 0;
      start_first_scores(s, tile);
      if (others) start_others_values(o, rows, tile - 1);
      start_half(s, 1 - GROUP, tile / 2 % 2);
      ptx::wgmma_wait<1>();
      if (others) release(1 - GROUP);
      ptx::wgmma_wait<0>();
      ptx::hold(o);
      ptx::hold(s);
      finish_tile(s, o, rows, tile, positions - tile * kPositions);
    }
    if (tile - 1 < tiles) {
      start_others_values(o, rows, tile - 1);
      ptx::wgmma_wait<0>();
      ptx::hold(o);
    }
  }
};

/// Writes O of a block's heads, whole or as a chunk's share.
template <int LATENT, bool WHOLE>
__device__ inline void store_heads(const DecodeTask& x, const float (&o)[LATENT / 4],
                                   const Rows& rows, const float (&total)[2], int row, int head,
                                   int chunk, int column, bool speaks) {
#pragma unroll
  for (int half = 0; half < 2; ++half, head += 8) {
    if (head >= x.heads) continue;
    if constexpr (WHOLE) {
      auto* to_o = static_cast<__nv_bfloat16*>(x.o) + row * x.o_row + head * x.o_head + column;
      const float one = 1.0f / total[half];
#pragma unroll
      for (int j = 0; j < LATENT / 16; ++j) {
        *reinterpret_cast<uint32_t*>(to_o + 8 * j) =
            pack(o[4 * j + 2 * half] * one, o[4 * j + 2 * half + 1] * one);
      }
    } else {
      const std::int64_t part = (std::int64_t{row} * x.chunks + chunk) * x.heads + head;
      float* to_o = x.sums + part * LATENT + column;
#pragma unroll
      for (int j = 0; j < LATENT / 16; ++j) {
        *reinterpret_cast<float2*>(to_o + 8 * j) =
            make_float2(o[4 * j + 2 * half], o[4 * j + 2 * half + 1]);
      }
      if (speaks) x.states[part] = make_float2(rows.max[half] * x.scale, total[half]);
    }
  }
}

template <int PANELS, int LATENT, bool WHOLE, int GROUP>
__device__ inline void consume(const Arguments& p, uint32_t shared, uint8_t* memory, int row,
                               int head, int chunk, int positions) {
  using L = Layout<PANELS>;
  using B = Barriers<PANELS>;
  const int lane = threadIdx.x % 32, upper = threadIdx.x / 32 % 4 * 16 + lane / 4;
  float o[LATENT / 4];
#pragma unroll
  for (int i = 0; i < LATENT / 4; ++i) o[i] = 0;
  const float scale = p.task.scale * kLog2e;
  Rows rows{__fdividef(kSlack, fabsf(scale))};
  const Group<PANELS, LATENT, GROUP> work{
      B(shared), shared, reinterpret_cast<float*>(memory + L::kMaxima), lane, upper, scale};
  work.run(o, rows, positions);
  // Both have the maxima of the last tile; the sums are those of the own tiles.
  float* sums = reinterpret_cast<float*>(memory + L::kSums);
  float total[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    total[half] = quad_sum(rows.sum[half]);
    if (lane % 4 == 0) sums[GROUP * kHeads + upper + 8 * half] = total[half];
  }
  ptx::named_barrier_sync(B::kEnd, kConsumerThreads);
#pragma unroll
  for (int half = 0; half < 2; ++half) total[half] += sums[(1 - GROUP) * kHeads + upper + 8 * half];
  store_heads<LATENT, WHOLE>(p.task, o, rows, total, row, head + upper, chunk,
                             GROUP * (LATENT / 2) + 2 * (lane % 4), GROUP == 0 && lane % 4 == 0);
}

template <int PANELS, int LATENT, bool WHOLE>
__global__ void __launch_bounds__(kThreads, 1) decode_kernel(const __grid_constant__ Arguments p) {
#ifdef TESSERA_SM90A_CODE
  extern __shared__ __align__(1024) uint8_t memory[];
  const uint32_t shared = ptx::shared_address(memory);
  const Barriers<PANELS> barriers(shared);
  // NOTE: blocks of one row are neighbours: they read the same pages at the same time.
  const int head = blockIdx.x * kHeads, row = blockIdx.y, chunk = blockIdx.z;
  const int length = p.task.lengths[row];
  if (length < 1 || length > p.task.max_positions) {
    if (threadIdx.x == 0) p.task.bad_length.raise(row);
    return;
  }
  const int from = chunk * p.chunk;
  // The shuffle tells the compiler that this, and what follows from it, is uniform.
  const int positions = __shfl_sync(0xffffffff, min(length - from, p.chunk), 0);
  if (positions <= 0) return;
  if (threadIdx.x == 0) {
    ptx::mbarrier_init(barriers.query(), 1);
    for (int stage = 0; stage < 2; ++stage) {
      for (int i = 0; i < PANELS; ++i) ptx::mbarrier_init(barriers.full(stage, i), 1);
      for (int half = 0; half < 2; ++half) ptx::mbarrier_init(barriers.empty(stage, half), 4);
    }
    ptx::mbarrier_init_fence();
  }
  __syncthreads();
  // Once all blocks have started, the merge's may take the places that they leave.
  if constexpr (!WHOLE) ptx::launch_dependents();
  const int group = __shfl_sync(0xffffffff, threadIdx.x / 128, 0);
  if (group == 2) {
    ptx::registers_shrink<24>();
    if (threadIdx.x == kConsumerThreads) {
      const Producer<PANELS> producer{p, barriers, shared};
      producer.run(row, head, from, (positions + kPositions - 1) / kPositions);
    }
  } else {
    ptx::registers_grow<240>();
    if (group == 0) {
      consume<PANELS, LATENT, WHOLE, 0>(p, shared, memory, row, head, chunk, positions);
    } else {
      consume<PANELS, LATENT, WHOLE, 1>(p, shared, memory, row, head, chunk, positions);
    }
  }
#else
  ptx::not_in_this_code();
#endif
}

}  // namespace tessera::kernels::cuda::decode_sm90
