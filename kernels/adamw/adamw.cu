// SPDX-License-Identifier: MIT
// AdamW, gradient norm and clip on the GPU.
#include "kernels/adamw/adamw_contract.h"
#include "kernels/adamw/step.cuh"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/reduce.cuh"

namespace tessera::kernels::cuda {

using adamw_step::Step;

namespace {
struct Squared {
  __device__ double operator()(double value) const { return value * value; }
};

__global__ void clip_kernel(const double* sum, double max_norm, double* scale) {
  double factor = 1;
  if (!isfinite(*sum)) {
    factor = nan("");  // max_norm / infinity would hide it as 0
  } else if (max_norm > 0 && *sum > 0) {
    factor = fmin(1.0, max_norm / sqrt(*sum));
  }
  *scale = factor;
}

template <int N, class M, class V>
__device__ inline void update(const Step& step, float scale, const float* gradient, float* weight,
                              M* m, V* v, __nv_bfloat16* copy) {
  float g[N], w[N], first[N], second[N];
  load<N>(gradient, g);
  load<N>(weight, w);
  load<N>(m, first);
  load<N>(v, second);
#pragma unroll
  for (int i = 0; i < N; ++i) {
    w[i] = step.update(g[i] * scale, w[i], first[i], second[i]);
  }
  save<N>(weight, w);
  if (copy != nullptr) save<N>(copy, w);
  save<N>(m, first);
  save<N>(v, second);
}

template <int N, class M, class V>
__global__ void __launch_bounds__(256)
    step_kernel(const Step step, const double* scale, std::int64_t packs, std::int64_t count,
                const float* gradient, float* weight, M* m, V* v, __nv_bfloat16* copy) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const float factor = static_cast<float>(*scale);
  const auto at = [&]<int W>(PackSize<W>, std::int64_t first) {
    update<W>(step, factor, gradient + first, weight + first, m + first, v + first,
              copy == nullptr ? nullptr : copy + first);
  };
  if (i < packs) at(PackSize<N>{}, i * N);
  const std::int64_t rest = packs * N + i;
  if (N > 1 && rest < count) at(PackSize<1>{}, rest);
}

bool is_aligned(const Tensor& t) {
  return reinterpret_cast<std::uintptr_t>(t.raw()) % (4 * size_of(t.dtype())) == 0;
}
}  // namespace

void sum_of_squares(Context& context, const Tensor& x, const Tensor& sum) {
  const char* where = "sum_of_squares";
  contract::sum_of_squares(where, x, sum);
  with_float(where, "x", x, [&]<class T>(T) {
    add_sum(context, where, x.data<T>(), x.numel(), Squared{}, sum.data<double>());
  });
}
TESSERA_CUDA_OPERATION(sum_of_squares)

void clip_scale(Context& context, const Tensor& sum, double max_norm, const Tensor& scale) {
  contract::clip_scale("clip_scale", sum, scale);
  clip_kernel<<<1, 1, 0, stream_of(context)>>>(sum.data<double>(), max_norm, scale.data<double>());
  check_launch("clip_scale");
}
TESSERA_CUDA_OPERATION(clip_scale)

void adamw(Context& context, const AdamWConfig& config, const Tensor& gradient, const Tensor& scale,
           const Tensor& weight, const Tensor& m, const Tensor& v, const Tensor& copy) {
  const char* where = "adamw";
  contract::adamw(where, config, gradient, scale, weight, m, v, copy);
  if (copy) expect_dtype(where, "copy", copy, DType::BF16);
  const std::int64_t count = weight.numel();
  if (count == 0) return;
  const Step step(config);
  with_real(where, "m", m, [&]<class M>(M) {
    with_real(where, "v", v, [&]<class V>(V) {
      const auto launch = [&](auto n) {
        constexpr int N = decltype(n)::value;
        const std::int64_t packs = count / N;
        const unsigned blocks = blocks_for(std::max<std::int64_t>(packs, count % N), 256);
        step_kernel<N><<<blocks, 256, 0, stream_of(context)>>>(
            step, scale.data<double>(), packs, count, gradient.data<float>(), weight.data<float>(),
            device_data<M>(m), device_data<V>(v), copy ? device_data<bf16>(copy) : nullptr);
      };
      if (is_aligned(gradient) && is_aligned(weight) && is_aligned(m) && is_aligned(v) &&
          (!copy || is_aligned(copy))) {
        launch(PackSize<4>{});
      } else {
        launch(PackSize<1>{});
      }
    });
  });
  check_launch(where);
}
TESSERA_CUDA_OPERATION(adamw)

}  // namespace tessera::kernels::cuda
