// SPDX-License-Identifier: MIT
// Decoding on the GPU. A block has one row, up to 16 of its heads and one chunk of positions; all
// its heads read the same keys from shared memory. Chunks are of a fixed length and merged in order
// by a second kernel, so a row's result has the same bits in any batch.
#include "kernels/attention_decode/attention_decode.h"

#include <cfloat>

#include "core/base/cuda/element.cuh"
#include "core/base/cuda/launch.h"
#include "kernels/dispatch.h"

namespace tessera::kernels::cuda {

namespace {
constexpr const char* kWhere = "attention_decode";
constexpr int kThreads = 256;
constexpr int kHeads = 16;    // of a block; 16 threads each
constexpr int kBlock = 16;    // positions at one time: one score per thread
constexpr int kChunk = 512;   // positions of a block
constexpr int kColumns = 32;  // of the result per thread: latents of at most 16 * 32 values

template <class Stored>
struct Decode {
  const float* q;
  std::int64_t q_row, q_head;
  const Stored* cache;
  std::int64_t cache_page, cache_token;
  const std::int32_t *pages, *lengths;
  std::int64_t pages_row;
  float* o;
  std::int64_t o_row, o_head;
  int rows, heads, d, d_latent, page_tokens, pages_in_cache, max_positions, chunks;
  float scale;
  float* sums;     // (rows, chunks, heads, d_latent)
  float2* states;  // (rows, chunks, heads): largest score, sum of exponentials
  tessera::cuda::Fault bad_page, bad_length;
};

template <class Stored>
__global__ void __launch_bounds__(kThreads) decode_kernel(Decode<Stored> x) {
  extern __shared__ float memory[];
  const int width = x.d + 1;  // rows of one more column fall into different banks
  float* q = memory;
  float* keys = q + kHeads * width;
  float* p = keys + kBlock * width;
  const int row = blockIdx.x, first_head = blockIdx.y * kHeads, chunk = blockIdx.z;
  const int length = x.lengths[row];
  if (length < 1 || length > x.max_positions) {
    x.bad_length.raise(row);
    return;
  }
  const int from = chunk * kChunk, to = min(length, from + kChunk);
  if (from >= to) return;
  const int thread = threadIdx.x, head = thread / 16, lane = thread % 16;
  for (int i = thread; i < kHeads * x.d; i += kThreads) {
    const int h = i / x.d, c = i % x.d;
    const bool live = first_head + h < x.heads;
    q[h * width + c] = live ? x.q[row * x.q_row + (first_head + h) * x.q_head + c] : 0.0f;
  }
  float max = -FLT_MAX, sum = 0, o[kColumns];
#pragma unroll
  for (int j = 0; j < kColumns; ++j) o[j] = 0;

  for (int at = from; at < to; at += kBlock) {
    __syncthreads();
    for (int i = thread; i < kBlock * x.d; i += kThreads) {
      const int position = at + i / x.d, c = i % x.d;
      float value = 0;
      if (position < to) {
        const int page = x.pages[row * x.pages_row + position / x.page_tokens];
        if (page < 0 || page >= x.pages_in_cache) {
          x.bad_page.raise(row);
        } else {
          value = to_float(
              x.cache[page * x.cache_page + (position % x.page_tokens) * x.cache_token + c]);
        }
      }
      keys[i / x.d * width + c] = value;
    }
    __syncthreads();
    float score = 0;
    for (int i = 0; i < x.d; ++i) score = fmaf(q[head * width + i], keys[lane * width + i], score);
    score = at + lane < to ? score * x.scale : -FLT_MAX;
    float largest = fmaxf(max, score);
#pragma unroll
    for (int step = 8; step > 0; step /= 2) {
      largest = fmaxf(largest, __shfl_xor_sync(0xffffffff, largest, step));
    }
    const float factor = expf(max - largest);
    max = largest;
    float weight = score == -FLT_MAX ? 0.0f : expf(score - max);
    p[head * kBlock + lane] = weight;
#pragma unroll
    for (int step = 8; step > 0; step /= 2) weight += __shfl_xor_sync(0xffffffff, weight, step);
    sum = sum * factor + weight;
    __syncwarp();
#pragma unroll
    for (int j = 0; j < kColumns; ++j) {
      const int c = lane + 16 * j;
      if (c >= x.d_latent) continue;
      float value = o[j] * factor;
#pragma unroll
      for (int k = 0; k < kBlock; ++k) {
        value = fmaf(p[head * kBlock + k], keys[k * width + c], value);
      }
      o[j] = value;
    }
  }
  if (first_head + head >= x.heads) return;
  const std::int64_t part = (std::int64_t{row} * x.chunks + chunk) * x.heads + first_head + head;
#pragma unroll
  for (int j = 0; j < kColumns; ++j) {
    const int c = lane + 16 * j;
    if (c < x.d_latent) x.sums[part * x.d_latent + c] = o[j];
  }
  if (lane == 0) x.states[part] = make_float2(max, sum);
}

/// o of one row and head from the row's chunks, in their order.
template <class Stored>
__global__ void __launch_bounds__(128) merge_kernel(Decode<Stored> x) {
  const int row = blockIdx.x, head = blockIdx.y;
  const int length = min(x.lengths[row], x.max_positions);
  const int chunks = (length + kChunk - 1) / kChunk;
  const std::int64_t first = std::int64_t{row} * x.chunks * x.heads + head;
  float max = -FLT_MAX, sum = 0;
  for (int c = 0; c < chunks; ++c) max = fmaxf(max, x.states[first + c * x.heads].x);
  for (int c = 0; c < chunks; ++c) {
    const float2 state = x.states[first + c * x.heads];
    sum = fmaf(state.y, expf(state.x - max), sum);
  }
  for (int i = threadIdx.x; i < x.d_latent; i += blockDim.x) {
    float value = 0;
    for (int c = 0; c < chunks; ++c) {
      const std::int64_t part = first + std::int64_t{c} * x.heads;
      value = fmaf(expf(x.states[part].x - max), x.sums[part * x.d_latent + i], value);
    }
    x.o[row * x.o_row + head * x.o_head + i] = value / sum;
  }
}

template <class Stored>
void decode(Context& context, const Tensor& q, const Tensor& cache, const Tensor& pages,
            const Tensor& lengths, float scale, const Tensor& o) {
  using Element = device_t<Stored>;
  Decode<Element> x{};
  x.q = q.data<float>();
  x.q_row = q.stride(0);
  x.q_head = q.stride(1);
  x.cache = device_data<Stored>(cache);
  x.cache_page = cache.stride(0);
  x.cache_token = cache.stride(1);
  x.pages = pages.data<std::int32_t>();
  x.pages_row = pages.stride(0);
  x.lengths = lengths.data<std::int32_t>();
  x.o = o.data<float>();
  x.o_row = o.stride(0);
  x.o_head = o.stride(1);
  x.rows = static_cast<int>(q.size(0));
  x.heads = static_cast<int>(q.size(1));
  x.d = static_cast<int>(q.size(2));
  x.d_latent = static_cast<int>(o.size(2));
  x.page_tokens = static_cast<int>(cache.size(1));
  x.pages_in_cache = static_cast<int>(cache.size(0));
  x.max_positions = static_cast<int>(pages.size(1) * cache.size(1));
  x.chunks = (x.max_positions + kChunk - 1) / kChunk;
  x.scale = scale;
  const auto parts = static_cast<std::size_t>(x.rows) * static_cast<std::size_t>(x.chunks) *
                     static_cast<std::size_t>(x.heads);
  const std::size_t states = parts * sizeof(float2);
  auto* memory = static_cast<char*>(
      workspace(context, states + parts * static_cast<std::size_t>(x.d_latent) * sizeof(float)));
  x.states = reinterpret_cast<float2*>(memory);
  x.sums = reinterpret_cast<float*>(memory + states);
  x.bad_page = tessera::cuda::fault(kWhere, "row {} has a page that the cache has not");
  x.bad_length = tessera::cuda::fault(kWhere, "row {} has a length that its pages do not hold");

  const std::size_t shared =
      sizeof(float) * static_cast<std::size_t>((kHeads + kBlock) * (x.d + 1) + kHeads * kBlock);
  check(cudaFuncSetAttribute(decode_kernel<Element>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(shared)),
        kWhere);
  const dim3 grid(static_cast<unsigned>(x.rows), blocks_for(x.heads, kHeads),
                  static_cast<unsigned>(x.chunks));
  decode_kernel<Element><<<grid, kThreads, shared, stream_of(context)>>>(x);
  check_launch(kWhere);
  const dim3 merge(static_cast<unsigned>(x.rows), static_cast<unsigned>(x.heads));
  merge_kernel<Element><<<merge, 128, 0, stream_of(context)>>>(x);
  check_launch(kWhere);
}
}  // namespace

void attention_decode(Context& context, const Tensor& q, const Tensor& cache, const Tensor& pages,
                      const Tensor& lengths, float scale, const Tensor& o) {
  expect_shape(kWhere, "q", q, {-1, -1, -1});
  expect_shape(kWhere, "cache", cache, {-1, -1, q.size(2)});
  expect_shape(kWhere, "pages", pages, {q.size(0), -1});
  expect_shape(kWhere, "lengths", lengths, {q.size(0)});
  expect_shape(kWhere, "o", o, {q.size(0), q.size(1), -1});
  expect_dtype(kWhere, "q", q, DType::F32);
  expect_dtype(kWhere, "o", o, DType::F32);
  require(o.size(2) <= q.size(2), kWhere, "values of {} cannot be part of keys of {}", o.size(2),
          q.size(2));
  require(o.size(2) <= 16 * kColumns, kWhere, "the GPU takes latents of at most {} values, got {}",
          16 * kColumns, o.size(2));
  if (q.numel() == 0) return;
  if (cache.dtype() == DType::BF16) {
    decode<bf16>(context, q, cache, pages, lengths, scale, o);
  } else {
    expect_dtype(kWhere, "cache", cache, DType::F32);
    decode<float>(context, q, cache, pages, lengths, scale, o);
  }
}
TESSERA_CUDA_OPERATION(attention_decode)

}  // namespace tessera::kernels::cuda
