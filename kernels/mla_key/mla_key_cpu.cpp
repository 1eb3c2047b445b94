// SPDX-License-Identifier: MIT
// Keys of MLA's plain form on the CPU, in parallel over tokens.
#include "kernels/mla_key/mla_key.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/threads.h"
#include "kernels/mla_key/mla_key_contract.h"

namespace tessera::kernels::cpu {

namespace {

struct Sizes {
  std::int64_t tokens, heads, d_nope, d_rope;

  /// `k`, `nope` and `rope` are keys or their gradients.
  Sizes(const Tensor& k, const Tensor& nope, const Tensor& rope)
      : tokens(k.size(0)),
        heads(k.size(1)),
        d_nope(nope ? nope.size(2) : 0),
        d_rope(rope.size(1)) {}
  /// Tokens that are worth a thread.
  std::int64_t grain() const { return 1 + 16384 / (1 + heads * (d_nope + d_rope)); }
};

template <class T>
void join(const Tensor& k_nope, const Tensor& k_rope, const Tensor& k) {
  const Sizes s(k, k_nope, k_rope);
  const T *nope = k_nope.data<T>(), *rope = k_rope.data<T>();
  T* out = k.data<T>();
  parallel_for(s.tokens, s.grain(), [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t t = from; t < to; ++t) {
      for (std::int64_t h = 0; h < s.heads; ++h) {
        T* key = out + t * k.stride(0) + h * k.stride(1);
        std::copy_n(nope + t * k_nope.stride(0) + h * k_nope.stride(1), s.d_nope, key);
        std::copy_n(rope + t * k_rope.stride(0), s.d_rope, key + s.d_nope);
      }
    }
  });
}

template <class T>
void split(const Tensor& dk, const Tensor& dk_nope, const Tensor& dk_rope) {
  const Sizes s(dk, dk_nope, dk_rope);
  const T* in = dk.data<T>();
  T *nope = dk_nope ? dk_nope.data<T>() : nullptr, *rope = dk_rope.data<T>();
  parallel_for(s.tokens, s.grain(), [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t t = from; t < to; ++t) {
      T* sum = rope + t * dk_rope.stride(0);
      std::fill_n(sum, s.d_rope, T(0));
      for (std::int64_t h = 0; h < s.heads; ++h) {
        const T* key = in + t * dk.stride(0) + h * dk.stride(1);
        if (nope) std::copy_n(key, s.d_nope, nope + t * dk_nope.stride(0) + h * dk_nope.stride(1));
#pragma omp simd
        for (std::int64_t i = 0; i < s.d_rope; ++i) sum[i] += key[s.d_nope + i];
      }
    }
  });
}

}  // namespace

void mla_key_forward(Context&, const Tensor& k_nope, const Tensor& k_rope, const Tensor& k) {
  contract::mla_key("mla_key_forward", k, k_nope, k_rope);
  if (k.dtype() == DType::F64) {
    join<double>(k_nope, k_rope, k);
  } else {
    join<float>(k_nope, k_rope, k);
  }
}

void mla_key_backward(Context&, const Tensor& dk, const Tensor& dk_nope, const Tensor& dk_rope) {
  contract::mla_key("mla_key_backward", dk, dk_nope, dk_rope);
  if (dk.dtype() == DType::F64) {
    split<double>(dk, dk_nope, dk_rope);
  } else {
    split<float>(dk, dk_nope, dk_rope);
  }
}

}  // namespace tessera::kernels::cpu
