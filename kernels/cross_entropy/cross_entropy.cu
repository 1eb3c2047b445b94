// SPDX-License-Identifier: MIT
// Cross-entropy on the GPU: one block per row. The first 32,768 F32 logits of a row (65,536 BF16)
// stay in registers between the pass for the maximum and the sum and the one for the gradient: all
// rows in flight together are more than the cache holds.
#include "kernels/cross_entropy/cross_entropy.h"

#include <cfloat>

#include "kernels/cross_entropy/cross_entropy_contract.h"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/reduce.cuh"

namespace tessera::kernels::cuda {

namespace {
constexpr int kThreads = 1024;
constexpr int kHeld = 8;  // packs per thread

/// e^x for x <= 0, within 2 units in the last place near 0 and a relative |x| / 2^24 below: what is
/// far down weighs little in a sum. Three instructions; expf has eight.
__device__ inline float exp_below_0(float x) {
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x * 1.44269504f));
  return power;
}

/// A maximum and the sum of exponentials relative to it, of some logits.
struct Partial {
  float most = -FLT_MAX, sum = 0;

  template <int N>
  __device__ void add(const float (&v)[N]) {
    float larger = most;
#pragma unroll
    for (int i = 0; i < N; ++i) larger = fmaxf(larger, v[i]);
    // NOTE: the sum may be NaN, and must stay so: it is scaled even where it was 0.
    sum *= exp_below_0(most - larger);
#pragma unroll
    for (int i = 0; i < N; ++i) sum += exp_below_0(v[i] - larger);
    most = larger;
  }
};

/// Reduces over the whole block.
__device__ inline Partial combine(Partial mine, float* shared) {
  Partial all;
  all.most = row_reduce(mine.most, shared, Larger{});
  all.sum = row_sum(mine.sum * exp_below_0(mine.most - all.most), shared);
  return all;
}

template <int N, class G>
__device__ inline void write_gradient(G* to, const float (&v)[N], std::int64_t first,
                                      const Partial& all, float factor, float scale,
                                      std::int64_t target) {
  float d[N];
#pragma unroll
  for (int i = 0; i < N; ++i) {
    d[i] = exp_below_0(v[i] - all.most) * factor;
  }
  const std::int64_t at = target - first;
  if (at >= 0 && at < N) {
#pragma unroll
    for (int i = 0; i < N; ++i) d[i] -= i == at ? scale : 0.0f;
  }
  save<N>(to, d);
}

/// `gradient` may be `logits`.
template <int N, class T, class G>
__global__ void __launch_bounds__(kThreads)
    row_kernel(Rows<const T> logits, Rows<G> gradient, std::int64_t packs,
               const std::int32_t* targets, const float* weights, double gradient_scale,
               float* loss, tessera::cuda::Fault fault) {
  __shared__ float shared[kThreads / kWarp];
  const std::int64_t row = blockIdx.x;
  const std::int64_t vocabulary = packs * N, target = targets[row];
  const T* x = logits[row];
  G* d = gradient[row];
  const std::int64_t beyond = threadIdx.x + std::int64_t{kHeld} * kThreads;
  if (target < 0 || target >= vocabulary) {
    if (threadIdx.x == 0) {
      loss[row] = 0;
      if (target != -1) fault.raise(static_cast<unsigned>(row));
    }
    const float zero[N] = {};
    for (std::int64_t p = threadIdx.x; gradient_scale != 0 && p < packs; p += kThreads) {
      save<N>(d + p * N, zero);
    }
    return;
  }
  const float logit = to_float(x[target]);
  Pack<T, N> held[kHeld];
  Partial partial;
  const auto add = [&](const Pack<T, N>& pack) {
    float v[N];
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = to_float(pack.values[i]);
    partial.add(v);
  };
#pragma unroll
  for (int h = 0; h < kHeld; ++h) {
    const std::int64_t p = threadIdx.x + h * kThreads;
    if (p < packs) held[h] = load_pack<N>(x + p * N);
  }
#pragma unroll
  for (int h = 0; h < kHeld; ++h) {
    if (threadIdx.x + h * kThreads < packs) add(held[h]);
  }
#pragma unroll 4
  for (std::int64_t p = beyond; p < packs; p += kThreads) add(load_pack<N>(x + p * N));
  // After this barrier nobody reads x[target] any more as it was.
  const Partial all = combine(partial, shared);
  const float weight = weights ? weights[row] : 1.0f;
  if (threadIdx.x == 0) loss[row] = weight * (logf(all.sum) + (all.most - logit));
  if (gradient_scale == 0) return;
  const double scale = gradient_scale * static_cast<double>(weight);
  const auto step = static_cast<float>(scale);
  const float factor = static_cast<float>(scale / static_cast<double>(all.sum));
  const auto finish = [&](const Pack<T, N>& pack, std::int64_t p) {
    float v[N];
#pragma unroll
    for (int i = 0; i < N; ++i) v[i] = to_float(pack.values[i]);
    write_gradient<N>(d + p * N, v, p * N, all, factor, step, target);
  };
#pragma unroll
  for (int h = 0; h < kHeld; ++h) {
    const std::int64_t p = threadIdx.x + h * kThreads;
    if (p < packs) finish(held[h], p);
  }
#pragma unroll 4
  for (std::int64_t p = beyond; p < packs; p += kThreads) finish(load_pack<N>(x + p * N), p);
}
/// Losses, and the gradient where the scale is not 0.
void run(Context& context, const char* where, const Tensor& logits, const Tensor& targets,
         const Tensor& weights, double gradient_scale, const Tensor& loss, const Tensor& gradient) {
  const std::int64_t rows = logits.size(0), vocabulary = logits.size(1);
  if (rows == 0) return;
  const auto fault = tessera::cuda::fault(where, "the target of row {} is outside the vocabulary");
  with_real(where, "logits", logits, [&]<class T>(T) {
    with_result_of<T>(where, "gradient", gradient, [&]<class G>(G) {
      with_packs<kPack<T, G>>({&logits, &gradient}, [&](auto n) {
        constexpr int N = decltype(n)::value;
        row_kernel<N><<<static_cast<unsigned>(rows), kThreads, 0, stream_of(context)>>>(
            read_rows<T>(logits), rows_of<G>(gradient), vocabulary / N,
            targets.data<std::int32_t>(), weights ? weights.data<float>() : nullptr, gradient_scale,
            loss.data<float>(), fault);
      });
    });
  });
  check_launch(where);
}
}  // namespace

void cross_entropy(Context& context, const Tensor& logits, const Tensor& targets,
                   const Tensor& weights, double gradient_scale, const Tensor& loss) {
  contract::cross_entropy("cross_entropy", logits, targets, weights, loss);
  run(context, "cross_entropy", logits, targets, weights, gradient_scale, loss, logits);
}
TESSERA_CUDA_OPERATION(cross_entropy)

void cross_entropy_gradient(Context& context, const Tensor& logits, const Tensor& targets,
                            const Tensor& weights, double gradient_scale, const Tensor& loss,
                            const Tensor& gradient) {
  const char* where = "cross_entropy_gradient";
  contract::cross_entropy_gradient(where, logits, targets, weights, gradient_scale, loss, gradient);
  run(context, where, logits, targets, weights, gradient_scale, loss, gradient);
}
TESSERA_CUDA_OPERATION(cross_entropy_gradient)

}  // namespace tessera::kernels::cuda
