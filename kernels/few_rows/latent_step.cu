// SPDX-License-Identifier: MIT
// What MLA does between its products for a new token, on the GPU. A token has a block for each of
// its heads and one for its latent.
#include "kernels/few_rows/few_rows.cuh"
#include "kernels/few_rows/few_rows_contract.h"

namespace tessera::kernels::cuda {

namespace few_rows {
namespace {
constexpr int kLatentWarps = 8;
constexpr int kLatentThreads = kLatentWarps * kWarp;
constexpr int kColumns = 512;                         // of a latent that a block makes at one time
constexpr int kEights = kColumns / (kWarp * kEight);  // packs of them that a lane has
constexpr int kUpAhead = 8;                           // rows of weights on their way at once
constexpr int kMostPlain = 512;                       // columns of a query that are not rotated

struct LatentTask {
  const __nv_bfloat16 *q, *up;
  const float *kv_a, *norm, *cos, *sin;
  const std::int32_t *positions, *slots;
  void* cache;
  __nv_bfloat16* absorbed;
  std::int64_t q_row, q_head, up_head, up_row, kv_row, cos_row, sin_row, to_row, to_head;
  std::int64_t cache_rows, table_rows;
  int heads, plain, latent, rotary;
  float epsilon;
  tessera::cuda::Fault bad_position, bad_slot;
};

template <class From, class To>
__device__ inline void turn_pair(const LatentTask& p, std::int64_t position, int pair,
                                 const From* from, To* to) {
  const float c = p.cos[position * p.cos_row + pair], s = p.sin[position * p.sin_row + pair];
  const float x0 = to_float(from[2 * pair]), x1 = to_float(from[2 * pair + 1]);
  store(to[2 * pair], c * x0 - s * x1);
  store(to[2 * pair + 1], s * x0 + c * x1);
}

template <class Stored>
__device__ inline void write_latent(const LatentTask& p, int token, std::int64_t position,
                                    std::int64_t slot) {
  __shared__ float shares[kLatentWarps];
  const int thread = static_cast<int>(threadIdx.x);
  const float* kv = p.kv_a + token * p.kv_row;
  Stored* cached = static_cast<Stored*>(p.cache) + slot * (p.latent + p.rotary);
  float sum = 0;
  for (int i = thread; i < p.latent; i += kLatentThreads) sum = fmaf(kv[i], kv[i], sum);
  sum = row_sum(sum, shares);
  const float scale = 1.0f / sqrtf(sum / static_cast<float>(p.latent) + p.epsilon);
  for (int i = thread; i < p.latent; i += kLatentThreads) {
    store(cached[i], kv[i] * scale * p.norm[i]);
  }
  for (int pair = thread; pair < p.rotary / 2; pair += kLatentThreads) {
    turn_pair(p, position, pair, kv + p.latent, cached + p.latent);
  }
}

/// A head's query times its weights: a warp has every eighth row of these.
__device__ inline void absorb(const LatentTask& p, const __nv_bfloat16* up, const float* query,
                              float (*shares)[kColumns], __nv_bfloat16* to) {
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  for (int first = 0; first < p.latent; first += kColumns) {
    float sums[kEights][kEight] = {};
    for (int from = warp; from < p.plain; from += kLatentWarps * kUpAhead) {
      Eight<__nv_bfloat16> loaded[kUpAhead][kEights];
#pragma unroll
      for (int ahead = 0; ahead < kUpAhead; ++ahead) {
        const int row = from + ahead * kLatentWarps;
#pragma unroll
        for (int j = 0; j < kEights; ++j) {
          const int column = first + (j * kWarp + lane) * kEight;
          if (row < p.plain && column < p.latent)
            loaded[ahead][j].load(up + row * p.up_row + column);
        }
      }
#pragma unroll
      for (int ahead = 0; ahead < kUpAhead; ++ahead) {
        const int row = from + ahead * kLatentWarps;
        if (row >= p.plain) break;
#pragma unroll
        for (int j = 0; j < kEights; ++j) {
          if (first + (j * kWarp + lane) * kEight >= p.latent) continue;
          float values[kEight];
          loaded[ahead][j].unpack(values);
#pragma unroll
          for (int i = 0; i < kEight; ++i) sums[j][i] = fmaf(query[row], values[i], sums[j][i]);
        }
      }
    }
#pragma unroll
    for (int j = 0; j < kEights; ++j) {
#pragma unroll
      for (int i = 0; i < kEight; ++i) shares[warp][(j * kWarp + lane) * kEight + i] = sums[j][i];
    }
    __syncthreads();
    for (int c = thread; c < kColumns && first + c < p.latent; c += kLatentThreads) {
      float sum = 0;
#pragma unroll
      for (int w = 0; w < kLatentWarps; ++w) sum += shares[w][c];
      store(to[first + c], sum);
    }
    __syncthreads();
  }
}

template <class Stored>
__global__ void __launch_bounds__(kLatentThreads)
    latent_kernel(const __grid_constant__ LatentTask p) {
  __shared__ float shares[kLatentWarps][kColumns];
  __shared__ float query[kMostPlain];
  const int head = blockIdx.x, token = blockIdx.y, thread = static_cast<int>(threadIdx.x);
  const __nv_bfloat16* up = p.up + head * p.up_head;
  ptx::launch_dependents();
  if (head < p.heads && token == 0) {
    constexpr int kLine = 64;  // elements of 128 bytes
    const int lines = (p.latent + kLine - 1) / kLine;
    for (int item = thread; item < p.plain * lines; item += kLatentThreads) {
      const __nv_bfloat16* line = up + item / lines * p.up_row + item % lines * kLine;
      asm volatile("prefetch.global.L2 [%0];\n" ::"l"(line));
    }
  }
  ptx::wait_for_grid_before();
  const std::int64_t position = p.positions[token], slot = p.slots[token];
  const bool place = position >= 0 && position < p.table_rows;
  const bool room = slot >= 0 && slot < p.cache_rows;
  if (!place || !room) {
    if (thread == 0) (place ? p.bad_slot : p.bad_position).raise(static_cast<unsigned>(token));
    return;
  }
  if (head == p.heads) return write_latent<Stored>(p, token, position, slot);
  const __nv_bfloat16* q = p.q + token * p.q_row + head * p.q_head;
  __nv_bfloat16* to = p.absorbed + token * p.to_row + head * p.to_head;
  for (int i = thread; i < p.plain; i += kLatentThreads) query[i] = to_float(q[i]);
  for (int pair = thread; pair < p.rotary / 2; pair += kLatentThreads) {
    turn_pair(p, position, pair, q + p.plain, to + p.latent);
  }
  __syncthreads();
  absorb(p, up, query, shares, to);
}
}  // namespace
}  // namespace few_rows

void latent_step(Context& context, const Tensor& q, const Tensor& kv_a, const Tensor& norm,
                 float epsilon, const Tensor& positions, const Tensor& cos, const Tensor& sin,
                 const Tensor& slots, const Tensor& up, const Tensor& cache,
                 const Tensor& absorbed) {
  const char* where = "latent_step";
  contract::latent_step(where, q, kv_a, norm, positions, cos, sin, slots, up, cache, absorbed);
  expect_dtype(where, "q", q, DType::BF16);
  expect_dtype(where, "kv_a", kv_a, DType::F32);
  require(allows_packs(8, {&up}) && up.size(1) <= few_rows::kMostPlain && q.size(0) <= 65535, where,
          "the GPU takes latents of a multiple of 8 and queries of at most {} columns that are not "
          "rotated, got {}, {}",
          few_rows::kMostPlain, q.describe(), up.describe());
  if (q.size(0) == 0) return;
  few_rows::LatentTask p{};
  p.q = device_data<bf16>(q);
  p.up = device_data<bf16>(up);
  p.kv_a = kv_a.data<float>();
  p.norm = norm.data<float>();
  p.cos = cos.data<float>();
  p.sin = sin.data<float>();
  p.positions = positions.data<std::int32_t>();
  p.slots = slots.data<std::int32_t>();
  p.cache = cache.raw();
  p.absorbed = device_data<bf16>(absorbed);
  p.q_row = q.stride(0);
  p.q_head = q.stride(1);
  p.up_head = up.stride(0);
  p.up_row = up.stride(1);
  p.kv_row = kv_a.stride(0);
  p.cos_row = cos.stride(0);
  p.sin_row = sin.stride(0);
  p.to_row = absorbed.stride(0);
  p.to_head = absorbed.stride(1);
  p.cache_rows = cache.size(0) * cache.size(1);
  p.table_rows = cos.size(0);
  p.heads = static_cast<int>(q.size(1));
  p.plain = static_cast<int>(up.size(1));
  p.latent = static_cast<int>(norm.size(0));
  p.rotary = static_cast<int>(kv_a.size(1)) - p.latent;
  p.epsilon = epsilon;
  p.bad_position = tessera::cuda::fault(where, "token {} has a position outside the tables");
  p.bad_slot = tessera::cuda::fault(where, "the slot of token {} is outside the cache");
  with_real(where, "cache", cache, [&]<class Stored>(Stored) {
    const dim3 grid(static_cast<unsigned>(p.heads + 1), static_cast<unsigned>(q.size(0)));
    few_rows::launch(context, where, few_rows::latent_kernel<device_t<Stored>>, grid, 0, p,
                     few_rows::kLatentThreads);
  });
}
TESSERA_CUDA_OPERATION(latent_step)

}  // namespace tessera::kernels::cuda
