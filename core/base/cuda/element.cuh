// SPDX-License-Identifier: MIT
// Elements of tensors in kernels: BF16 as CUDA spells it, and loads and stores that compute in
// float.
#pragma once

#include <cuda_bf16.h>

#include "core/base/dtype.h"
#include "core/base/tensor.h"

namespace tessera::cuda {

/// The device type of an element type: float for float, __nv_bfloat16 for bf16.
template <class T>
struct DeviceElement {
  using Type = T;
};
template <>
struct DeviceElement<bf16> {
  using Type = __nv_bfloat16;
};
template <class T>
using device_t = typename DeviceElement<T>::Type;

/// tensor.data<T>() as a pointer that kernels take.
template <class T>
device_t<T>* device_data(const Tensor& tensor) {
  return reinterpret_cast<device_t<T>*>(tensor.data<T>());
}

__device__ inline float to_float(float value) {
  return value;
}
__device__ inline float to_float(__nv_bfloat16 value) {
  return __bfloat162float(value);
}

/// to = value, rounded to nearest even.
__device__ inline void store(float& to, float value) {
  to = value;
}
__device__ inline void store(__nv_bfloat16& to, float value) {
  to = __float2bfloat16_rn(value);
}
__device__ inline void store(double& to, float value) {
  to = value;
}

}  // namespace tessera::cuda

namespace tessera::kernels::cuda {
using tessera::cuda::device_data;
using tessera::cuda::device_t;
using tessera::cuda::store;
using tessera::cuda::to_float;
}  // namespace tessera::kernels::cuda
