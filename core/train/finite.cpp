// SPDX-License-Identifier: MIT
#include "core/train/finite.h"

#include <atomic>
#include <cstdint>

#include "core/base/threads.h"
#include "core/base/transfer.h"

namespace tessera {

namespace {
/// An infinity or a NaN has all bits of its exponent set. As integers, so that it becomes vector
/// code and no option of the compiler takes it for always false.
template <class Bits>
bool all_finite(const Bits* values, std::int64_t count, Bits exponent) {
  std::atomic<bool> finite{true};
  parallel_for(count, 1 << 18, [&](std::int64_t from, std::int64_t to) {
    bool good = true;
    for (std::int64_t i = from; i < to; ++i) good &= (values[i] & exponent) != exponent;
    if (!good) finite = false;
  });
  return finite;
}

bool is_floating_point(DType dtype) {
  return dtype == DType::F64 || dtype == DType::F32 || dtype == DType::BF16 || dtype == DType::F16;
}

bool is_finite(const Tensor& tensor) {
  if (tensor.numel() == 0 || !is_floating_point(tensor.dtype())) return true;
  if (!tensor.is_contiguous()) {  // a part of the rows of a larger tensor
    for (std::int64_t i = 0; i < tensor.size(0); ++i) {
      if (!is_finite(tensor[i])) return false;
    }
    return true;
  }
  const HostCopy host(tensor);
  const void* raw = host->raw();
  const std::int64_t count = host->numel();
  switch (tensor.dtype()) {
    case DType::F64:
      return all_finite<std::uint64_t>(static_cast<const std::uint64_t*>(raw), count,
                                       0x7ff0000000000000ull);
    case DType::F32:
      return all_finite<std::uint32_t>(static_cast<const std::uint32_t*>(raw), count, 0x7f800000u);
    case DType::BF16:
      return all_finite<std::uint16_t>(static_cast<const std::uint16_t*>(raw), count, 0x7f80u);
    default:
      return all_finite<std::uint16_t>(static_cast<const std::uint16_t*>(raw), count, 0x7c00u);
  }
}
}  // namespace

std::string first_not_finite(const CheckpointContents& contents) {
  for (const auto* tensors : {&contents.weights, &contents.optimiser}) {
    for (const NamedTensor& tensor : *tensors) {
      if (!is_finite(tensor.data)) return tensor.name;
    }
  }
  return {};
}

}  // namespace tessera
