// SPDX-License-Identifier: MIT
// Rotary embedding on the CPU, in parallel over tokens.
#include "kernels/rope/rope.h"

#include "core/base/error.h"
#include "core/base/threads.h"
#include "kernels/rope/rope_contract.h"

namespace tessera::kernels::cpu {

namespace {

/// Rotates the pairs of one vector of a head; `sign` is -1 for the transposed rotation.
template <class T>
void rotate(T* x, const float* cos, const float* sin, float sign, std::int64_t pairs) {
#pragma omp simd
  for (std::int64_t i = 0; i < pairs; ++i) {
    const T c = cos[i], s = sign * sin[i];
    const T x0 = x[2 * i], x1 = x[2 * i + 1];
    x[2 * i] = c * x0 - s * x1;
    x[2 * i + 1] = s * x0 + c * x1;
  }
}

template <class T>
void rotate_all(const Tensor& x, const Tensor& positions, const Tensor& cos, const Tensor& sin,
                float sign) {
  const std::int64_t tokens = x.size(0), heads = x.size(1), pairs = x.size(2) / 2;
  const auto* position = positions.data<std::int32_t>();
  const float *cos_data = cos.data<float>(), *sin_data = sin.data<float>();
  T* data = x.data<T>();
  parallel_for(tokens, 1 + 8192 / (1 + heads * pairs), [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t t = from; t < to; ++t) {
      const std::int64_t at = position[t];
      require(at >= 0 && at < cos.size(0), "rope", "token {} has position {} of {}", t, at,
              cos.size(0));
      for (std::int64_t h = 0; h < heads; ++h) {
        rotate(data + t * x.stride(0) + h * x.stride(1), cos_data + at * cos.stride(0),
               sin_data + at * sin.stride(0), sign, pairs);
      }
    }
  });
}

}  // namespace

void rope(Context&, const Tensor& x, const Tensor& positions, const Tensor& cos, const Tensor& sin,
          bool inverse) {
  contract::rope("rope", x, positions, cos, sin);
  const float sign = inverse ? -1.0f : 1.0f;
  if (x.dtype() == DType::F64) {
    rotate_all<double>(x, positions, cos, sin, sign);
  } else {
    rotate_all<float>(x, positions, cos, sin, sign);
  }
}

}  // namespace tessera::kernels::cpu
