// SPDX-License-Identifier: MIT
//
// Launches of the Hopper attention kernels: checks, the list of tiles, tensor maps.
#ifndef FMT_CONSTEVAL  // NOTE: nvcc 13.0 cannot evaluate fmt 9's check of format strings
#define FMT_CONSTEVAL
#define FMT_USE_CONSTEXPR 1
#endif
#include <cuda_runtime.h>

#include <algorithm>

#include "core/base/error.h"
#include "kernels/attention/attention_backward_sm90.cuh"
#include "kernels/attention/attention_forward_sm90.cuh"
#include "kernels/attention/attention_launch.h"

namespace tessera::kernels::cuda {
namespace {

using namespace attention;

constexpr const char* kWhere = "attention";
constexpr int kCacheBytes = 24 << 20;  // K and V that one group of heads may hold in L2
constexpr int kGroupTokens = 32768;
constexpr std::size_t kMostSharedKeys = 48 << 10;

// Sequences that begin in the same `tokens` tokens are a group.
struct Grouping {
  int tokens, groups, max_tiles;  // max_tiles: those of the longest sequence

  // Where tiles of a sequence begin in the order of the list: group by group, longest first.
  __device__ int key(int start, int rank) const {
    return start / tokens * max_tiles + max_tiles - 1 - rank;
  }
};

// Fills the list of tiles and resets the counters. One block.
__global__ void __launch_bounds__(1024)
    attention_schedule_kernel(const int* starts, int sequences, const Grouping grouping,
                              Schedule* schedule, Tile* tiles) {
  extern __shared__ int at[];  // [key]: first how many sequences have it, then where they go
  const int keys = grouping.groups * grouping.max_tiles;
  for (int i = threadIdx.x; i < keys; i += blockDim.x) at[i] = 0;
  __syncthreads();
  auto count = [&](int sequence) {
    return min((starts[sequence + 1] - starts[sequence] + kTile - 1) / kTile, grouping.max_tiles);
  };
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
  for (int s = warp; s < sequences; s += warps) {
    for (int rank = lane; rank < count(s); rank += 32) {
      atomicAdd(&at[grouping.key(starts[s], rank)], 1);
    }
  }
  __syncthreads();
  if (warp == 0) {
    int before = 0;
    for (int first = 0; first < keys; first += 32) {
      const int key = first + lane;
      const int mine = key < keys ? at[key] : 0;
      int sum = mine;
      for (int distance = 1; distance < 32; distance *= 2) {
        const int other = __shfl_up_sync(0xFFFFFFFFu, sum, distance);
        if (lane >= distance) sum += other;
      }
      if (key < keys) at[key] = before + sum - mine;
      before += __shfl_sync(0xFFFFFFFFu, sum, 31);
    }
    __syncwarp();
    for (int g = lane; g < kMostGroups; g += 32) {
      schedule->group_end[g] = g + 1 < grouping.groups ? at[(g + 1) * grouping.max_tiles] : before;
    }
    if (lane == 0) {
      schedule->forward_next = schedule->backward_next = 0;
      schedule->tiles = before;
    }
  }
  __syncthreads();
  for (int s = warp; s < sequences; s += warps) {
    for (int rank = lane; rank < count(s); rank += 32) {
      tiles[atomicAdd(&at[grouping.key(starts[s], rank)], 1)] = {
          starts[s], starts[s + 1] - starts[s], rank, s};
    }
  }
}

void check(cudaError_t error, const char* what) {
  require(error == cudaSuccess, kWhere, "{}: {}", what, cudaGetErrorString(error));
}

// Boxes of (64 or 32 columns, 1 head, `rows` tokens) of (tokens, heads, columns). What lies outside
// the tensor reads as zero.
CUtensorMap tensor_map(const void* data, const AttentionStride& stride, int columns, int heads,
                       int tokens, int box_columns, int box_rows) {
  const uint64_t sizes[3] = {static_cast<uint64_t>(columns), static_cast<uint64_t>(heads),
                             static_cast<uint64_t>(tokens)};
  const uint64_t strides[2] = {static_cast<uint64_t>(heads > 1 ? stride.head : columns) * 2,
                               static_cast<uint64_t>(stride.token) * 2};
  const uint32_t box[3] = {static_cast<uint32_t>(box_columns), 1, static_cast<uint32_t>(box_rows)};
  return ptx::make_tensor_map<3>(
      CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, data, sizes, strides, box,
      box_columns == 64 ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_64B);
}

void check_rows(const char* name, const AttentionRows& rows) {
  auto aligned = [](const void* data) { return reinterpret_cast<uintptr_t>(data) % 16 == 0; };
  auto even = [](const AttentionStride& s) { return s.token % 8 == 0 && s.head % 8 == 0; };
  require(rows.data != nullptr && aligned(rows.data) && even(rows.stride), kWhere,
          "{}: expected memory aligned to 16 bytes and distances that are multiples of 8", name);
  require(rows.tail == nullptr || (aligned(rows.tail) && even(rows.tail_stride)), kWhere,
          "tail of {}: expected memory aligned to 16 bytes and distances that are multiples of 8",
          name);
}

void check_shape(const AttentionShape& s, const AttentionRows& k) {
  require(s.key_size > 0 && s.key_size <= kKeySize && s.key_size % 8 == 0 && s.value_size > 0 &&
              s.value_size <= kValueSize && s.value_size % 8 == 0,
          kWhere, "expected head sizes up to 192 and 128 in multiples of 8, got {} and {}",
          s.key_size, s.value_size);
  require(k.tail == nullptr || s.key_size > 128, kWhere, "a split key has more than 128 columns");
  require(s.max_length <= kMaxTiles * kTile, kWhere, "sequences up to {} tokens, got {}",
          kMaxTiles * kTile, s.max_length);
}

std::size_t rounded(std::size_t bytes) {
  return (bytes + 255) / 256 * 256;
}
int tile_bound(const AttentionShape& s) {
  return s.tokens / kTile + s.sequences;
}
int step_bound(const AttentionShape& s) {
  return s.tokens / kStepRows + s.sequences;
}

// Groups of sequences: as many tokens as keep all multiprocessors busy with the tiles of one head,
// and not more, since every tile of a head reads what the others read.
Grouping grouping(const AttentionShape& s) {
  const int64_t tokens = std::max<int64_t>(s.tokens, 1);
  const int max_tiles = std::max(1, (s.max_length + kTile - 1) / kTile);
  const int64_t in_group =
      std::max<int64_t>({kGroupTokens, s.max_length, (tokens + kMostGroups - 1) / kMostGroups});
  const auto groups = static_cast<int>((tokens + in_group - 1) / in_group);
  if (groups * max_tiles * sizeof(int) > kMostSharedKeys) {
    return {s.tokens + 1, 1, max_tiles};  // few sequences, all of them long
  }
  return {static_cast<int>(in_group), groups, max_tiles};
}

// How many heads' keys and values stay in the L2 cache while their tiles are worked on.
int head_group(const AttentionShape& s) {
  if (s.head_group > 0) return std::min(s.head_group, s.heads);
  const int64_t tokens = std::min(s.tokens, grouping(s).tokens);
  const int64_t bytes = 2LL * (kKeySize + kValueSize) * tokens;
  return static_cast<int>(
      std::clamp<int64_t>(kCacheBytes / std::max<int64_t>(bytes, 1), 1, s.heads));
}

struct Workspace {
  Schedule* schedule;
  Tile* tiles;
  float *rows, *dq_sums;
  int* turns;
  std::size_t bytes;
};
Workspace lay_out(const AttentionShape& s, void* base, bool backward) {
  char* at = static_cast<char*>(base);
  auto take = [&](std::size_t bytes) {
    char* mine = at;
    at += rounded(bytes);
    return mine;
  };
  Workspace w{};
  w.schedule = reinterpret_cast<Schedule*>(take(kScheduleBytes));
  w.tiles = reinterpret_cast<Tile*>(take(sizeof(Tile) * tile_bound(s)));
  if (backward) {
    const std::size_t steps = static_cast<std::size_t>(s.heads) * step_bound(s);
    w.rows = reinterpret_cast<float*>(take(steps * 2 * kStepRows * sizeof(float)));
    w.dq_sums = reinterpret_cast<float*>(take(steps * kStepRows * kKeySize * sizeof(float)));
    w.turns = reinterpret_cast<int*>(take(steps * 2 * sizeof(int)));
  }
  w.bytes = at - static_cast<char*>(base);
  return w;
}

void schedule(cudaStream_t stream, const AttentionShape& s, const Workspace& w) {
  const Grouping g = grouping(s);
  const auto bytes = static_cast<unsigned>(sizeof(int)) * static_cast<unsigned>(g.groups) *
                     static_cast<unsigned>(g.max_tiles);
  attention_schedule_kernel<<<1, 1024, bytes, stream>>>(s.starts, s.sequences, g, w.schedule,
                                                        w.tiles);
  check(cudaGetLastError(), "list of tiles");
}

int multiprocessors() {
  int device = 0, count = 0;
  check(cudaGetDevice(&device), "device");
  check(cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device), "multiprocessors");
  return count;
}

template <class Kernel>
void allow_shared(Kernel* kernel, int bytes) {
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
        "shared memory");
}

// Where K's columns from 128 on are read: a map, the first column there, and whether heads differ.
struct Tail {
  CUtensorMap map;
  int column, head_step;
};
Tail tail_of(const AttentionShape& s, const AttentionRows& k, const CUtensorMap& k_map, int columns,
             int rows) {
  if (k.tail == nullptr) return {k_map, 128, 1};
  const bool shared = k.tail_stride.head == 0;
  return {tensor_map(k.tail, k.tail_stride, s.key_size - 128, shared ? 1 : s.heads, s.tokens,
                     columns, rows),
          0, shared ? 0 : 1};
}
int key_columns(const AttentionShape& s, const AttentionRows& k) {
  return k.tail ? 128 : s.key_size;
}

}  // namespace

std::size_t attention_forward_workspace(const AttentionShape& shape) {
  return lay_out(shape, nullptr, false).bytes;
}
std::size_t attention_backward_workspace(const AttentionShape& shape) {
  return lay_out(shape, nullptr, true).bytes;
}

void attention_forward_bf16(CUstream_st* stream, const AttentionShape& s, const AttentionRows& q,
                            const AttentionRows& k, const AttentionRows& v, const AttentionRows& o,
                            float* lse, void* workspace) {
  if (s.tokens == 0 || s.sequences == 0 || s.heads == 0) return;
  check_shape(s, k);
  check_rows("q", q);
  check_rows("k", k);
  check_rows("v", v);
  check_rows("o", o);
  const Workspace w = lay_out(s, workspace, false);
  schedule(stream, s, w);

  const CUtensorMap q_map =
      tensor_map(q.data, q.stride, s.key_size, s.heads, s.tokens, kPanel, kStepRows);
  const CUtensorMap k_map =
      tensor_map(k.data, k.stride, key_columns(s, k), s.heads, s.tokens, kPanel, kTile);
  const CUtensorMap v_map =
      tensor_map(v.data, v.stride, s.value_size, s.heads, s.tokens, kPanel, kTile);
  const Tail tail = tail_of(s, k, k_map, kPanel, kTile);
  ForwardArguments a{};
  a.o = static_cast<bf16*>(o.data);
  a.o_token = o.stride.token;
  a.o_head = o.stride.head;
  a.lse = lse;
  a.tokens = s.tokens;
  a.heads = s.heads;
  a.value_size = s.value_size;
  a.scale_log2 = s.scale * kLog2e;
  a.head_group = head_group(s);
  a.tail_column = tail.column;
  a.tail_head_step = tail.head_step;
  a.schedule = w.schedule;
  a.tiles = w.tiles;
  allow_shared(attention_forward_kernel, ForwardShared::kBytes);
  const int blocks = std::min<int64_t>(multiprocessors(), int64_t{tile_bound(s)} * s.heads);
  attention_forward_kernel<<<blocks, 384, ForwardShared::kBytes, stream>>>(a, q_map, k_map,
                                                                           tail.map, v_map);
  check(cudaGetLastError(), "forward");
}

void attention_backward_bf16(CUstream_st* stream, const AttentionShape& s, const AttentionRows& q,
                             const AttentionRows& k, const AttentionRows& v, const AttentionRows& o,
                             const float* lse, const AttentionRows& d_o, const AttentionRows& dq,
                             const AttentionRows& dk, const AttentionRows& dv, void* workspace,
                             bool deterministic) {
  if (s.tokens == 0 || s.sequences == 0 || s.heads == 0) return;
  check_shape(s, k);
  const struct {
    const char* name;
    const AttentionRows& rows;
  } all[] = {{"q", q},     {"k", k},   {"v", v},   {"o", o},
             {"d_o", d_o}, {"dq", dq}, {"dk", dk}, {"dv", dv}};
  for (const auto& one : all) check_rows(one.name, one.rows);
  const Workspace w = lay_out(s, workspace, true);
  schedule(stream, s, w);

  const dim3 grid(tile_bound(s), s.heads);
  RowArguments rows{};
  rows.o = static_cast<const bf16*>(o.data);
  rows.o_token = o.stride.token;
  rows.o_head = o.stride.head;
  rows.d_o = static_cast<const bf16*>(d_o.data);
  rows.do_token = d_o.stride.token;
  rows.do_head = d_o.stride.head;
  rows.lse = lse;
  rows.rows = w.rows;
  rows.dq_sums = deterministic ? nullptr : w.dq_sums;
  rows.turns = deterministic ? w.turns : nullptr;
  rows.tokens = s.tokens;
  rows.heads = s.heads;
  rows.steps = step_bound(s);
  rows.value_size = s.value_size;
  rows.schedule = w.schedule;
  rows.tiles = w.tiles;
  attention_rows_kernel<<<grid, 256, 0, stream>>>(rows);
  check(cudaGetLastError(), "backward, rows");

  const CUtensorMap q_map =
      tensor_map(q.data, q.stride, s.key_size, s.heads, s.tokens, kPanel, kStepRows);
  const CUtensorMap k_map =
      tensor_map(k.data, k.stride, key_columns(s, k), s.heads, s.tokens, 32, kTile);
  const CUtensorMap v_map =
      tensor_map(v.data, v.stride, s.value_size, s.heads, s.tokens, kPanel, kTile);
  const CUtensorMap do_map =
      tensor_map(d_o.data, d_o.stride, s.value_size, s.heads, s.tokens, kPanel, kStepRows);
  const Tail tail = tail_of(s, k, k_map, 32, kTile);
  BackwardArguments a{};
  a.dk = static_cast<bf16*>(dk.data);
  a.dk_token = dk.stride.token;
  a.dk_head = dk.stride.head;
  a.dk_tail = dk.tail ? static_cast<bf16*>(dk.tail) : a.dk + 128;
  a.dk_tail_token = dk.tail ? dk.tail_stride.token : dk.stride.token;
  a.dk_tail_head = dk.tail ? dk.tail_stride.head : dk.stride.head;
  a.dv = static_cast<bf16*>(dv.data);
  a.dv_token = dv.stride.token;
  a.dv_head = dv.stride.head;
  a.dq = static_cast<bf16*>(dq.data);
  a.dq_token = dq.stride.token;
  a.dq_head = dq.stride.head;
  a.rows = w.rows;
  a.dq_sums = w.dq_sums;
  a.turns = w.turns;
  a.heads = s.heads;
  a.steps = step_bound(s);
  a.key_size = s.key_size;
  a.value_size = s.value_size;
  a.scale = s.scale;
  a.scale_log2 = s.scale * kLog2e;
  a.head_group = head_group(s);
  a.tail_column = tail.column;
  a.tail_head_step = tail.head_step;
  a.schedule = w.schedule;
  a.tiles = w.tiles;
  auto* kernel = deterministic ? attention_backward_kernel<true, true>
                               : attention_backward_kernel<false, false>;
  allow_shared(kernel, BackwardShared::kBytes);
  const int blocks = std::min<int64_t>(multiprocessors(), int64_t{tile_bound(s)} * s.heads);
  kernel<<<blocks, 384, BackwardShared::kBytes, stream>>>(a, q_map, k_map, tail.map, v_map, do_map);
  check(cudaGetLastError(), "backward");
  if (deterministic) return;

  QueryArguments query{w.dq_sums,       static_cast<bf16*>(dq.data),
                       dq.stride.token, dq.stride.head,
                       s.heads,         step_bound(s),
                       s.key_size,      s.scale,
                       w.schedule,      w.tiles};
  attention_query_kernel<<<grid, 256, 0, stream>>>(query);
  check(cudaGetLastError(), "backward, queries");
}

}  // namespace tessera::kernels::cuda
