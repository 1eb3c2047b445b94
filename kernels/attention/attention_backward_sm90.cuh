// SPDX-License-Identifier: MIT
//
// Causal attention backward on Hopper: one tile is 128 keys of one head; the kernel walks over the
// queries that see them in steps of 64.
//
// Two consumer warpgroups own 64 keys each and keep dK (64 x 192) and dV (64 x 128) in registers.
// They compute S^T = K Q^T and dP^T = V dO^T, so that P^T and dS^T are the register operands of
// dV += P^T dO and dK += dS^T Q. Only dS crosses between the two, through shared memory: each takes
// 96 of the 192 columns of dQ = dS K over all 128 keys and adds them to FP32 sums in L2.
// The formulas: P = exp(scale S - lse), dV = P^T dO, dS = P (dO V^T - delta), delta = rowsum(dO O),
// dQ = scale dS K, dK = scale dS^T Q (FlashAttention-2, arXiv:2307.08691, algorithm 2).
#pragma once

#include "kernels/attention/attention_forward_sm90.cuh"
#include "kernels/ptx/architecture.cuh"

namespace tessera::kernels::cuda::attention {

struct BackwardArguments {
  bf16 *dk, *dk_tail, *dv;  // (tokens, heads, columns); dk_tail takes columns 128.. of dK
  bf16* dq;                 // written in ordered mode; otherwise by attention_query_kernel
  int64_t dq_token, dq_head;
  int64_t dk_token, dk_head, dk_tail_token, dk_tail_head, dv_token, dv_head;
  const float* rows;  // (heads, steps, 2, 64): lse log2(e) and delta of each query row
  float* dq_sums;     // (heads, steps, 64 x 192 in the order of the registers)
  int* turns;         // (heads, steps, 2): how many key tiles have been added; ordered mode only
  int heads, steps, key_size, value_size;
  float scale, scale_log2;
  int head_group;
  int tail_column, tail_head_step;  // as in ForwardArguments
  Schedule* schedule;
  const Tile* tiles;
};

struct BackwardShared {
  static constexpr int kStages = 2;
  static constexpr int kKeyPanel = kTile * 64;  // bytes: 128 rows of 32 columns, 64-byte swizzle
  static constexpr int kValuePanel = kTile * 128;
  static constexpr int kStepPanel = kStepRows * 128;  // 64 rows of 64 columns
  static constexpr int kKeyBytes = 6 * kKeyPanel;
  static constexpr int kValueBytes = 2 * kValuePanel;
  static constexpr int kQueryBytes = 3 * kStepPanel;
  static constexpr int kOutputBytes = 2 * kStepPanel;
  static constexpr int kScoreBytes = kTile * 128;  // dS^T: 128 keys x 64 queries
  static constexpr int kRowBytes = 2 * kStepRows * 4;
  static constexpr int kDqBytes = kStepRows * kKeySize / 2 * 4;  // a consumer's half, FP32
  static constexpr int k = 0;
  static constexpr int v = k + kKeyBytes;
  static constexpr int q = v + kValueBytes;
  static constexpr int d_o = q + kStages * kQueryBytes;
  static constexpr int ds = d_o + kOutputBytes;  // dO has one stage
  static constexpr int dq = ds + 2 * kScoreBytes;
  static constexpr int rows = dq + 2 * kDqBytes;
  static constexpr int units = rows + kStages * kRowBytes;
  static constexpr int barriers = units + 32;
  static constexpr int kBytes = barriers + 24 * 8 + 1024;
  static constexpr int k_full = 0, v_full = 1, kv_empty = 2, q_full = 4, q_empty = 6, o_full = 8,
                       o_empty = 10, unit_full = 12, unit_empty = 14, ds_full = 16, ds_empty = 18,
                       dq_full = 20, dq_empty = 22;
};

// Sums of dQ of one head and step: [consumer][register / 4][thread][4].
constexpr int kDqPerThread = kStepRows * kKeySize / 256;

__device__ inline void bulk_load(uint32_t to, const void* from, uint32_t bytes, uint32_t barrier) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];\n" ::
          "r"(to),
      "l"(from), "r"(bytes), "r"(barrier)
      : "memory");
}

// The steps of a tile. Ascending, tiles of one head that start together add to different rows of
// dQ; descending, they follow each other closest when they must take turns.
struct StepRange {
  int first, last, base;  // tokens of the sequence; `base` is where its steps begin
  template <bool DESCENDING>
  __device__ int at(int i) const {
    return DESCENDING ? last - i : first + i;
  }
  __device__ int count() const { return last - first + 1; }
  __device__ StepRange(const int4& unit, int sequence) {
    first = unit.z * (kTile / kStepRows);
    last = (unit.y + kStepRows - 1) / kStepRows - 1;
    base = first_step(unit.x, sequence);
  }
};

struct BackwardUnit {
  int4 unit;  // start, length, block of keys, head
  int sequence;
};
__device__ inline BackwardUnit find_backward_unit(unsigned index, const Schedule* schedule,
                                                  const Tile* tiles, int heads, int head_group) {
  const Unit unit = find_unit(index, schedule, heads, head_group);
  if (unit.head < 0) return {make_int4(0, 0, 0, -1), 0};
  const Tile t = tiles[unit.tile];
  const int blocks = (t.length + kTile - 1) / kTile;
  return {make_int4(t.start, t.length, blocks - 1 - t.rank, unit.head), t.sequence};
}

template <bool DESCENDING>
__device__ inline void backward_produce(const BackwardArguments& a, const CUtensorMap* q_map,
                                        const CUtensorMap* k_map, const CUtensorMap* tail_map,
                                        const CUtensorMap* v_map, const CUtensorMap* do_map,
                                        char* shared, uint32_t base) {
  using L = BackwardShared;
  const uint32_t barriers = base + L::barriers;
  auto barrier = [&](int index, int of) { return barriers + 8 * (index + of); };
  Ring<L::kStages> ring;
  ring.phase = 1;
  uint32_t slot = 0, slot_phase = 1, kv_phase = 1, o_phase = 1;
  unsigned next = atomicAdd(&a.schedule->backward_next, 1);
  for (;;) {
    const BackwardUnit found = find_backward_unit(next, a.schedule, a.tiles, a.heads, a.head_group);
    const int4 unit = found.unit;
    mbarrier_wait(barrier(L::unit_empty, slot), slot_phase);
    reinterpret_cast<int4*>(shared + L::units)[slot] =
        make_int4(unit.x, unit.y, (found.sequence << 13) | unit.z, unit.w);
    mbarrier_arrive(barrier(L::unit_full, slot));
    slot ^= 1;
    if (slot == 0) slot_phase ^= 1;
    if (unit.w < 0) return;
    const int head = unit.w, key = unit.x + unit.z * kTile;
    const StepRange range(unit, found.sequence);

    mbarrier_wait(barrier(L::kv_empty, 0), kv_phase);
    kv_phase ^= 1;
    const uint32_t k_full = barrier(L::k_full, 0), v_full = barrier(L::v_full, 0);
    mbarrier_arrive_expect(k_full, L::kKeyBytes);
    for (int panel = 0; panel < 6; ++panel) {
      const bool tail = panel >= 4;
      tma_load_3d(base + L::k + panel * L::kKeyPanel, tail ? tail_map : k_map, k_full,
                  tail ? a.tail_column + 32 * (panel - 4) : 32 * panel,
                  tail ? head * a.tail_head_step : head, key);
    }
    for (int i = 0; i < range.count(); ++i) {
      const int step = range.at<DESCENDING>(i);
      const int token = unit.x + step * kStepRows;
      const uint32_t q_full = barrier(L::q_full, ring.stage);
      const uint32_t o_full = barrier(L::o_full, 0);
      const uint32_t q_at = base + L::q + ring.stage * L::kQueryBytes;
      mbarrier_wait(barrier(L::q_empty, ring.stage), ring.phase);
      mbarrier_arrive_expect(q_full, L::kQueryBytes + L::kRowBytes);
      for (int panel = 0; panel < 3; ++panel) {
        tma_load_3d(q_at + panel * L::kStepPanel, q_map, q_full, panel * kPanel, head, token);
      }
      const int64_t padded = static_cast<int64_t>(head) * a.steps + range.base + step;
      bulk_load(base + L::rows + ring.stage * L::kRowBytes, a.rows + padded * 2 * kStepRows,
                L::kRowBytes, q_full);
      if (i == 0) {
        mbarrier_arrive_expect(v_full, L::kValueBytes);
        for (int panel = 0; panel < 2; ++panel) {
          tma_load_3d(base + L::v + panel * L::kValuePanel, v_map, v_full, panel * kPanel, head,
                      key);
        }
      }
      mbarrier_wait(barrier(L::o_empty, 0), o_phase);
      o_phase ^= 1;
      mbarrier_arrive_expect(o_full, L::kOutputBytes);
      for (int panel = 0; panel < 2; ++panel) {
        tma_load_3d(base + L::d_o + panel * L::kStepPanel, do_map, o_full, panel * kPanel, head,
                    token);
      }
      ring.advance();
    }
    // NOTE: not earlier: a tile that waits in a busy block would keep the tiles behind it waiting.
    next = atomicAdd(&a.schedule->backward_next, 1);
  }
}

// S^T = K Q^T for 64 keys and 64 queries.
__device__ inline void start_scores_transposed(float (&s)[32], uint32_t k, uint32_t q) {
  using L = BackwardShared;
  const uint64_t kd = ptx::descriptor(ptx::descriptor_bits(ptx::Swizzle::b64, 16, 512), k);
  const uint64_t qd = ptx::descriptor(ptx::descriptor_bits(ptx::Swizzle::b128, 16, 1024), q);
#pragma unroll
  for (int i = 0; i < kKeySize / 16; ++i) {
    ptx::Wgmma<64, ptx::Major::k, ptx::Major::k>::shared(
        s, ptx::advance(kd, (i / 2) * L::kKeyPanel + (i % 2) * 32),
        ptx::advance(qd, (i / 4) * L::kStepPanel + (i % 4) * 32), i > 0);
  }
  ptx::wgmma_commit();
}

// dP^T = V dO^T for 64 keys and 64 queries.
__device__ inline void start_dp_transposed(float (&dp)[32], uint32_t v, uint32_t d_o) {
  using L = BackwardShared;
  constexpr uint64_t bits = ptx::descriptor_bits(ptx::Swizzle::b128, 16, 1024);
  const uint64_t vd = ptx::descriptor(bits, v), od = ptx::descriptor(bits, d_o);
#pragma unroll
  for (int i = 0; i < kValueSize / 16; ++i) {
    ptx::Wgmma<64, ptx::Major::k, ptx::Major::k>::shared(
        dp, ptx::advance(vd, (i / 4) * L::kValuePanel + (i % 4) * 32),
        ptx::advance(od, (i / 4) * L::kStepPanel + (i % 4) * 32), i > 0);
  }
  ptx::wgmma_commit();
}

// D += A B over 64 queries: A (64 keys x 64 queries) in registers, B = dO (N = 128) or Q (N = 192).
template <int N>
__device__ inline void start_key_gradient(float (&d)[N / 2], const uint32_t (&a)[16], uint32_t b) {
  const uint64_t bd = ptx::descriptor(
      ptx::descriptor_bits(ptx::Swizzle::b128, BackwardShared::kStepPanel, 1024), b);
#pragma unroll
  for (int i = 0; i < kStepRows / 16; ++i) {
    ptx::Wgmma<N, ptx::Major::k, ptx::Major::mn>::registers(d, a + 4 * i,
                                                            ptx::advance(bd, i * 16 * 128), 1);
  }
  ptx::wgmma_commit();
}

// dK += dS^T Q for 64 keys over 64 queries, dS^T from shared memory.
__device__ inline void start_key_gradient_shared(float (&dk)[96], uint32_t ds, uint32_t q) {
  const uint64_t sd = ptx::descriptor(ptx::descriptor_bits(ptx::Swizzle::b128, 16, 1024), ds);
  const uint64_t qd = ptx::descriptor(
      ptx::descriptor_bits(ptx::Swizzle::b128, BackwardShared::kStepPanel, 1024), q);
#pragma unroll
  for (int i = 0; i < kStepRows / 16; ++i) {
    ptx::Wgmma<192, ptx::Major::k, ptx::Major::mn>::shared(dk, ptx::advance(sd, i * 32),
                                                           ptx::advance(qd, i * 16 * 128), 1);
  }
  ptx::wgmma_commit();
}

// 96 columns of dQ = dS K for 64 queries, over 128 keys.
__device__ inline void start_query_gradient(float (&dq)[48], uint32_t ds, uint32_t k) {
  const uint64_t sd = ptx::descriptor(ptx::descriptor_bits(ptx::Swizzle::b128, 1024, 1024), ds);
  const uint64_t kd =
      ptx::descriptor(ptx::descriptor_bits(ptx::Swizzle::b64, BackwardShared::kKeyPanel, 512), k);
#pragma unroll
  for (int i = 0; i < kTile / 16; ++i) {
    ptx::Wgmma<96, ptx::Major::mn, ptx::Major::mn>::shared(dq, ptx::advance(sd, i * 16 * 128),
                                                           ptx::advance(kd, i * 16 * 64), i > 0);
  }
  ptx::wgmma_commit();
}

__device__ inline float2 load_pair(uint32_t at) {
  float2 pair;
  asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];\n" : "=f"(pair.x), "=f"(pair.y) : "r"(at));
  return pair;
}

__device__ inline void load_row_values(float2 (&values)[8], uint32_t at) {
#pragma unroll
  for (int j = 0; j < 8; ++j) values[j] = load_pair(at + 4 * (8 * j + 2 * (threadIdx.x & 3)));
}

// P^T from S^T, rounded to BF16: rows of keys, columns of queries. `ahead` is how far the thread's
// upper key lies behind the step's first query: below the diagonal where column < ahead.
template <bool MASKED>
__device__ inline void probabilities(const float (&s)[32], uint32_t (&p)[16],
                                     const float2 (&lse2)[8], float scale_log2, int ahead) {
  const int c = 2 * (threadIdx.x & 3);
#pragma unroll
  for (int j = 0; j < 8; ++j) {
    const float2 shift = lse2[j];
    float x[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      x[i] = exp2_fast(fmaf(s[4 * j + i], scale_log2, i & 1 ? -shift.y : -shift.x));
      if (MASKED && 8 * j + c + (i & 1) < ahead + 8 * (i >> 1)) x[i] = 0.0f;
    }
    p[2 * j] = pack(x[0], x[1]);
    p[2 * j + 1] = pack(x[2], x[3]);
  }
}

__device__ inline void score_gradients(const float (&dp)[32], const uint32_t (&p)[16],
                                       uint32_t (&ds)[16], const float2 (&delta)[8]) {
#pragma unroll
  for (int j = 0; j < 8; ++j) {
    const float2 shift = delta[j];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const uint32_t pair = p[2 * j + half];
      ds[2 * j + half] = pack(low_float(pair) * (dp[4 * j + 2 * half] - shift.x),
                              high_float(pair) * (dp[4 * j + 2 * half + 1] - shift.y));
    }
  }
}

// dQ. A consumer puts its half of a step's dQ into shared memory; a warp of its own adds it to the
// FP32 sums by the copy engine's reduction, so that the consumer need not wait for L2.
// Unordered: added in the order of arrival, to sums that were zeroed before. Ordered: for each step
// the key tiles take turns from the first, which stores, to the one on the diagonal, which finds
// the sums of all others and writes dQ itself. A tile waits for tiles that were handed out before
// it and, by induction, for none that is not being worked on.

__device__ inline int read_turn(const int* turn) {
  int value;
  asm volatile("ld.acquire.gpu.global.s32 %0, [%1];\n" : "=r"(value) : "l"(turn) : "memory");
  return value;
}

__device__ inline bool on_diagonal(int step, int block) {
  return step / (kTile / kStepRows) == block;
}

template <bool ORDERED, bool DESCENDING>
__device__ inline void backward_store(const BackwardArguments& a, const char* shared, uint32_t base,
                                      int consumer) {
  using L = BackwardShared;
  const uint32_t barriers = base + L::barriers;
  auto barrier = [&](int index, int of) { return barriers + 8 * (index + of); };
  const uint32_t from = base + L::dq + consumer * L::kDqBytes;
  const uint32_t full = barrier(L::dq_full, consumer), empty = barrier(L::dq_empty, consumer);
  uint32_t slot = 0, slot_phase = 0, phase = 0;
  for (;;) {
    mbarrier_wait(barrier(L::unit_full, slot), slot_phase);
    int4 unit = reinterpret_cast<const int4*>(shared + L::units)[slot];
    mbarrier_arrive(barrier(L::unit_empty, slot));
    slot ^= 1;
    if (slot == 0) slot_phase ^= 1;
    if (unit.w < 0) return;
    const int sequence = unit.z >> 13;
    unit.z &= kMaxTiles - 1;
    const StepRange range(unit, sequence);
    const int64_t padded = static_cast<int64_t>(unit.w) * a.steps + range.base;
    for (int i = 0; i < range.count(); ++i) {
      const int step = range.at<DESCENDING>(i);
      if (ORDERED && on_diagonal(step, unit.z)) continue;
      float* to = a.dq_sums + (padded + step) * (kStepRows * kKeySize) +
                  consumer * (kStepRows * kKeySize / 2);
      int* turn = a.turns + 2 * (padded + step) + consumer;
      mbarrier_wait(full, phase);
      phase ^= 1;
      if (ORDERED && unit.z == 0) {
        asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;\n" ::"l"(to),
                     "r"(from), "r"(L::kDqBytes)
                     : "memory");
      } else {
        while (ORDERED && read_turn(turn) != unit.z) {
        }
        asm volatile(
            "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%0], [%1], %2;\n" ::"l"(
                to),
            "r"(from), "r"(L::kDqBytes)
            : "memory");
      }
      ptx::tma_store_commit();
      ptx::tma_store_wait_read<0>();
      mbarrier_arrive(empty);
      if (ORDERED) {
        ptx::tma_store_wait<0>();
        asm volatile("fence.proxy.async.global;\n" ::: "memory");
        asm volatile("st.release.gpu.global.s32 [%0], %1;\n" ::"l"(turn), "r"(unit.z + 1)
                     : "memory");
      }
    }
    ptx::tma_store_wait<0>();
  }
}

// To shared memory, in the order of the registers.
__device__ inline void stage_query_gradient(const float (&dq)[48], uint32_t at) {
#pragma unroll
  for (int i = 0; i < 12; ++i) {
    asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};\n" ::"r"(at + i * 2048), "f"(dq[4 * i]),
                 "f"(dq[4 * i + 1]), "f"(dq[4 * i + 2]), "f"(dq[4 * i + 3])
                 : "memory");
  }
  ptx::fence_writes_for_tma();
  __syncwarp();
}

// The last turn of a step, on the diagonal: dQ from this tile's share and the sums of the others.
template <int CONSUMER>
__device__ inline void write_query_gradient(const BackwardArguments& a, float (&dq)[48],
                                            const int4& unit, int64_t padded, int step) {
  const int thread = threadIdx.x & 127;
  if (unit.z > 0) {
    if (thread == 0) {
      while (read_turn(a.turns + 2 * (padded + step) + CONSUMER) != unit.z) {
      }
    }
    named_barrier_sync(4 + CONSUMER, 128);
    const float* from = a.dq_sums + (padded + step) * (kStepRows * kKeySize) +
                        CONSUMER * (kStepRows * kKeySize / 2) + thread * 4;
#pragma unroll
    for (int i = 0; i < 12; ++i) {
      const float4 x = __ldcg(reinterpret_cast<const float4*>(from + i * 512));
      dq[4 * i] += x.x;
      dq[4 * i + 1] += x.y;
      dq[4 * i + 2] += x.z;
      dq[4 * i + 3] += x.w;
    }
  }
  const int at = step * kStepRows + thread / 32 * 16 + (thread & 31) / 4;
  const int64_t token = unit.x + at;
  store_rows<12>(dq, a.scale, a.scale,
                 a.dq + token * a.dq_token + unit.w * a.dq_head + CONSUMER * 96, 8 * a.dq_token,
                 at < unit.y, at + 8 < unit.y, a.key_size - CONSUMER * 96);
}

// dS^T (this warp's 16 keys x 64 queries) to shared memory, rows of 128 bytes, 128-byte swizzle.
__device__ inline void store_score_gradients(const uint32_t (&ds)[16], uint32_t at) {
  const int lane = threadIdx.x & 31, warp = (threadIdx.x & 127) / 32;
  const int row = warp * 16 + (lane & 15);  // matrices 0, 1: keys 0-7, 8-15; 2, 3: columns + 8
  const uint32_t row_at = at + row * 128;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const uint32_t chunk = (2 * i + (lane >> 4)) ^ (row & 7);
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};\n" ::"r"(
                     row_at + chunk * 16),
                 "r"(ds[4 * i]), "r"(ds[4 * i + 1]), "r"(ds[4 * i + 2]), "r"(ds[4 * i + 3])
                 : "memory");
  }
}

template <int CONSUMER, bool ORDERED, bool DESCENDING>
__device__ inline void backward_consume(const BackwardArguments& a, const char* shared,
                                        uint32_t base) {
  using L = BackwardShared;
  const uint32_t barriers = base + L::barriers;
  auto barrier = [&](int index, int of) { return barriers + 8 * (index + of); };
  const int thread = threadIdx.x & 127, lane = threadIdx.x & 31;
  const int row = (thread / 32) * 16 + lane / 4;
  auto arrive = [&](uint32_t which) {
    if (lane == 0) mbarrier_arrive(which);
  };
  const uint32_t k_rows = base + L::k + CONSUMER * 64 * 64;
  const uint32_t v_rows = base + L::v + CONSUMER * 64 * 128;
  const uint32_t k_columns = base + L::k + CONSUMER * 3 * L::kKeyPanel;
  Ring<L::kStages> ring;
  Ring<2> ds_ring, dq_ring;
  uint32_t slot = 0, slot_phase = 0, kv_phase = 0, o_phase = 0, dq_phase = 1;

  for (;;) {
    mbarrier_wait(barrier(L::unit_full, slot), slot_phase);
    int4 unit = uniform(reinterpret_cast<const int4*>(shared + L::units)[slot]);
    mbarrier_arrive(barrier(L::unit_empty, slot));
    slot ^= 1;
    if (slot == 0) slot_phase ^= 1;
    if (unit.w < 0) return;
    const int sequence = unit.z >> 13;
    unit.z &= kMaxTiles - 1;
    const StepRange range(unit, sequence);
    const int64_t padded = static_cast<int64_t>(unit.w) * a.steps + range.base;
    auto pass_query_gradient = [&](float(&dq)[48], int step) {
      if (ORDERED && on_diagonal(step, unit.z)) {
        write_query_gradient<CONSUMER>(a, dq, unit, padded, step);
        return;
      }
      mbarrier_wait(barrier(L::dq_empty, CONSUMER), dq_phase);
      dq_phase ^= 1;
      stage_query_gradient(dq, base + L::dq + CONSUMER * L::kDqBytes + thread * 16);
      arrive(barrier(L::dq_full, CONSUMER));
    };

    float dk[96], dv[64];
#pragma unroll
    for (int i = 0; i < 96; ++i) dk[i] = 0.0f;
#pragma unroll
    for (int i = 0; i < 64; ++i) dv[i] = 0.0f;
    mbarrier_wait(barrier(L::k_full, 0), kv_phase);

    for (int i = 0; i < range.count(); ++i) {
      const int step = range.at<DESCENDING>(i);
      const uint32_t q = base + L::q + ring.stage * L::kQueryBytes;
      const uint32_t d_o = base + L::d_o;
      const uint32_t step_rows = base + L::rows + ring.stage * L::kRowBytes;
      uint32_t p[16], ds[16];
      {
        float s[32];
        mbarrier_wait(barrier(L::q_full, ring.stage), ring.phase);
        ptx::wgmma_fence();
        start_scores_transposed(s, k_rows, q);
        float2 shifts[8];
        load_row_values(shifts, step_rows);
        ptx::wgmma_wait<1>();  // dK of the step before
        ptx::hold(dk);
        if (i > 0) mbarrier_arrive(barrier(L::q_empty, ring.stage ^ 1));
        ptx::wgmma_wait<0>();
        ptx::hold(s);
        const int ahead = (range.first - step) * kStepRows + CONSUMER * 64 + row;
        if (step <= range.first + CONSUMER) {
          probabilities<true>(s, p, shifts, a.scale_log2, ahead);
        } else {
          probabilities<false>(s, p, shifts, a.scale_log2, ahead);
        }
      }
      {
        float dp[32];
        if (i == 0) mbarrier_wait(barrier(L::v_full, 0), kv_phase);
        mbarrier_wait(barrier(L::o_full, 0), o_phase);
        o_phase ^= 1;
        ptx::wgmma_fence();
        start_dp_transposed(dp, v_rows, d_o);
        start_key_gradient<128>(dv, p, d_o);
        float2 deltas[8];
        load_row_values(deltas, step_rows + 4 * kStepRows);
        ptx::wgmma_wait<1>();
        ptx::hold(dp);
        score_gradients(dp, p, ds, deltas);
      }
      mbarrier_wait(barrier(L::ds_empty, ds_ring.stage), ds_ring.phase ^ 1);
      store_score_gradients(ds,
                            base + L::ds + ds_ring.stage * L::kScoreBytes + CONSUMER * 64 * 128);
      ptx::fence_writes_for_tma();
      ptx::wgmma_wait<0>();
      ptx::hold(dv);
      named_barrier_sync(2 + CONSUMER, 128);
      arrive(barrier(L::ds_full, ds_ring.stage));
      arrive(barrier(L::o_empty, 0));
      // dQ of the step before: the other consumer has had a whole step to put its dS there, so the
      // two need not march in step. At the first step there is none, and what lies there is
      // multiplied: a branch around wgmma would make the compiler wait for each one.
      float dq[48];
      if (i > 0) mbarrier_wait(barrier(L::ds_full, dq_ring.stage), dq_ring.phase);
      ptx::wgmma_fence();
      start_query_gradient(dq, base + L::ds + dq_ring.stage * L::kScoreBytes, k_columns);
      start_key_gradient_shared(
          dk, base + L::ds + ds_ring.stage * L::kScoreBytes + CONSUMER * 64 * 128, q);
      ds_ring.advance();
      ring.advance();
      ptx::wgmma_wait<1>();
      ptx::hold(dq);
      if (i > 0) {
        arrive(barrier(L::ds_empty, dq_ring.stage));
        dq_ring.advance();
        pass_query_gradient(dq, range.at<DESCENDING>(i - 1));
      }
    }
    {
      float dq[48];
      mbarrier_wait(barrier(L::ds_full, dq_ring.stage), dq_ring.phase);
      ptx::wgmma_fence();
      start_query_gradient(dq, base + L::ds + dq_ring.stage * L::kScoreBytes, k_columns);
      ptx::wgmma_wait<0>();
      ptx::hold(dk);
      ptx::hold(dq);
      mbarrier_arrive(barrier(L::q_empty, ring.stage ^ 1));
      arrive(barrier(L::ds_empty, dq_ring.stage));
      dq_ring.advance();
      pass_query_gradient(dq, range.at<DESCENDING>(range.count() - 1));
    }
    kv_phase ^= 1;
    arrive(barrier(L::kv_empty, 0));

    const int at = unit.z * kTile + CONSUMER * 64 + row;
    const bool has_upper = at < unit.y, has_lower = at + 8 < unit.y;
    const int64_t token = unit.x + at;
    store_rows<16>(dv, 1.0f, 1.0f, a.dv + token * a.dv_token + unit.w * a.dv_head, 8 * a.dv_token,
                   has_upper, has_lower, a.value_size);
    store_rows<16>(dk, a.scale, a.scale, a.dk + token * a.dk_token + unit.w * a.dk_head,
                   8 * a.dk_token, has_upper, has_lower, a.key_size);
    store_rows<8, 16>(dk, a.scale, a.scale,
                      a.dk_tail + token * a.dk_tail_token + unit.w * a.dk_tail_head,
                      8 * a.dk_tail_token, has_upper, has_lower, a.key_size - 128);
  }
}

template <bool ORDERED, bool DESCENDING>
__global__ void __launch_bounds__(384, 1)
    attention_backward_kernel(const __grid_constant__ BackwardArguments arguments,
                              const __grid_constant__ CUtensorMap q_map,
                              const __grid_constant__ CUtensorMap k_map,
                              const __grid_constant__ CUtensorMap tail_map,
                              const __grid_constant__ CUtensorMap v_map,
                              const __grid_constant__ CUtensorMap do_map) {
#ifdef TESSERA_SM90A_CODE
  using L = BackwardShared;
  extern __shared__ char raw[];
  const uint32_t start = shared_address(raw);
  const uint32_t base = (start + 1023) & ~1023u;
  char* shared = raw + (base - start);
  if (threadIdx.x == 0) {
    const uint32_t barriers = base + L::barriers;
    mbarrier_init(barriers + 8 * L::k_full, 1);
    mbarrier_init(barriers + 8 * L::v_full, 1);
    mbarrier_init(barriers + 8 * L::kv_empty, 8);
    for (int i = 0; i < 2; ++i) {
      mbarrier_init(barriers + 8 * (L::q_full + i), 1);
      mbarrier_init(barriers + 8 * (L::q_empty + i), 256);
      mbarrier_init(barriers + 8 * (L::o_full + i), 1);
      mbarrier_init(barriers + 8 * (L::o_empty + i), 8);
      mbarrier_init(barriers + 8 * (L::unit_full + i), 1);
      mbarrier_init(barriers + 8 * (L::unit_empty + i), 258);
      mbarrier_init(barriers + 8 * (L::ds_full + i), 8);
      mbarrier_init(barriers + 8 * (L::ds_empty + i), 8);
      mbarrier_init(barriers + 8 * (L::dq_full + i), 4);
      mbarrier_init(barriers + 8 * (L::dq_empty + i), 1);
    }
    ptx::mbarrier_init_fence();
  }
  __syncthreads();
  const int warpgroup = uniform(threadIdx.x / 128);
  if (warpgroup == 0) {
    ptx::registers_shrink<24>();
    if (threadIdx.x == 0) {
      backward_produce<DESCENDING>(arguments, &q_map, &k_map, &tail_map, &v_map, &do_map, shared,
                                   base);
    } else if (threadIdx.x == 32 || threadIdx.x == 64) {
      backward_store<ORDERED, DESCENDING>(arguments, shared, base, threadIdx.x / 32 - 1);
    }
  } else {
    ptx::registers_grow<240>();
    if (warpgroup == 1) {
      backward_consume<0, ORDERED, DESCENDING>(arguments, shared, base);
    } else {
      backward_consume<1, ORDERED, DESCENDING>(arguments, shared, base);
    }
  }
#else
  ptx::not_in_this_code();
#endif
}

// ---- before and after --------------------------------------------------------------------------

struct RowArguments {
  const bf16 *o, *d_o;
  int64_t o_token, o_head, do_token, do_head;
  const float* lse;  // (heads, tokens)
  float* rows;       // as in BackwardArguments
  float* dq_sums;    // zeroed here, or null
  int* turns;        // likewise
  int tokens, heads, steps, value_size;
  const Schedule* schedule;
  const Tile* tiles;
};

// delta = rowsum(dO O) and lse in units of log2, padded to whole steps. Rows behind the end of the
// sequence get lse = infinity, so that their probabilities are zero. Grid: (tiles, heads).
__global__ void __launch_bounds__(256) attention_rows_kernel(const RowArguments a) {
  if (blockIdx.x >= a.schedule->tiles) return;
  const Tile tile = a.tiles[blockIdx.x];
  const int head = blockIdx.y, part = threadIdx.x & 15;
  const int steps = (tile.length + kStepRows - 1) / kStepRows;
  const int64_t base = static_cast<int64_t>(head) * a.steps + first_step(tile.start, tile.sequence);
#pragma unroll
  for (int i = 0; i < kTile / 16; ++i) {
    const int at = tile.rank * kTile + i * 16 + threadIdx.x / 16;
    const int step = at / kStepRows;
    const bool exists = at < tile.length;
    float sum = 0.0f;
    if (exists && part * 8 < a.value_size) {
      const int64_t token = tile.start + at;
      const uint4 x =
          *reinterpret_cast<const uint4*>(a.o + token * a.o_token + head * a.o_head + part * 8);
      const uint4 y =
          *reinterpret_cast<const uint4*>(a.d_o + token * a.do_token + head * a.do_head + part * 8);
      const uint32_t xs[4] = {x.x, x.y, x.z, x.w}, ys[4] = {y.x, y.y, y.z, y.w};
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        sum = fmaf(low_float(xs[j]), low_float(ys[j]), sum);
        sum = fmaf(high_float(xs[j]), high_float(ys[j]), sum);
      }
    }
#pragma unroll
    for (int mask = 8; mask > 0; mask /= 2) sum += __shfl_xor_sync(0xFFFFFFFFu, sum, mask);
    if (part == 0 && step < steps) {
      float* to = a.rows + (base + step) * 2 * kStepRows + at % kStepRows;
      to[0] = exists ? a.lse[static_cast<int64_t>(head) * a.tokens + tile.start + at] * kLog2e
                     : INFINITY;
      to[kStepRows] = sum;
    }
  }
  if (a.turns != nullptr && threadIdx.x < 4) {
    const int step = tile.rank * (kTile / kStepRows) + threadIdx.x / 2;
    if (step < steps) a.turns[2 * (base + step) + threadIdx.x % 2] = 0;
  }
  if (a.dq_sums == nullptr) return;
  for (int i = 0; i < kTile / kStepRows; ++i) {
    const int step = tile.rank * (kTile / kStepRows) + i;
    if (step >= steps) break;
    float4* to = reinterpret_cast<float4*>(a.dq_sums + (base + step) * (kStepRows * kKeySize));
    for (int j = threadIdx.x; j < kStepRows * kKeySize / 4; j += 256) {
      to[j] = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    }
  }
}

struct QueryArguments {
  const float* dq_sums;
  bf16* dq;
  int64_t dq_token, dq_head;
  int heads, steps, key_size;
  float scale;
  const Schedule* schedule;
  const Tile* tiles;
};

// dQ = scale times the sums, from the registers' order to (tokens, heads, key_size).
// Grid: (tiles, heads).
__global__ void __launch_bounds__(256) attention_query_kernel(const QueryArguments a) {
  if (blockIdx.x >= a.schedule->tiles) return;
  const Tile tile = a.tiles[blockIdx.x];
  const int head = blockIdx.y, thread = threadIdx.x & 127, consumer = threadIdx.x / 128;
  const int steps = (tile.length + kStepRows - 1) / kStepRows;
  const int64_t base = static_cast<int64_t>(head) * a.steps + first_step(tile.start, tile.sequence);
  for (int i = 0; i < kTile / kStepRows; ++i) {
    const int step = tile.rank * (kTile / kStepRows) + i;
    if (step >= steps) break;
    const float* from = a.dq_sums + (base + step) * (kStepRows * kKeySize) +
                        consumer * kDqPerThread * 128 + thread * 4;
    float dq[kDqPerThread];
#pragma unroll
    for (int j = 0; j < kDqPerThread / 4; ++j) {
      const float4 x = __ldcs(reinterpret_cast<const float4*>(from + j * 512));
      dq[4 * j] = x.x;
      dq[4 * j + 1] = x.y;
      dq[4 * j + 2] = x.z;
      dq[4 * j + 3] = x.w;
    }
    const int at = step * kStepRows + (thread / 32) * 16 + (thread & 31) / 4;
    const int64_t token = tile.start + at;
    store_rows<12>(dq, a.scale, a.scale,
                   a.dq + token * a.dq_token + head * a.dq_head + consumer * 96, 8 * a.dq_token,
                   at < tile.length, at + 8 < tile.length, a.key_size - consumer * 96);
  }
}

}  // namespace tessera::kernels::cuda::attention
