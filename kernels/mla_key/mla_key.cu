// SPDX-License-Identifier: MIT
// Keys of MLA's plain form on the GPU: one block per token.
#include "kernels/mla_key/mla_key.h"

#include "kernels/cuda/pack.cuh"
#include "kernels/mla_key/mla_key_contract.h"

namespace tessera::kernels::cuda {

namespace {
constexpr std::int64_t kWarp = 32;

/// A tensor (tokens, heads, d) or, with no head stride, (tokens, d).
template <class T>
struct Heads {
  T* data;
  std::int64_t token_stride, head_stride;
};
template <class T>
Heads<device_t<T>> heads_of(const Tensor& t) {
  if (!t) return {};
  return {device_data<T>(t), t.stride(0), t.rank() == 3 ? t.stride(1) : 0};
}

/// Widths in packs: one head's part without position, and the rotary part.
struct Sizes {
  std::int64_t tokens;
  int heads, nope, rope;
};

template <int N, class T, class R>
__global__ void __launch_bounds__(256)
    join_kernel(Heads<T> nope, Heads<R> rope, Heads<T> k, Sizes size) {
  const std::int64_t token = blockIdx.x;
  const int width = size.nope + size.rope;
  for (int i = threadIdx.x; i < size.heads * width; i += blockDim.x) {
    const int head = i / width, pack = i % width;
    T* to = k.data + token * k.token_stride + head * k.head_stride + pack * N;
    if (pack < size.nope) {
      const T* from = nope.data + token * nope.token_stride + head * nope.head_stride + pack * N;
      store_pack<N>(to, load_pack<N>(from));
    } else {
      float v[N];
      load<N>(rope.data + token * rope.token_stride + (pack - size.nope) * N, v);
      save<N>(to, v);
    }
  }
}

template <int N, class T, class R>
__global__ void __launch_bounds__(256)
    split_kernel(Heads<T> dk, Heads<T> d_nope, Heads<R> d_rope, Sizes size) {
  const std::int64_t token = blockIdx.x;
  const T* from = dk.data + token * dk.token_stride;
  // The rotary part first: its sums take longest.
  for (int pack = threadIdx.x; pack < size.rope; pack += blockDim.x) {
    float sum[N] = {};
#pragma unroll 8
    for (int head = 0; head < size.heads; ++head) {
      float v[N];
      load<N>(from + head * dk.head_stride + (size.nope + pack) * N, v);
#pragma unroll
      for (int i = 0; i < N; ++i) sum[i] += v[i];
    }
    save<N>(d_rope.data + token * d_rope.token_stride + pack * N, sum);
  }
  for (int i = threadIdx.x; i < size.heads * size.nope; i += blockDim.x) {
    const int head = i / size.nope, pack = i % size.nope;
    store_pack<N>(d_nope.data + token * d_nope.token_stride + head * d_nope.head_stride + pack * N,
                  load_pack<N>(from + head * dk.head_stride + pack * N));
  }
}

/// Checks the three, keys or their gradients, and calls
/// launch(PackSize, T of keys, R of rotary parts, Sizes, threads).
template <class Launch>
void run(const char* where, const Tensor& k, const Tensor& nope, const Tensor& rope,
         Launch&& launch) {
  contract::mla_key(where, k, nope, rope);
  const std::int64_t d_nope = nope ? nope.size(2) : 0;
  if (nope) expect_dtype(where, "the part without position", nope, k.dtype());
  if (k.numel() == 0) return;
  const auto with_types = [&]<class T, class R>(T type, R rotary) {
    with_packs<kPack<T>>({&k, nope ? &nope : &k, &rope}, [&](auto n) {
      constexpr int N = decltype(n)::value;
      const Sizes size{k.size(0), static_cast<int>(k.size(1)), static_cast<int>(d_nope / N),
                       static_cast<int>(rope.size(1) / N)};
      const std::int64_t items = size.heads * std::int64_t{size.nope + size.rope};
      const auto threads = std::min<std::int64_t>(256, (items + kWarp - 1) / kWarp * kWarp);
      launch(n, type, rotary, size, static_cast<unsigned>(threads));
    });
  };
  if (k.dtype() == DType::BF16 && rope.dtype() == DType::BF16) {
    with_types(bf16{}, bf16{});
  } else {
    expect_dtype(where, "the rotary part", rope, DType::F32);
    with_real(where, "k", k, [&]<class T>(T type) { with_types(type, float{}); });
  }
  check_launch(where);
}
}  // namespace

void mla_key_forward(Context& context, const Tensor& k_nope, const Tensor& k_rope,
                     const Tensor& k) {
  run("mla_key_forward", k, k_nope, k_rope,
      [&]<class T, class R>(auto n, T, R, const Sizes& size, unsigned threads) {
        join_kernel<decltype(n)::value>
            <<<static_cast<unsigned>(size.tokens), threads, 0, stream_of(context)>>>(
                heads_of<T>(k_nope), heads_of<R>(k_rope), heads_of<T>(k), size);
      });
}
TESSERA_CUDA_OPERATION(mla_key_forward)

void mla_key_backward(Context& context, const Tensor& dk, const Tensor& dk_nope,
                      const Tensor& dk_rope) {
  run("mla_key_backward", dk, dk_nope, dk_rope,
      [&]<class T, class R>(auto n, T, R, const Sizes& size, unsigned threads) {
        split_kernel<decltype(n)::value>
            <<<static_cast<unsigned>(size.tokens), threads, 0, stream_of(context)>>>(
                heads_of<T>(dk), heads_of<T>(dk_nope), heads_of<R>(dk_rope), size);
      });
}
TESSERA_CUDA_OPERATION(mla_key_backward)

}  // namespace tessera::kernels::cuda
