// SPDX-License-Identifier: MIT
//
// The three expert products in BF16 with FP32 sums on Hopper: one persistent kernel, three layouts.
//
//   forward        c[r, j]    = sum_k  a[r, k]  b[e, j, k]      A rows of k, B rows of k
//   input gradient da[r, j]   = sum_i  dc[r, i] b[e, i, j]      A rows of i, B columns
//   weight gradient db[e,i,j] += sum_r dc[r, i] a[r, j]         A columns, B columns, r of expert e
//
// "Rows" are operands whose summed index is contiguous (K-major), "columns" those whose other index
// is (MN-major); wgmma reads both. A block makes 128 x 256 of a result; a cluster of two makes two
// tiles one above the other, of one expert always, so that they share B: each block loads half of
// it for both. A group that begins or ends within a tile costs what a whole tile costs, and its
// last rows are written one by one, as the next ones belong to another expert.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

#include "kernels/ptx/architecture.cuh"
#include "kernels/ptx/mbarrier.cuh"
#include "kernels/ptx/tma.cuh"
#include "kernels/ptx/wgmma_bf16_256.cuh"

namespace tessera::kernels::cuda::grouped_bf16 {

constexpr int kRows = 128, kColumns = 256;  // size of a tile
constexpr int kDepth = 64;  // depth of a stage: 128 bytes of K, or 64 rows of columns
constexpr int kStages = 4;
constexpr int kConsumers = 2;  // warpgroups of 64 rows each
constexpr int kThreads = 128 * (kConsumers + 1);
constexpr int kCluster = 2;
constexpr uint16_t kBoth = 3;
constexpr int kMaxExperts = 384;
constexpr int kPanelBytes = 64 * 128;  // 64 columns x 64 rows, or 64 rows of K: the swizzle's unit

constexpr int kBytesA = kRows * kDepth * 2, kBytesB = kColumns * kDepth * 2;
constexpr int kOutColumns = 128;  // on their way out at one time
constexpr int kBytesOut = kRows * kOutColumns * 2;
constexpr int kA = kBytesOut, kB = kA + kStages * kBytesA;
constexpr int kFull = kB + kStages * kBytesB, kEmpty = kFull + 8 * kStages;
constexpr int kStarts = kEmpty + 8 * kStages;
constexpr int kTotal = kStarts + 4 * (kMaxExperts + 1);
static_assert(kTotal <= 232448, "shared memory of one block");

enum class Mode { forward, input_grad, weight_grad };

struct Arguments {
  CUtensorMap a, b, c;  // c: for BF16 results and the weight gradient
  void* result;
  const int32_t* offsets;
  int experts;
  int m, n, k;     // result columns n; k summed (forward, input_grad); m rows of db (weight_grad)
  int64_t stride;  // from one row of the result to the next, in elements
  int64_t of_expert;  // weight_grad: elements of one expert of the result
  bool add;           // weight_grad: to what is there
};

// One pair of tiles. `row` and `end` are rows of a (or of the result in weight_grad) of this
// block's tile; `from` and `blocks` what is summed.
struct Tile {
  int expert, row, end, column, from, steps;
};

template <Mode MODE>
struct Work {
  const int* starts;  // shared: first pair of row tiles of each expert
  const int32_t* offsets;
  int experts, rank, columns, row_pairs, n, m, k;

  __device__ Work(const Arguments& p, const int* starts_)
      : starts(starts_),
        offsets(p.offsets),
        experts(p.experts),
        rank(static_cast<int>(ptx::cluster_rank())),
        columns((p.n + kColumns - 1) / kColumns),
        row_pairs((p.m + 2 * kRows - 1) / (2 * kRows)),
        n(p.n),
        m(p.m),
        k(p.k) {}
  __device__ int first() const { return blockIdx.x / kCluster; }
  __device__ int step() const { return gridDim.x / kCluster; }
  __device__ int tiles() const {
    return MODE == Mode::weight_grad ? experts * row_pairs * columns : starts[experts] * columns;
  }
  // Called by whole warps.
  __device__ Tile tile(int index) const {
    Tile t;
    t.column = index % columns * kColumns;
    const int pair = index / columns;
    if constexpr (MODE == Mode::weight_grad) {
      t.expert = pair / row_pairs;
      t.row = (pair % row_pairs * 2 + rank) * kRows;
      t.end = m;
      t.from = offsets[t.expert];
      t.steps = (offsets[t.expert + 1] - t.from) / 16;
    } else {
      int count = 0;
      for (int at = 0; at < experts; at += 32) {
        const int e = at + static_cast<int>(threadIdx.x % 32);
        count += __popc(__ballot_sync(0xffffffff, e < experts && starts[e] <= pair));
      }
      // Empty experts begin where the next one does: the last of them that does owns the pair.
      t.expert = count - 1;
      t.row = offsets[t.expert] + ((pair - starts[t.expert]) * 2 + rank) * kRows;
      t.end = offsets[t.expert + 1];
      t.from = 0;
      t.steps = (k + kDepth - 1) / kDepth * 4;  // zeros beyond k
    }
    return t;
  }
};

struct Ring {
  int stage = 0;
  uint32_t parity = 0;
  __device__ void advance() {
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

template <Mode MODE>
__device__ inline void load_stage(const Arguments& p, uint32_t shared, const Ring& ring,
                                  const Tile& t, int rank, int block) {
  const uint32_t full = shared + kFull + 8 * ring.stage;
  const uint32_t a = shared + kA + ring.stage * kBytesA, b = shared + kB + ring.stage * kBytesB;
  const int at = t.from + block * kDepth;
  ptx::mbarrier_arrive_expect(full, kBytesA + kBytesB);
  if constexpr (MODE == Mode::weight_grad) {
    ptx::tma_load_2d(a, &p.a, full, t.row, at);
    ptx::tma_load_2d(a + kPanelBytes, &p.a, full, t.row + 64, at);
  } else {
    ptx::tma_load_2d(a, &p.a, full, at, t.row);
  }
  if constexpr (MODE == Mode::forward) {
    const int half = rank * (kColumns / 2);
    ptx::tma_multicast_3d(b + half * 128, &p.b, full, kBoth, at, t.column + half, t.expert);
  } else {
    for (int panel = 2 * rank; panel < 2 * rank + 2; ++panel) {
      const int column = t.column + 64 * panel;
      if constexpr (MODE == Mode::input_grad) {
        ptx::tma_multicast_3d(b + panel * kPanelBytes, &p.b, full, kBoth, column, at, t.expert);
      } else {
        ptx::tma_multicast_2d(b + panel * kPanelBytes, &p.b, full, kBoth, column, at);
      }
    }
  }
}

// Where every block starts at once, all of them end their tiles at once, again and again, and wait
// for memory together while nothing is multiplied. So they start one after the other within the
// time of a tile, those that have fewer tiles later.
template <Mode MODE>
__device__ inline void start_in_turn(const Work<MODE>& work) {
  constexpr int kCyclesOfStage = 900, kMostStages = 32;
  if (work.first() >= work.tiles()) return;
  const int stages = (work.tile(work.first()).steps + 3) / 4;
  if (stages > kMostStages) return;  // results are a small part of the tile
  const auto tile = static_cast<unsigned>((stages + 2) * kCyclesOfStage);
  const unsigned wait =
      tile * static_cast<unsigned>(work.first()) / static_cast<unsigned>(work.step());
  const unsigned start = clock();
  while (static_cast<unsigned>(clock()) - start < wait) __nanosleep(100);
}

template <Mode MODE>
__device__ inline void produce(const Arguments& p, uint32_t shared, const Work<MODE>& work) {
  Ring ring;
  if constexpr (MODE == Mode::weight_grad) start_in_turn(work);
  for (int index = work.first(); index < work.tiles(); index += work.step()) {
    const Tile t = work.tile(index);
    if (threadIdx.x % 32 != 0) continue;
    const int blocks = (t.steps + 3) / 4;
    for (int block = 0; block < blocks; ++block, ring.advance()) {
      ptx::mbarrier_wait(shared + kEmpty + 8 * ring.stage, ring.parity ^ 1);
      load_stage<MODE>(p, shared, ring, t, work.rank, block);
    }
  }
}

// Frees a stage in both blocks: the producers of both write to both.
__device__ inline void release(uint32_t empty) {
  const uint32_t lane = threadIdx.x % 32;
  if (lane < kCluster) ptx::mbarrier_arrive_at_rank(empty, lane);
}

// How the operands of a stage lie, as wgmma reads them.
template <Mode MODE>
struct Operands {
  static constexpr ptx::Major kMajorA = MODE == Mode::weight_grad ? ptx::Major::mn : ptx::Major::k;
  static constexpr ptx::Major kMajorB = MODE == Mode::forward ? ptx::Major::k : ptx::Major::mn;
  // Bytes from one step of K = 16 to the next.
  static constexpr uint32_t kStepA = MODE == Mode::weight_grad ? 16 * 128 : 32;
  static constexpr uint32_t kStepB = MODE == Mode::forward ? 32 : 16 * 128;
  static constexpr uint64_t kBits = ptx::descriptor_bits(ptx::Swizzle::b128, kPanelBytes, 1024);
  uint64_t a, b;
  __device__ Operands(uint32_t a_address, uint32_t b_address)
      : a(ptx::descriptor(kBits, a_address)), b(ptx::descriptor(kBits, b_address)) {}
  __device__ void multiply(float (&sums)[128], int step, bool add) const {
    ptx::Wgmma<256, kMajorA, kMajorB>::shared(sums, ptx::advance(a, step * kStepA),
                                              ptx::advance(b, step * kStepB), add);
  }
};

__device__ inline uint32_t pack(float low, float high) {
  uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

// Sums of this thread as they lie in the tile: row g or g + 8 of its warp's 16, columns 8 j + 2 c.
template <class Store>
__device__ inline void for_each_pair(int row, int end, int column, int n, const float* sums,
                                     const Store& store) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
  const int upper = row + 16 * warp + lane / 4, first = column + 2 * (lane % 4);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    if (upper + 8 * half >= end) continue;
#pragma unroll
    for (int j = 0; j < kColumns / 8; ++j) {
      if (first + 8 * j < n) {
        store(upper + 8 * half, first + 8 * j, sums[4 * j + 2 * half], sums[4 * j + 2 * half + 1]);
      }
    }
  }
}

// 64 rows of BF16 results that all belong to the expert, through shared memory.
__device__ inline void store_whole(const Arguments& p, uint32_t out, int group, int row, int column,
                                   const float* sums) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
  const bool leader = threadIdx.x % 128 == 0;
  const uint32_t in_warp = 16 * warp + lane % 16, unit = lane / 16;
  out += group * 64 * kOutColumns * 2;
#pragma unroll
  for (int first = 0; first < kColumns; first += kOutColumns) {
    if (leader) ptx::tma_store_wait_read<0>();
    ptx::named_barrier_sync(1 + group, 128);
    const float* part = sums + first / 2;
#pragma unroll
    for (int j = 0; j < kOutColumns / 8; j += 2) {
      const uint32_t to =
          out + j / 8 * 8192 + in_warp * 128 + (((j % 8 + unit) ^ (in_warp % 8)) << 4);
      asm volatile(
          "stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};\n" ::"r"(to),
          "r"(pack(part[4 * j], part[4 * j + 1])), "r"(pack(part[4 * j + 2], part[4 * j + 3])),
          "r"(pack(part[4 * j + 4], part[4 * j + 5])), "r"(pack(part[4 * j + 6], part[4 * j + 7]))
          : "memory");
    }
    ptx::fence_writes_for_tma();
    ptx::named_barrier_sync(1 + group, 128);
    if (leader) {
      for (int at = 0; at < kOutColumns && column + first + at < p.n; at += 64) {
        ptx::tma_store_2d(&p.c, out + at / 64 * 8192, column + first + at, row);
      }
      ptx::tma_store_commit();
    }
  }
}

constexpr int kAddColumns = 32;  // F32 columns that are added at one time: 128 bytes a row

// Adds 64 rows of F32 results to the weight gradient, or writes them, in two buffers by turns;
// rows and columns past the expert's matrix are left out by it. Each element has one adder, so the
// result does not depend on the order.
__device__ inline void send_whole(const Arguments& p, uint32_t shared, int group, int row,
                                  int column, int expert, const float* sums) {
  constexpr int kBuffer = 64 * kAddColumns * 4;
  static_assert(kConsumers * 2 * kBuffer <= kBytesOut);
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4, c = lane % 4;
  const bool leader = threadIdx.x % 128 == 0;
  const uint32_t out = shared + group * 2 * kBuffer;
#pragma unroll
  for (int pass = 0; pass < kColumns / kAddColumns; ++pass) {
    const uint32_t buffer = out + pass % 2 * kBuffer;
    if (leader) ptx::tma_store_wait_read<1>();
    ptx::named_barrier_sync(1 + group, 128);
#pragma unroll
    for (int j = 0; j < kAddColumns / 8; ++j) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const uint32_t in_tile = 16 * warp + lane / 4 + 8 * half, unit = 2 * j + c / 2;
        const int at = 4 * (pass * (kAddColumns / 8) + j) + 2 * half;
        asm volatile("st.shared.v2.f32 [%0], {%1, %2};\n" ::"r"(
                         buffer + in_tile * 128 + ((unit ^ (in_tile % 8)) << 4) + c % 2 * 8),
                     "f"(sums[at]), "f"(sums[at + 1])
                     : "memory");
      }
    }
    ptx::fence_writes_for_tma();
    ptx::named_barrier_sync(1 + group, 128);
    if (!leader) continue;
    const int first = column + pass * kAddColumns;
    if (first < p.n && p.add) ptx::tma_add_3d(&p.c, buffer, first, row, expert);
    if (first < p.n && !p.add) ptx::tma_store_3d(&p.c, buffer, first, row, expert);
    ptx::tma_store_commit();
  }
}

template <Mode MODE, class Out>
__device__ inline void store_results(const Arguments& p, uint32_t shared, int group, const Tile& t,
                                     const float* sums) {
  const int row = t.row + 64 * group;
  if (row >= t.end) return;
  if constexpr (MODE == Mode::weight_grad) {
    send_whole(p, shared, group, row, t.column, t.expert, sums);
  } else if constexpr (sizeof(Out) == 4) {
    float* to = static_cast<float*>(p.result);
    for_each_pair(row, t.end, t.column, p.n, sums, [&](int i, int j, float x, float y) {
      *reinterpret_cast<float2*>(to + i * p.stride + j) = make_float2(x, y);
    });
  } else if (row + 64 <= t.end) {
    store_whole(p, shared, group, row, t.column, sums);
  } else {
    auto* to = static_cast<__nv_bfloat16*>(p.result);
    for_each_pair(row, t.end, t.column, p.n, sums, [&](int i, int j, float x, float y) {
      *reinterpret_cast<uint32_t*>(to + i * p.stride + j) = pack(x, y);
    });
  }
}

template <Mode MODE, class Out>
__device__ inline void consume(const Arguments& p, uint32_t shared, const Work<MODE>& work,
                               int group) {
  constexpr int kGroupA = 64 * 128;  // bytes of A of one warpgroup, in either layout
  Ring ring;
  for (int index = work.first(); index < work.tiles(); index += work.step()) {
    const Tile t = work.tile(index);
    const int blocks = (t.steps + 3) / 4;
    if (blocks == 0 && (MODE != Mode::weight_grad || p.add)) continue;
    if (blocks == 0) {  // the gradient of an expert without tokens is written all the same
      const float zeros[128] = {};
      store_results<MODE, Out>(p, shared, group, t, zeros);
      continue;
    }
    float sums[128];
    uint32_t last = 0;
    const auto begin = [&] {
      ptx::mbarrier_wait(shared + kFull + 8 * ring.stage, ring.parity);
      ptx::hold(sums);
      ptx::wgmma_fence();
      return Operands<MODE>(shared + kA + ring.stage * kBytesA + group * kGroupA,
                            shared + kB + ring.stage * kBytesB);
    };
    const int whole = t.steps / 4;
    for (int block = 0; block < whole; ++block) {
      const Operands<MODE> operands = begin();
#pragma unroll
      for (int step = 0; step < 4; ++step) operands.multiply(sums, step, step > 0 || block > 0);
      ptx::wgmma_commit();
      if (block > 0) {
        ptx::wgmma_wait<1>();
        release(last);
      }
      last = shared + kEmpty + 8 * ring.stage;
      ring.advance();
    }
    if (MODE == Mode::weight_grad && t.steps % 4 != 0) {
      // What remains of the group; the rest of the stage is the next expert's.
      if (whole > 0) {
        ptx::wgmma_wait<0>();
        release(last);
      }
      const Operands<MODE> operands = begin();
      operands.multiply(sums, 0, whole > 0);
      if (t.steps % 4 > 1) operands.multiply(sums, 1, true);
      if (t.steps % 4 > 2) operands.multiply(sums, 2, true);
      ptx::wgmma_commit();
      last = shared + kEmpty + 8 * ring.stage;
      ring.advance();
    }
    ptx::wgmma_wait<0>();
    ptx::hold(sums);
    release(last);
    store_results<MODE, Out>(p, shared, group, t, sums);
  }
  if (threadIdx.x % 128 == 0) ptx::tma_store_wait<0>();
}

// First pair of row tiles of every expert, by one warp.
__device__ inline void find_starts(const Arguments& p, int* starts) {
  const int lane = threadIdx.x;
  int before = 0;
  for (int at = 0; at < p.experts; at += 32) {
    const int e = at + lane;
    const int rows = e < p.experts ? p.offsets[e + 1] - p.offsets[e] : 0;
    const int mine = (rows + 2 * kRows - 1) / (2 * kRows);
    int sum = mine;
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2) {
      const int other = __shfl_up_sync(0xffffffff, sum, distance);
      if (lane >= distance) sum += other;
    }
    if (e < p.experts) starts[e] = before + sum - mine;
    before += __shfl_sync(0xffffffff, sum, 31);
  }
  if (lane == 0) starts[p.experts] = before;
}

template <Mode MODE, class Out>
__global__ void __cluster_dims__(kCluster, 1, 1) __launch_bounds__(kThreads, 1)
    grouped_kernel(const __grid_constant__ Arguments p) {
#ifdef TESSERA_SM90A_CODE
  extern __shared__ __align__(1024) uint8_t memory[];
  const uint32_t shared = ptx::shared_address(memory);
  int* starts = reinterpret_cast<int*>(memory + kStarts);
  if (MODE != Mode::weight_grad && threadIdx.x < 32) find_starts(p, starts);
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; ++i) {
      ptx::mbarrier_init(shared + kFull + 8 * i, 1);
      ptx::mbarrier_init(shared + kEmpty + 8 * i, 4 * kConsumers * kCluster);
    }
    ptx::mbarrier_init_fence();
  }
  __syncthreads();
  ptx::cluster_sync();
  const Work<MODE> work(p, starts);
  const int group = __shfl_sync(0xffffffff, threadIdx.x / 128, 0);
  if (group == kConsumers) {
    ptx::registers_shrink<40>();
    if (threadIdx.x / 32 % 4 == 0) produce<MODE>(p, shared, work);
  } else {
    ptx::registers_grow<232>();
    consume<MODE, Out>(p, shared, work, group);
  }
  // NOTE: the other block may still multicast into this one or arrive at its barriers.
  __syncthreads();
  ptx::cluster_sync();
#else
  ptx::not_in_this_code();
#endif
}

}  // namespace tessera::kernels::cuda::grouped_bf16
