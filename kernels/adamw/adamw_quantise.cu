// SPDX-License-Identifier: MIT
// AdamW and the quantisation of what it made: a block updates 128 x 128 weights, finds the largest
// of them and writes both layouts of E4M3 while they are in registers.
#include "kernels/adamw/adamw_contract.h"
#include "kernels/adamw/step.cuh"
#include "kernels/cuda/pack.cuh"
#include "kernels/quantise/weight_tile.cuh"

namespace tessera::kernels::cuda {

using namespace e4m3;

namespace {
/// (batch, n, k) of one parameter.
template <class M>
struct Update {
  adamw_step::Step step;
  const double* scale;
  const float* gradient;
  float* weight;
  M *m, *v;
};

/// Eight neighbours in packs of 16 bytes.
template <class T>
__device__ inline void load_eight(const T* from, float (&to)[8]) {
  constexpr int N = kPack<T>;
#pragma unroll
  for (int i = 0; i < 8; i += N) load<N>(from + i, *reinterpret_cast<float(*)[N]>(to + i));
}
template <class T>
__device__ inline void save_eight(T* to, const float (&from)[8]) {
  constexpr int N = kPack<T>;
#pragma unroll
  for (int i = 0; i < 8; i += N) save<N>(to + i, *reinterpret_cast<const float(*)[N]>(from + i));
}

template <class M>
__global__ void __launch_bounds__(kThreads, 2)
    adamw_quantise_kernel(const Update<M> p, int n, int k, const e4m3::QuantisedWeight out) {
  __shared__ WeightShared shared;
  const Place place = place_of(n, k);
  const int64_t batch = blockIdx.z;
  const float scale = static_cast<float>(*p.scale);
  FloatBlock block;
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    float w[8] = {};
    if (place.has_row(r) && place.has_columns()) {
      const int64_t at = (batch * n + place.row + r) * k + place.column;
      float g[8], m[8], v[8];
      load_eight(p.gradient + at, g);
      load_eight(p.weight + at, w);
      load_eight(p.m + at, m);
      load_eight(p.v + at, v);
#pragma unroll
      for (int i = 0; i < 8; ++i) w[i] = p.step.update(g[i] * scale, w[i], m[i], v[i]);
      save_eight(p.weight + at, w);
      save_eight(p.m + at, m);
      save_eight(p.v + at, v);
    }
#pragma unroll
    for (int i = 0; i < 8; ++i) block.values[r][i] = w[i];
  }
  quantise_weight_tile(block, place, batch, n, k, out, shared);
}
}  // namespace

void adamw_quantise(Context& context, const AdamWConfig& config, const Tensor& gradient,
                    const Tensor& scale, const Tensor& weight, const Tensor& m, const Tensor& v,
                    const kernels::QuantisedWeight& out) {
  const char* where = "adamw_quantise";
  contract::adamw_quantise(where, config, gradient, scale, weight, m, v, out);
  const std::int64_t batch = weight.size(0), n = weight.size(1), k = weight.size(2);
  for (const auto& [name, t] : {std::pair{"weight", &weight}, std::pair{"gradient", &gradient},
                                std::pair{"m", &m}, std::pair{"v", &v}}) {
    require(reinterpret_cast<std::uintptr_t>(t->raw()) % 16 == 0, where,
            "expected {} at a multiple of 16 bytes", name);
  }
  require(batch <= 65535, where, "{} matrices are too many", batch);
  if (weight.numel() == 0) return;
  const e4m3::QuantisedWeight to{out.values.data<f8e4m3>(), out.scales.data<float>(),
                                 out.values_t.data<f8e4m3>(), out.scales_t.data<float>()};
  const dim3 grid = tiles(n, static_cast<int>(k), static_cast<int>(batch), where);
  require(m.dtype() == v.dtype(), where, "expected moments of one type");
  with_real(where, "m", m, [&]<class M>(M) {
    const Update<device_t<M>> p{adamw_step::Step(config), scale.data<double>(),
                                gradient.data<float>(),   weight.data<float>(),
                                device_data<M>(m),        device_data<M>(v)};
    adamw_quantise_kernel<<<grid, kThreads, 0, stream_of(context)>>>(p, static_cast<int>(n),
                                                                     static_cast<int>(k), to);
  });
  check_launch(where);
}
TESSERA_CUDA_OPERATION(adamw_quantise)

}  // namespace tessera::kernels::cuda
