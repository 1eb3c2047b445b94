// SPDX-License-Identifier: MIT
//
// Attention for any GPU, element type and head size: blocks of TILE queries against blocks of TILE
// keys in shared memory, sums in F32, deterministic. What the Hopper kernels do not take (F32, odd
// head sizes, other GPUs) runs here. 256 threads; the LANES threads of a row are neighbours within
// a warp and own every LANES-th column of it, so rows need no barrier of the block among
// themselves.
//
// Names as in attention_cpu.cpp: S scores, P their softmax, D = sum of do * o, dS = P (dP - D).
#pragma once

#include <cfloat>

#include "core/base/cuda/element.cuh"

namespace tessera::kernels::cuda::attention_plain {

constexpr int kThreads = 256;

template <class T>
struct Rows {
  T* data;
  std::int64_t token, head;  // distances
  T* tail = nullptr;         // where the columns from `first` on are, if elsewhere
  std::int64_t tail_token = 0, tail_head = 0;
  int first = 1 << 30;

  __device__ T* at(std::int64_t t, int h) const { return data + t * token + h * head; }
  __device__ T* cell(std::int64_t t, int h, int column) const {
    if (column < first) return at(t, h) + column;
    return tail + t * tail_token + h * tail_head + (column - first);
  }
};

template <class T>
struct Forward {
  Rows<const T> q, k, v;
  Rows<T> o;
  float* lse;
  const int* starts;
  std::int64_t tokens;
  int sequences, d_qk, d_v;
  float scale;
};

template <class T>
struct Backward {
  Rows<const T> q, k, v, o, d_o;
  Rows<T> dq, dk, dv;
  const float* lse;
  float* d_sums;  // D (heads, tokens)
  const int* starts;
  std::int64_t tokens;
  int sequences, d_qk, d_v;
  float scale;
};

// A block of a sequence: tokens [from, to) of sequence [start, end).
struct Span {
  std::int64_t start, end, from, to;
};

// Sequence s has the blocks from starts[s] / TILE + s on: more than it needs, and no list is made.
template <int TILE>
__device__ inline Span find_span(const int* starts, int sequences, int block) {
  int low = 0, high = sequences - 1;  // the last s that begins at or before `block`
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (starts[middle] / TILE + middle <= block) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  const std::int64_t start = starts[low], end = starts[low + 1];
  const std::int64_t from = start + std::int64_t{block - (starts[low] / TILE + low)} * TILE;
  return {start, end, from, from + TILE < end ? from + TILE : end};
}

inline int block_count(std::int64_t tokens, int sequences, int tile) {
  return static_cast<int>(tokens / tile) + sequences;
}

// TILE rows of `width` columns from token `from`; zeros past `end`. Row stride width + 1.
template <int TILE, class T>
__device__ inline void load_rows(float* to, const Rows<const T>& x, int head, std::int64_t from,
                                 std::int64_t end, int width) {
  for (int i = threadIdx.x; i < TILE * width; i += kThreads) {
    const int row = i / width, column = i % width;
    to[row * (width + 1) + column] =
        from + row < end ? to_float(*x.cell(from + row, head, column)) : 0.0f;
  }
}

template <int TILE>
struct Lanes {
  static constexpr int kLanes = kThreads / TILE;  // threads that share a row
  static constexpr int kEach = TILE / kLanes;     // columns of S per thread
  int row, lane;
  __device__ Lanes() : row(threadIdx.x / kLanes), lane(threadIdx.x % kLanes) {}
  __device__ static float max(float x) {
#pragma unroll
    for (int step = kLanes / 2; step > 0; step /= 2) {
      x = fmaxf(x, __shfl_xor_sync(0xffffffff, x, step));
    }
    return x;
  }
  __device__ static float sum(float x) {
#pragma unroll
    for (int step = kLanes / 2; step > 0; step /= 2) x += __shfl_xor_sync(0xffffffff, x, step);
    return x;
  }
  // sum over i of a[row][i] b[column][i], for this thread's columns
  __device__ void dot(const float* a, const float* b, int width, float (&to)[kEach]) const {
#pragma unroll
    for (int j = 0; j < kEach; ++j) to[j] = 0;
    const float* mine = a + row * (width + 1);
    for (int i = 0; i < width; ++i) {
#pragma unroll
      for (int j = 0; j < kEach; ++j) {
        to[j] = fmaf(mine[i], b[(lane + kLanes * j) * (width + 1) + i], to[j]);
      }
    }
  }
};

template <int TILE>
std::size_t forward_shared(int d_qk, int d_v) {
  return sizeof(float) * TILE * (2 * (d_qk + 1) + 2 * (d_v + 1) + TILE + 1);
}

template <int TILE, class T>
__global__ void __launch_bounds__(kThreads) forward_kernel(Forward<T> f) {
  using L = Lanes<TILE>;
  extern __shared__ float memory[];
  float* q = memory;
  float* k = q + TILE * (f.d_qk + 1);
  float* v = k + TILE * (f.d_qk + 1);
  float* o = v + TILE * (f.d_v + 1);
  float* p = o + TILE * (f.d_v + 1);
  const Span queries = find_span<TILE>(f.starts, f.sequences, blockIdx.x);
  if (queries.from >= queries.end) return;
  const int head = blockIdx.y;
  const L at;
  load_rows<TILE>(q, f.q, head, queries.from, queries.to, f.d_qk);
  for (int c = at.lane; c < f.d_v; c += L::kLanes) o[at.row * (f.d_v + 1) + c] = 0;
  float max = -FLT_MAX, sum = 0;
  const std::int64_t token = queries.from + at.row;
  for (std::int64_t key = queries.start; key < queries.to; key += TILE) {
    __syncthreads();
    load_rows<TILE>(k, f.k, head, key, queries.end, f.d_qk);
    load_rows<TILE>(v, f.v, head, key, queries.end, f.d_v);
    __syncthreads();
    float s[L::kEach];
    at.dot(q, k, f.d_qk, s);
    float block_max = max;
#pragma unroll
    for (int j = 0; j < L::kEach; ++j) {
      s[j] = key + at.lane + L::kLanes * j <= token ? s[j] * f.scale : -FLT_MAX;
      block_max = fmaxf(block_max, s[j]);
    }
    block_max = L::max(block_max);
    const float factor = expf(max - block_max);
    max = block_max;
    float block_sum = 0;
#pragma unroll
    for (int j = 0; j < L::kEach; ++j) {
      const float weight = s[j] == -FLT_MAX ? 0.0f : expf(s[j] - max);
      p[at.row * (TILE + 1) + at.lane + L::kLanes * j] = weight;
      block_sum += weight;
    }
    sum = sum * factor + L::sum(block_sum);
    __syncwarp();
    for (int c = at.lane; c < f.d_v; c += L::kLanes) {
      float value = o[at.row * (f.d_v + 1) + c] * factor;
      for (int j = 0; j < TILE; ++j) {
        value = fmaf(p[at.row * (TILE + 1) + j], v[j * (f.d_v + 1) + c], value);
      }
      o[at.row * (f.d_v + 1) + c] = value;
    }
    __syncwarp();
  }
  if (token >= queries.to) return;
  for (int c = at.lane; c < f.d_v; c += L::kLanes) {
    store(f.o.at(token, head)[c], o[at.row * (f.d_v + 1) + c] / sum);
  }
  if (at.lane == 0) f.lse[head * f.tokens + token] = max + logf(sum);
}

// D of every token and head: one warp each.
template <class T>
__global__ void __launch_bounds__(kThreads) d_sums_kernel(Backward<T> b) {
  const std::int64_t token = std::int64_t{blockIdx.x} * (kThreads / 32) + threadIdx.x / 32;
  if (token >= b.tokens) return;
  const int head = blockIdx.y;
  float sum = 0;
  for (int c = threadIdx.x % 32; c < b.d_v; c += 32) {
    sum = fmaf(to_float(b.o.at(token, head)[c]), to_float(b.d_o.at(token, head)[c]), sum);
  }
#pragma unroll
  for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffff, sum, step);
  if (threadIdx.x % 32 == 0) b.d_sums[head * b.tokens + token] = sum;
}

template <int TILE>
std::size_t backward_shared(int d_qk, int d_v) {
  return sizeof(float) * TILE * (3 * (d_qk + 1) + 3 * (d_v + 1) + 2 * (TILE + 1));
}

// P and dS of this thread's row of queries and its columns of keys, into shared memory.
template <int TILE, class T>
__device__ inline void softmax_gradient(const Backward<T>& b, const Lanes<TILE>& at, int head,
                                        std::int64_t token, std::int64_t end, std::int64_t key,
                                        const float* q, const float* k, const float* d_o,
                                        const float* v, float* p, float* ds) {
  using L = Lanes<TILE>;
  float s[L::kEach], dp[L::kEach];
  at.dot(q, k, b.d_qk, s);
  at.dot(d_o, v, b.d_v, dp);
  const bool live = token < end;
  const float lse = live ? b.lse[head * b.tokens + token] : 0.0f;
  const float d = live ? b.d_sums[head * b.tokens + token] : 0.0f;
#pragma unroll
  for (int j = 0; j < L::kEach; ++j) {
    const int column = at.lane + L::kLanes * j;
    const bool seen = live && key + column <= token;
    const float weight = seen ? expf(s[j] * b.scale - lse) : 0.0f;
    p[at.row * (TILE + 1) + column] = weight;
    ds[at.row * (TILE + 1) + column] = seen ? b.scale * weight * (dp[j] - d) : 0.0f;
  }
}

// dq of a block of queries, from all keys it sees.
template <int TILE, class T>
__global__ void __launch_bounds__(kThreads) query_kernel(Backward<T> b) {
  using L = Lanes<TILE>;
  extern __shared__ float memory[];
  float* q = memory;
  float* k = q + TILE * (b.d_qk + 1);
  float* dq = k + TILE * (b.d_qk + 1);
  float* v = dq + TILE * (b.d_qk + 1);
  float* d_o = v + TILE * (b.d_v + 1);
  float* p = d_o + TILE * (b.d_v + 1);
  float* ds = p + TILE * (TILE + 1);
  const Span queries = find_span<TILE>(b.starts, b.sequences, blockIdx.x);
  if (queries.from >= queries.end) return;
  const int head = blockIdx.y;
  const L at;
  load_rows<TILE>(q, b.q, head, queries.from, queries.to, b.d_qk);
  load_rows<TILE>(d_o, b.d_o, head, queries.from, queries.to, b.d_v);
  for (int c = at.lane; c < b.d_qk; c += L::kLanes) dq[at.row * (b.d_qk + 1) + c] = 0;
  const std::int64_t token = queries.from + at.row;
  for (std::int64_t key = queries.start; key < queries.to; key += TILE) {
    __syncthreads();
    load_rows<TILE>(k, b.k, head, key, queries.end, b.d_qk);
    load_rows<TILE>(v, b.v, head, key, queries.end, b.d_v);
    __syncthreads();
    softmax_gradient<TILE>(b, at, head, token, queries.to, key, q, k, d_o, v, p, ds);
    __syncwarp();
    for (int c = at.lane; c < b.d_qk; c += L::kLanes) {
      float value = dq[at.row * (b.d_qk + 1) + c];
      for (int j = 0; j < TILE; ++j) {
        value = fmaf(ds[at.row * (TILE + 1) + j], k[j * (b.d_qk + 1) + c], value);
      }
      dq[at.row * (b.d_qk + 1) + c] = value;
    }
    __syncwarp();
  }
  if (token >= queries.to) return;
  for (int c = at.lane; c < b.d_qk; c += L::kLanes) {
    store(b.dq.at(token, head)[c], dq[at.row * (b.d_qk + 1) + c]);
  }
}

// dk and dv of a block of keys, from all queries that see it.
template <int TILE, class T>
__global__ void __launch_bounds__(kThreads) key_kernel(Backward<T> b) {
  using L = Lanes<TILE>;
  extern __shared__ float memory[];
  float* q = memory;
  float* k = q + TILE * (b.d_qk + 1);
  float* dk = k + TILE * (b.d_qk + 1);
  float* v = dk + TILE * (b.d_qk + 1);
  float* d_o = v + TILE * (b.d_v + 1);
  float* dv = d_o + TILE * (b.d_v + 1);
  float* p = dv + TILE * (b.d_v + 1);
  float* ds = p + TILE * (TILE + 1);
  const Span keys = find_span<TILE>(b.starts, b.sequences, blockIdx.x);
  if (keys.from >= keys.end) return;
  const int head = blockIdx.y;
  const L at;
  load_rows<TILE>(k, b.k, head, keys.from, keys.to, b.d_qk);
  load_rows<TILE>(v, b.v, head, keys.from, keys.to, b.d_v);
  for (int c = at.lane; c < b.d_qk; c += L::kLanes) dk[at.row * (b.d_qk + 1) + c] = 0;
  for (int c = at.lane; c < b.d_v; c += L::kLanes) dv[at.row * (b.d_v + 1) + c] = 0;
  for (std::int64_t query = keys.from; query < keys.end; query += TILE) {
    __syncthreads();
    load_rows<TILE>(q, b.q, head, query, keys.end, b.d_qk);
    load_rows<TILE>(d_o, b.d_o, head, query, keys.end, b.d_v);
    __syncthreads();
    softmax_gradient<TILE>(b, at, head, query + at.row, keys.end, keys.from, q, k, d_o, v, p, ds);
    __syncthreads();  // rows of P are queries, rows of dk and dv are keys
    for (int c = at.lane; c < b.d_qk; c += L::kLanes) {
      float value = dk[at.row * (b.d_qk + 1) + c];
      for (int j = 0; j < TILE; ++j) {
        value = fmaf(ds[j * (TILE + 1) + at.row], q[j * (b.d_qk + 1) + c], value);
      }
      dk[at.row * (b.d_qk + 1) + c] = value;
    }
    for (int c = at.lane; c < b.d_v; c += L::kLanes) {
      float value = dv[at.row * (b.d_v + 1) + c];
      for (int j = 0; j < TILE; ++j) {
        value = fmaf(p[j * (TILE + 1) + at.row], d_o[j * (b.d_v + 1) + c], value);
      }
      dv[at.row * (b.d_v + 1) + c] = value;
    }
  }
  const std::int64_t token = keys.from + at.row;
  if (token >= keys.to) return;
  for (int c = at.lane; c < b.d_qk; c += L::kLanes) {
    store(*b.dk.cell(token, head, c), dk[at.row * (b.d_qk + 1) + c]);
  }
  for (int c = at.lane; c < b.d_v; c += L::kLanes) {
    store(b.dv.at(token, head)[c], dv[at.row * (b.d_v + 1) + c]);
  }
}

}  // namespace tessera::kernels::cuda::attention_plain
