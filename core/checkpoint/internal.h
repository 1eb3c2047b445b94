// SPDX-License-Identifier: MIT
// Shared by the sources of this folder: walking strided views, shapes as text, nearest names.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/base/memory.h"
#include "core/base/tensor.h"

namespace tessera::checkpoint_internal {

inline std::vector<std::int64_t> shape_of(const Tensor& tensor) {
  std::vector<std::int64_t> shape;
  for (int dim = 0; dim < tensor.rank(); ++dim) shape.push_back(tensor.size(dim));
  return shape;
}

/// A scalar and a vector of one element are the same to us: Tensor has no rank 0.
inline bool same_shape(const std::vector<std::int64_t>& stored, const Tensor& tensor) {
  if (stored.empty()) return tensor.rank() == 1 && tensor.size(0) == 1;
  return stored == shape_of(tensor);
}

/// Calls run(first byte, elements) on the contiguous pieces of a view, in row-major order.
template <class Run>
void for_each_run(const Tensor& tensor, Run&& run) {
  if (tensor.numel() == 0) return;
  auto* data = static_cast<std::byte*>(tensor.raw());
  if (tensor.is_contiguous()) {
    run(data, tensor.numel());
    return;
  }
  const int last = tensor.rank() - 1;
  require(tensor.size(last) == 1 || tensor.stride(last) == 1, "checkpoint",
          "the last dimension of {} is not contiguous", tensor.describe());
  std::array<std::int64_t, Tensor::kMaxRank> at{};
  const auto element = static_cast<std::int64_t>(size_of(tensor.dtype()));
  for (int dim = last; dim >= 0;) {
    std::int64_t offset = 0;
    for (int d = 0; d < last; ++d) offset += at[static_cast<std::size_t>(d)] * tensor.stride(d);
    run(data + offset * element, tensor.size(last));
    for (dim = last - 1; dim >= 0; --dim) {  // the next row, as an odometer
      if (++at[static_cast<std::size_t>(dim)] < tensor.size(dim)) break;
      at[static_cast<std::size_t>(dim)] = 0;
    }
  }
}

/// Copies between the memory of the host and of `device`.
inline void copy_bytes(Device device, void* to, const void* from, std::size_t bytes) {
  if (device == Device::Cpu) {
    std::copy_n(static_cast<const std::byte*>(from), bytes, static_cast<std::byte*>(to));
    return;
  }
  require(cuda_memory().copy != nullptr, "checkpoint",
          "a tensor lies on the GPU, and no GPU backend is loaded");
  cuda_memory().copy(to, from, bytes);
}

inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

/// "the nearest is "..."", or empty when no name is near.
template <class Names>
std::string nearest_hint(std::string_view name, const Names& names) {
  std::size_t least = name.size() / 2 + 1;
  std::string nearest;
  for (std::string_view candidate : names) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest.empty() ? std::string{} : fmt::format("the nearest name is \"{}\"", nearest);
}

}  // namespace tessera::checkpoint_internal
