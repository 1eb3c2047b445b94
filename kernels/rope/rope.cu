// SPDX-License-Identifier: MIT
// Rotary embedding on the GPU. A thread takes some pairs of a token through several heads,
// with their cosines and sines in registers.
#include "kernels/rope/rope.h"

#include "kernels/cuda/pack.cuh"
#include "kernels/rope/rope_contract.h"

namespace tessera::kernels::cuda {

namespace {
constexpr int kHeadsPerThread = 8;

template <class T>
struct Heads {
  T* data;
  std::int64_t token_stride, head_stride;
  std::int64_t tokens, heads;
};

struct Angles {
  const float *cos, *sin;
  std::int64_t cos_stride, sin_stride, positions;
  float sign;  ///< -1 for the transposed rotation
};

/// V elements from packs of N.
template <int N, int V, class T>
__device__ inline void load_all(const T* from, float (&to)[V]) {
#pragma unroll
  for (int at = 0; at < V; at += N) {
    float part[N];
    load<N>(from + at, part);
#pragma unroll
    for (int i = 0; i < N; ++i) to[at + i] = part[i];
  }
}
template <int N, int V, class T>
__device__ inline void save_all(T* to, const float (&from)[V]) {
#pragma unroll
  for (int at = 0; at < V; at += N) {
    float part[N];
#pragma unroll
    for (int i = 0; i < N; ++i) part[i] = from[at + i];
    save<N>(to + at, part);
  }
}

/// A thread has V elements of each of its heads: a pack of N = 4, or a pair that nothing aligns.
template <int N, int V, class T>
__global__ void __launch_bounds__(256)
    rope_kernel(Heads<T> x, std::int64_t groups, const std::int32_t* positions, Angles angles,
                tessera::cuda::Fault fault) {
  const std::int64_t token = grid_row();
  const std::int64_t item = grid_pack(), group = item % groups, first = item / groups;
  if (token >= x.tokens || first * kHeadsPerThread >= x.heads) return;
  const std::int64_t position = positions[token];
  if (position < 0 || position >= angles.positions) {
    if (item == 0) fault.raise(static_cast<unsigned>(token));
    return;
  }
  float c[V / 2], s[V / 2];
#pragma unroll
  for (int i = 0; i < V / 2; ++i) {
    c[i] = angles.cos[position * angles.cos_stride + group * (V / 2) + i];
    s[i] = angles.sign * angles.sin[position * angles.sin_stride + group * (V / 2) + i];
  }
  T* at = x.data + token * x.token_stride + first * kHeadsPerThread * x.head_stride + group * V;
  const std::int64_t left = x.heads - first * kHeadsPerThread;
#pragma unroll
  for (int head = 0; head < kHeadsPerThread; ++head) {
    if (head >= left) break;
    T* pairs = at + head * x.head_stride;
    float v[V];
    load_all<N>(pairs, v);
#pragma unroll
    for (int i = 0; i < V; i += 2) {
      const float x0 = v[i], x1 = v[i + 1];
      v[i] = c[i / 2] * x0 - s[i / 2] * x1;
      v[i + 1] = s[i / 2] * x0 + c[i / 2] * x1;
    }
    save_all<N>(pairs, v);
  }
}
}  // namespace

void rope(Context& context, const Tensor& x, const Tensor& positions, const Tensor& cos,
          const Tensor& sin, bool inverse) {
  contract::rope("rope", x, positions, cos, sin);
  if (x.numel() == 0) return;
  const Angles angles{cos.data<float>(), sin.data<float>(), cos.stride(0),
                      sin.stride(0),     cos.size(0),       inverse ? -1.0f : 1.0f};
  const auto fault =
      tessera::cuda::fault("rope", "the position of token {} is outside the table of angles");
  with_real("rope", "x", x, [&]<class T>(T) {
    const Heads<device_t<T>> heads{device_data<T>(x), x.stride(0), x.stride(1), x.size(0),
                                   x.size(1)};
    with_packs<4>({&x}, [&](auto n) {
      constexpr int N = decltype(n)::value, V = N == 1 ? 2 : N;
      const std::int64_t groups = x.size(2) / V;
      const RowGrid grid(x.size(0), groups * ((x.size(1) + kHeadsPerThread - 1) / kHeadsPerThread));
      rope_kernel<N, V><<<grid.grid, grid.block, 0, stream_of(context)>>>(
          heads, groups, positions.data<std::int32_t>(), angles, fault);
    });
  });
  check_launch("rope");
}
TESSERA_CUDA_OPERATION(rope)

}  // namespace tessera::kernels::cuda
