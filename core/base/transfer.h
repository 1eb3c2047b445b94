// SPDX-License-Identifier: MIT
// Copies between tensors of any device and the host. They wait for the device.
#pragma once

#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/base/memory.h"

namespace tessera {

/// The elements of a contiguous tensor, in host memory at `to`.
inline void copy_to_host(const Tensor& x, void* to) {
  require(x.is_contiguous(), "copy", "expected {} to be contiguous", x.describe());
  if (x.bytes() == 0) return;
  if (x.device() == Device::Cuda) {
    cuda_memory().copy(to, x.raw(), x.bytes());
  } else {
    std::memcpy(to, x.raw(), x.bytes());
  }
}

/// Fills a contiguous tensor from host memory.
inline void copy_from_host(const void* from, const Tensor& x) {
  require(x.is_contiguous(), "copy", "expected {} to be contiguous", x.describe());
  if (x.bytes() == 0) return;
  if (x.device() == Device::Cuda) {
    cuda_memory().copy(x.raw(), from, x.bytes());
  } else {
    std::memcpy(x.raw(), from, x.bytes());
  }
}

/// The elements of a contiguous tensor of T.
template <class T>
std::vector<T> host_values(const Tensor& x) {
  x.data<T>();  // throws where T is not the type
  std::vector<T> values(static_cast<std::size_t>(x.numel()));
  copy_to_host(x, values.data());
  return values;
}

/// A contiguous tensor in host memory: the tensor itself where it is there, else a copy that lives
/// as long as this.
class HostCopy {
 public:
  explicit HostCopy(const Tensor& x) {
    if (x.device() == Device::Cpu || x.numel() == 0) {
      tensor_ = x;
      return;
    }
    memory_ = Buffer(x.bytes());
    copy_to_host(x, memory_.data());
    const auto n = [&](int dim) { return x.size(dim); };
    switch (x.rank()) {
      case 1:
        tensor_ = memory_.view(x.dtype(), {n(0)});
        break;
      case 2:
        tensor_ = memory_.view(x.dtype(), {n(0), n(1)});
        break;
      case 3:
        tensor_ = memory_.view(x.dtype(), {n(0), n(1), n(2)});
        break;
      default:
        tensor_ = memory_.view(x.dtype(), {n(0), n(1), n(2), n(3)});
    }
  }
  const Tensor& operator*() const { return tensor_; }
  const Tensor* operator->() const { return &tensor_; }

 private:
  Buffer memory_;
  Tensor tensor_;
};

}  // namespace tessera
