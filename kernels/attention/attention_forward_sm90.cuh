// SPDX-License-Identifier: MIT
//
// Causal attention forward on Hopper: 128 queries of one head per tile, keys and values in blocks
// of 128 from the diagonal to the left.
//
// One producer thread hands out tiles and fills a two-stage ring of K and V blocks by bulk tensor
// copies; two consumer warpgroups own 64 query rows each. A consumer starts S = Q K^T of the next
// block before O += P V of the last one and computes the softmax while both run; named barriers
// make the two consumers take turns, so that one multiplies while the other exponentiates (the
// schedule is FlashAttention-3's, arXiv:2407.08608). NOTES.md has the arithmetic and the numbers.
#pragma once

#include "kernels/attention/attention_sm90.cuh"
#include "kernels/ptx/architecture.cuh"

namespace tessera::kernels::cuda::attention {

struct ForwardArguments {
  bf16* o;  // (tokens, heads, value_size), strides below
  int64_t o_token, o_head;
  float* lse;  // (heads, tokens), natural logarithm
  int tokens, heads, value_size;
  float scale_log2;    // softmax scale times log2(e)
  int head_group;      // heads that share the L2 cache at one time
  int tail_column;     // where columns 128.. of K stand in the `k_tail` tensor
  int tail_head_step;  // 1, or 0 if all heads share them
  Schedule* schedule;
  const Tile* tiles;
};

struct ForwardShared {
  static constexpr int kStages = 2;
  static constexpr int kQueryPanel = 64 * 128;  // bytes: 64 rows of 64 columns
  static constexpr int kPanelBytes = kTile * 128;
  static constexpr int kQueryBytes = 3 * kQueryPanel;  // per consumer
  static constexpr int kKeyBytes = 3 * kPanelBytes;
  static constexpr int kValueBytes = 2 * kPanelBytes;
  static constexpr int q = 0;
  static constexpr int k = q + 2 * kQueryBytes;
  static constexpr int v = k + kStages * kKeyBytes;
  static constexpr int units = v + kStages * kValueBytes;  // two int4: start, length, block, head
  static constexpr int barriers = units + 32;
  static constexpr int kBytes = barriers + 16 * 8 + 1024;  // 1024: to align the panels
  // Indices of the barriers.
  static constexpr int q_full = 0, q_empty = 2, k_full = 4, k_empty = 6, v_full = 8, v_empty = 10,
                       unit_full = 12, unit_empty = 14;
};

// Unit `index` of the launch as (start, length, block, head); head < 0 behind the last one.
__device__ inline int4 find_forward_unit(unsigned index, const Schedule* schedule,
                                         const Tile* tiles, int heads, int head_group) {
  const Unit unit = find_unit(index, schedule, heads, head_group);
  if (unit.head < 0) return make_int4(0, 0, 0, -1);
  const Tile t = tiles[unit.tile];
  return make_int4(t.start, t.length, t.rank, unit.head);
}

__device__ inline void forward_produce(const ForwardArguments& a, const CUtensorMap* q_map,
                                       const CUtensorMap* k_map, const CUtensorMap* tail_map,
                                       const CUtensorMap* v_map, char* shared, uint32_t base) {
  using L = ForwardShared;
  const uint32_t barriers = base + L::barriers;
  auto barrier = [&](int index, int of) { return barriers + 8 * (index + of); };
  Ring<L::kStages> keys, values;
  keys.phase = values.phase = 1;  // empty at the start
  uint32_t slot = 0, slot_phase = 1, q_phase = 1;
  unsigned next = atomicAdd(&a.schedule->forward_next, 1);
  for (;;) {
    const int4 unit = find_forward_unit(next, a.schedule, a.tiles, a.heads, a.head_group);
    mbarrier_wait(barrier(L::unit_empty, slot), slot_phase);
    reinterpret_cast<int4*>(shared + L::units)[slot] = unit;
    mbarrier_arrive(barrier(L::unit_full, slot));
    slot ^= 1;
    if (slot == 0) slot_phase ^= 1;
    if (unit.w < 0) return;
    next = atomicAdd(&a.schedule->forward_next, 1);
    const int head = unit.w, tail_head = head * a.tail_head_step;

    for (int block = unit.z; block >= 0; --block) {
      const int token = unit.x + block * kTile;
      const uint32_t k_full = barrier(L::k_full, keys.stage);
      const uint32_t k_at = base + L::k + keys.stage * L::kKeyBytes;
      mbarrier_wait(barrier(L::k_empty, keys.stage), keys.phase);
      mbarrier_arrive_expect(k_full, L::kKeyBytes);
      tma_load_3d(k_at, k_map, k_full, 0, head, token);
      tma_load_3d(k_at + L::kPanelBytes, k_map, k_full, 64, head, token);
      tma_load_3d(k_at + 2 * L::kPanelBytes, tail_map, k_full, a.tail_column, tail_head, token);
      keys.advance();
      if (block == unit.z) {
        for (int consumer = 0; consumer < 2; ++consumer) {
          const uint32_t q_full = barrier(L::q_full, consumer);
          const uint32_t q_at = base + L::q + consumer * L::kQueryBytes;
          mbarrier_wait(barrier(L::q_empty, consumer), q_phase);
          mbarrier_arrive_expect(q_full, L::kQueryBytes);
          for (int panel = 0; panel < 3; ++panel) {
            tma_load_3d(q_at + panel * L::kQueryPanel, q_map, q_full, panel * kPanel, head,
                        token + consumer * 64);
          }
        }
        q_phase ^= 1;
      }
      const uint32_t v_full = barrier(L::v_full, values.stage);
      const uint32_t v_at = base + L::v + values.stage * L::kValueBytes;
      mbarrier_wait(barrier(L::v_empty, values.stage), values.phase);
      mbarrier_arrive_expect(v_full, L::kValueBytes);
      tma_load_3d(v_at, v_map, v_full, 0, head, token);
      tma_load_3d(v_at + L::kPanelBytes, v_map, v_full, 64, head, token);
      values.advance();
    }
  }
}

// S = Q K^T for 64 queries and 128 keys: 12 steps over 192 columns.
__device__ inline void start_scores(float (&s)[64], uint32_t q, uint32_t k) {
  constexpr uint64_t bits = ptx::descriptor_bits(ptx::Swizzle::b128, 16, 1024);
  const uint64_t qd = ptx::descriptor(bits, q), kd = ptx::descriptor(bits, k);
#pragma unroll
  for (int i = 0; i < kKeySize / 16; ++i) {
    const int panel = i / 4, within = (i % 4) * 32;
    ptx::Wgmma<128, ptx::Major::k, ptx::Major::k>::shared(
        s, ptx::advance(qd, panel * ForwardShared::kQueryPanel + within),
        ptx::advance(kd, panel * ForwardShared::kPanelBytes + within), i > 0);
  }
  ptx::wgmma_commit();
}

// O += P V for 64 queries and 128 keys: 8 steps over the keys.
__device__ inline void start_output(float (&o)[64], const uint32_t (&p)[32], uint32_t v) {
  constexpr uint64_t bits =
      ptx::descriptor_bits(ptx::Swizzle::b128, ForwardShared::kPanelBytes, 1024);
  const uint64_t vd = ptx::descriptor(bits, v);
#pragma unroll
  for (int i = 0; i < kTile / 16; ++i) {
    ptx::Wgmma<128, ptx::Major::k, ptx::Major::mn>::registers(o, p + 4 * i,
                                                              ptx::advance(vd, i * 16 * 128), 1);
  }
  ptx::wgmma_commit();
}

// Running softmax of the two rows a thread holds: maximum and (its share of) the sum.
struct SoftmaxRows {
  float maximum[2], sum[2];
};

// Scores to unnormalised probabilities; returns by `rescale` what earlier sums are multiplied by.
template <bool FIRST>
__device__ inline void softmax_step(float (&s)[64], SoftmaxRows& rows, float (&rescale)[2],
                                    float scale_log2) {
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    float maximum = FIRST ? -INFINITY : rows.maximum[half];
#pragma unroll
    for (int j = 0; j < 16; ++j) {
      maximum = fmaxf(maximum, fmaxf(s[4 * j + 2 * half], s[4 * j + 2 * half + 1]));
    }
    maximum = quad_max(maximum);
    rescale[half] = FIRST ? 0.0f : exp2_fast((rows.maximum[half] - maximum) * scale_log2);
    rows.maximum[half] = maximum;
    const float shift = maximum * scale_log2;
    float sum = FIRST ? 0.0f : rows.sum[half] * rescale[half];
#pragma unroll
    for (int j = 0; j < 16; ++j) {
      float& x = s[4 * j + 2 * half];
      float& y = s[4 * j + 2 * half + 1];
      x = exp2_fast(fmaf(x, scale_log2, -shift));
      y = exp2_fast(fmaf(y, scale_log2, -shift));
      sum += x + y;
    }
    rows.sum[half] = sum;
  }
}

__device__ inline void pack_probabilities(const float (&s)[64], uint32_t (&p)[32]) {
#pragma unroll
  for (int j = 0; j < 32; ++j) p[j] = pack(s[2 * j], s[2 * j + 1]);
}

__device__ inline void forward_consume(const ForwardArguments& a, const char* shared, uint32_t base,
                                       int consumer) {
  using L = ForwardShared;
  const uint32_t barriers = base + L::barriers;
  auto barrier = [&](int index, int of) { return barriers + 8 * (index + of); };
  const int thread = threadIdx.x & 127, lane = threadIdx.x & 31;
  const int row = (thread / 32) * 16 +
                  lane / 4;  // one of this thread's two rows among the 64; the other is 8 below
  const uint32_t q = base + L::q + consumer * L::kQueryBytes;
  auto arrive = [&](uint32_t which) {
    if (lane == 0) mbarrier_arrive(which);
  };
  Ring<L::kStages> keys, values;
  uint32_t slot = 0, slot_phase = 0, q_phase = 0;
  float s[64], o[64];
  uint32_t p[32];
  SoftmaxRows rows;
  float rescale[2];
  if (consumer == 1) named_barrier_arrive(1, 256);  // the first turn is consumer 0's

  for (;;) {
    mbarrier_wait(barrier(L::unit_full, slot), slot_phase);
    const int4 unit = uniform(reinterpret_cast<const int4*>(shared + L::units)[slot]);
    mbarrier_arrive(barrier(L::unit_empty, slot));
    slot ^= 1;
    if (slot == 0) slot_phase ^= 1;
    if (unit.w < 0) return;

    // The diagonal block.
    mbarrier_wait(barrier(L::q_full, consumer), q_phase);
    q_phase ^= 1;
    mbarrier_wait(barrier(L::k_full, keys.stage), keys.phase);
    ptx::wgmma_fence();
    start_scores(s, q, base + L::k + keys.stage * L::kKeyBytes);
    ptx::wgmma_wait<0>();
    ptx::hold(s);
    arrive(barrier(L::k_empty, keys.stage));
    keys.advance();
    if (unit.z == 0) arrive(barrier(L::q_empty, consumer));
    const int diagonal = consumer * 64 + row;
#pragma unroll
    for (int j = 0; j < 16; ++j) {
      const int column = 8 * j + 2 * (lane & 3);
      if (column > diagonal) s[4 * j] = -INFINITY;
      if (column + 1 > diagonal) s[4 * j + 1] = -INFINITY;
      if (column > diagonal + 8) s[4 * j + 2] = -INFINITY;
      if (column + 1 > diagonal + 8) s[4 * j + 3] = -INFINITY;
    }
    softmax_step<true>(s, rows, rescale, a.scale_log2);
    pack_probabilities(s, p);
#pragma unroll
    for (int i = 0; i < 64; ++i) o[i] = 0.0f;

    for (int block = unit.z - 1; block >= 0; --block) {
      mbarrier_wait(barrier(L::k_full, keys.stage), keys.phase);
      named_barrier_sync(1 + consumer, 256);
      ptx::wgmma_fence();
      start_scores(s, q, base + L::k + keys.stage * L::kKeyBytes);
      mbarrier_wait(barrier(L::v_full, values.stage), values.phase);
      start_output(o, p, base + L::v + values.stage * L::kValueBytes);
      named_barrier_arrive(1 + (consumer ^ 1), 256);
      ptx::wgmma_wait<1>();
      ptx::hold(s);
      arrive(barrier(L::k_empty, keys.stage));
      keys.advance();
      if (block == 0) arrive(barrier(L::q_empty, consumer));
      softmax_step<false>(s, rows, rescale, a.scale_log2);
      ptx::wgmma_wait<0>();
      ptx::hold(o);
      ptx::hold(p);
      arrive(barrier(L::v_empty, values.stage));
      values.advance();
      pack_probabilities(s, p);
#pragma unroll
      for (int i = 0; i < 64; ++i) o[i] *= rescale[(i >> 1) & 1];
    }
    mbarrier_wait(barrier(L::v_full, values.stage), values.phase);
    ptx::wgmma_fence();
    start_output(o, p, base + L::v + values.stage * L::kValueBytes);
    const float sum[2] = {quad_sum(rows.sum[0]), quad_sum(rows.sum[1])};
    ptx::wgmma_wait<0>();
    ptx::hold(o);
    arrive(barrier(L::v_empty, values.stage));
    values.advance();

    const int at = unit.z * kTile + diagonal;  // position in the sequence
    const bool has_upper = at < unit.y, has_lower = at + 8 < unit.y;
    const int64_t token = unit.x + at;
    if ((lane & 3) == 0) {
      float* lse = a.lse + static_cast<int64_t>(unit.w) * a.tokens + token;
      const float scale = a.scale_log2 * kLn2;
      if (has_upper) lse[0] = rows.maximum[0] * scale + __logf(sum[0]);
      if (has_lower) lse[8] = rows.maximum[1] * scale + __logf(sum[1]);
    }
    store_rows<16>(o, 1.0f / sum[0], 1.0f / sum[1], a.o + token * a.o_token + unit.w * a.o_head,
                   8 * a.o_token, has_upper, has_lower, a.value_size);
  }
}

__global__ void __launch_bounds__(384, 1)
    attention_forward_kernel(const __grid_constant__ ForwardArguments arguments,
                             const __grid_constant__ CUtensorMap q_map,
                             const __grid_constant__ CUtensorMap k_map,
                             const __grid_constant__ CUtensorMap tail_map,
                             const __grid_constant__ CUtensorMap v_map) {
#ifdef TESSERA_SM90A_CODE
  using L = ForwardShared;
  extern __shared__ char raw[];
  const uint32_t start = shared_address(raw);
  const uint32_t base = (start + 1023) & ~1023u;
  char* shared = raw + (base - start);
  if (threadIdx.x == 0) {
    const uint32_t barriers = base + L::barriers;
    for (int i = 0; i < 2; ++i) {
      mbarrier_init(barriers + 8 * (L::q_full + i), 1);
      mbarrier_init(barriers + 8 * (L::q_empty + i), 4);
      mbarrier_init(barriers + 8 * (L::k_full + i), 1);
      mbarrier_init(barriers + 8 * (L::k_empty + i), 8);
      mbarrier_init(barriers + 8 * (L::v_full + i), 1);
      mbarrier_init(barriers + 8 * (L::v_empty + i), 8);
      mbarrier_init(barriers + 8 * (L::unit_full + i), 1);
      mbarrier_init(barriers + 8 * (L::unit_empty + i), 256);
    }
    ptx::mbarrier_init_fence();
  }
  __syncthreads();
  const int warpgroup = uniform(threadIdx.x / 128);
  if (warpgroup == 0) {
    ptx::registers_shrink<40>();
    if (threadIdx.x == 0) {
      ptx::tma_prefetch_map(&q_map);
      ptx::tma_prefetch_map(&k_map);
      ptx::tma_prefetch_map(&tail_map);
      ptx::tma_prefetch_map(&v_map);
      forward_produce(arguments, &q_map, &k_map, &tail_map, &v_map, shared, base);
    }
  } else {
    ptx::registers_grow<232>();
    forward_consume(arguments, shared, base, warpgroup - 1);
  }
#else
  ptx::not_in_this_code();
#endif
}

}  // namespace tessera::kernels::cuda::attention
