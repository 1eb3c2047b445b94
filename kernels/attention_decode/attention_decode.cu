// SPDX-License-Identifier: MIT
// Decoding on the GPU. BF16 on Hopper with the sizes of DeepSeek-V3 is attention_decode_sm90.cuh;
// here is what takes any type and size: a block has one row, up to 16 of its heads and one chunk of
// positions; all its heads read the same keys from shared memory. Chunks are of a fixed length and
// merged in order by a second kernel, so a row's result has the same bits in any batch.
#include "kernels/attention_decode/attention_decode.h"

#include <algorithm>
#include <cfloat>

#include "kernels/attention_decode/attention_decode_contract.h"
#include "kernels/attention_decode/attention_decode_parts.cuh"
#include "kernels/attention_decode/attention_decode_sm90.cuh"
#include "kernels/cuda/has.h"

namespace tessera::kernels::cuda {

namespace {
constexpr const char* kWhere = "attention_decode";
constexpr int kThreads = 256;
constexpr int kHeads = 16;    // heads of a block; 16 threads each
constexpr int kBlock = 16;    // positions at one time: one score per thread
constexpr int kChunk = 512;   // positions of a block
constexpr int kColumns = 32;  // result columns per thread: latents have at most 16 * 32 values

template <class Query, class Stored>
__global__ void __launch_bounds__(kThreads) decode_kernel(DecodeTask x) {
  extern __shared__ float memory[];
  const auto* queries = static_cast<const Query*>(x.q) + blockIdx.x * x.q_row;
  const auto* cache = static_cast<const Stored*>(x.cache);
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
    q[h * width + c] = live ? to_float(queries[(first_head + h) * x.q_head + c]) : 0.0f;
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
          value =
              to_float(cache[page * x.cache_page + (position % x.page_tokens) * x.cache_token + c]);
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

DecodeTask task_of(const Tensor& q, const Tensor& cache, const Tensor& pages, const Tensor& lengths,
                   float scale, const Tensor& o) {
  DecodeTask x{};
  x.q = q.raw();
  x.q_row = q.stride(0);
  x.q_head = q.stride(1);
  x.cache = cache.raw();
  x.cache_page = cache.stride(0);
  x.cache_token = cache.stride(1);
  x.pages = pages.data<std::int32_t>();
  x.pages_row = pages.stride(0);
  x.lengths = lengths.data<std::int32_t>();
  x.o = o.raw();
  x.o_row = o.stride(0);
  x.o_head = o.stride(1);
  x.rows = static_cast<int>(q.size(0));
  x.heads = static_cast<int>(q.size(1));
  x.d = static_cast<int>(q.size(2));
  x.d_latent = static_cast<int>(o.size(2));
  x.page_tokens = static_cast<int>(cache.size(1));
  x.pages_in_cache = static_cast<int>(cache.size(0));
  x.max_positions = static_cast<int>(pages.size(1) * cache.size(1));
  x.scale = scale;
  x.bad_page = tessera::cuda::fault(kWhere, "row {} has a page that the cache has not");
  x.bad_length = tessera::cuda::fault(kWhere, "row {} has a length that its pages do not hold");
  return x;
}

/// Room for what chunks leave behind.
void take_parts(Context& context, DecodeTask& x, int chunk) {
  x.chunks = (x.max_positions + chunk - 1) / chunk;
  const auto parts = static_cast<std::size_t>(x.rows) * static_cast<std::size_t>(x.chunks) *
                     static_cast<std::size_t>(x.heads);
  const std::size_t states = (parts * sizeof(float2) + 255) / 256 * 256;
  auto* memory = static_cast<char*>(
      workspace(context, states + parts * static_cast<std::size_t>(x.d_latent) * sizeof(float)));
  x.states = reinterpret_cast<float2*>(memory);
  x.sums = reinterpret_cast<float*>(memory + states);
}

/// `early`: while the kernel before it, which calls launch_dependents(), still runs.
template <class Out, int WIDTH>
void merge(Context& context, const DecodeTask& x, int chunk, bool early) {
  cudaLaunchAttribute dependent{};
  dependent.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  dependent.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(x.rows), static_cast<unsigned>(x.heads));
  config.blockDim = dim3(kMergeThreads);
  config.stream = stream_of(context);
  config.attrs = &dependent;
  config.numAttrs = early ? 1 : 0;
  check(cudaLaunchKernelEx(&config, merge_kernel<Out, WIDTH>, x, chunk), kWhere);
  check_launch(kWhere);
}

template <class Query, class Stored>
void decode_plain(Context& context, DecodeTask x) {
  take_parts(context, x, kChunk);
  const std::size_t shared =
      sizeof(float) * static_cast<std::size_t>((kHeads + kBlock) * (x.d + 1) + kHeads * kBlock);
  const auto kernel = decode_kernel<device_t<Query>, device_t<Stored>>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             static_cast<int>(shared)),
        kWhere);
  const dim3 grid(static_cast<unsigned>(x.rows), blocks_for(x.heads, kHeads),
                  static_cast<unsigned>(x.chunks));
  kernel<<<grid, kThreads, shared, stream_of(context)>>>(x);
  check_launch(kWhere);
  merge<device_t<Query>, 1>(context, x, kChunk, false);
}

// ---- BF16 on Hopper

bool hopper_takes(const Tensor& q, const Tensor& cache, const Tensor& o) {
  const auto aligned = [](const Tensor& t) {
    return reinterpret_cast<std::uintptr_t>(t.raw()) % 16 == 0 && t.stride(0) % 8 == 0 &&
           t.stride(1) % 8 == 0;
  };
  const bool sizes =
      (q.size(2) == 576 && o.size(2) == 512) || (q.size(2) == 320 && o.size(2) == 256);
  return q.dtype() == DType::BF16 && cache.dtype() == DType::BF16 && has(Feature::Decode) &&
         sizes && cache.size(1) % decode_sm90::kPositions == 0 && cache.is_contiguous() &&
         aligned(q) && aligned(cache) && aligned(o);
}

/// Positions of a block: with chunks of this length the last wave of blocks, a start per block and
/// the merge of what chunks leave behind cost least. NOTE: so the order of a row's sums depends on
/// the size of its batch.
int best_chunk(const DecodeTask& x) {
  constexpr std::int64_t kStart = 4, kMerge = 4;  // in tiles
  const std::int64_t processors = tessera::cuda::multiprocessors();
  const std::int64_t heads = std::int64_t{x.rows} * blocks_for(x.heads, decode_sm90::kHeads);
  int best = 0;
  std::int64_t least = 0;
  for (int chunk = 256; chunk <= 4096; chunk *= 2) {
    const std::int64_t chunks = (x.max_positions + chunk - 1) / chunk;
    const std::int64_t tiles = std::min(chunk, x.max_positions) / decode_sm90::kPositions + kStart;
    const std::int64_t waves = (heads * chunks + processors - 1) / processors;
    const std::int64_t cost = waves * tiles + (chunks > 1 ? kMerge : 0);
    if (best == 0 || cost < least) {
      best = chunk;
      least = cost;
    }
  }
  return best;
}

/// Where rows are to be alone: no row is whole then, however short.
constexpr int kChunkAlone = 512;

template <int PANELS, int LATENT>
void decode_hopper(Context& context, DecodeTask x, bool alone) {
  using namespace decode_sm90;
  Arguments p{};
  p.chunk = alone ? kChunkAlone : best_chunk(x);
  take_parts(context, x, p.chunk);
  p.task = x;
  const auto size = [](std::int64_t n) { return static_cast<std::uint64_t>(n); };
  p.q = ptx::make_tensor_map<3>(CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, x.q,
                                {size(x.d), size(x.heads), size(x.rows)},
                                {size(x.q_head) * 2, size(x.q_row) * 2},
                                {64, decode_sm90::kHeads, 1}, CU_TENSOR_MAP_SWIZZLE_128B);
  p.cache =
      ptx::make_tensor_map<2>(CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, x.cache,
                              {size(x.d), size(std::int64_t{x.pages_in_cache} * x.page_tokens)},
                              {size(x.d) * 2}, {64, kPositions}, CU_TENSOR_MAP_SWIZZLE_128B);
  constexpr int kShared = Layout<PANELS>::kTotal;
  const bool whole = x.chunks == 1 && !alone;
  const auto kernel = whole ? decode_sm90::decode_kernel<PANELS, LATENT, true>
                            : decode_sm90::decode_kernel<PANELS, LATENT, false>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kShared), kWhere);
  const dim3 grid(blocks_for(x.heads, decode_sm90::kHeads), static_cast<unsigned>(x.rows),
                  static_cast<unsigned>(x.chunks));
  kernel<<<grid, decode_sm90::kThreads, kShared, stream_of(context)>>>(p);
  check_launch(kWhere);
  if (!whole) merge<__nv_bfloat16, 4>(context, x, p.chunk, true);
}

void decode(Context& context, const Tensor& q, const Tensor& cache, const Tensor& pages,
            const Tensor& lengths, float scale, const Tensor& o, bool alone) {
  contract::attention_decode(kWhere, q, cache, pages, lengths, o);
  const bool narrow = q.dtype() == DType::BF16;
  if (!narrow) expect_dtype(kWhere, "q", q, DType::F32);
  if (cache.dtype() != DType::BF16) expect_dtype(kWhere, "cache", cache, DType::F32);
  require(o.size(2) <= 16 * kColumns, kWhere, "the GPU takes latents of at most {} values, got {}",
          16 * kColumns, o.size(2));
  if (q.numel() == 0) return;
  const DecodeTask x = task_of(q, cache, pages, lengths, scale, o);
  if (hopper_takes(q, cache, o)) {
    if (x.d == 576) {
      decode_hopper<9, 512>(context, x, alone);
    } else {
      decode_hopper<5, 256>(context, x, alone);
    }
  } else if (cache.dtype() == DType::BF16) {
    narrow ? decode_plain<bf16, bf16>(context, x) : decode_plain<float, bf16>(context, x);
  } else {
    narrow ? decode_plain<bf16, float>(context, x) : decode_plain<float, float>(context, x);
  }
}
}  // namespace

void attention_decode(Context& context, const Tensor& q, const Tensor& cache, const Tensor& pages,
                      const Tensor& lengths, float scale, const Tensor& o) {
  decode(context, q, cache, pages, lengths, scale, o, false);
}
TESSERA_CUDA_OPERATION(attention_decode)

void attention_decode_alone(Context& context, const Tensor& q, const Tensor& cache,
                            const Tensor& pages, const Tensor& lengths, float scale,
                            const Tensor& o) {
  decode(context, q, cache, pages, lengths, scale, o, true);
}
TESSERA_CUDA_OPERATION(attention_decode_alone)

}  // namespace tessera::kernels::cuda
