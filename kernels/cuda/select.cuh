// SPDX-License-Identifier: MIT
// The largest of some hundred values by one warp, with the CPU's order (kernels/top_k.h): falling
// values, and of equal ones the lower index first.
#pragma once

#include <cstdint>

#include "kernels/cuda/reduce.cuh"

namespace tessera::kernels::cuda {

/// An unsigned integer that orders as the value does; above 0 for every value. 0 and -0 are equal,
/// NaN comes last.
__device__ inline std::uint32_t order_of(float value) {
  if (isnan(value)) return 1;
  const std::uint32_t bits = __float_as_uint(value + 0.0f);
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

/// Calls emit(i, index) in all lanes for the i-th largest of orders[0, count), i in [0, wanted).
/// `orders` is the warp's own shared memory, visible to all its lanes; chosen ones become 0.
template <class Emit>
__device__ inline void select_largest(std::uint32_t* orders, int count, int wanted, Emit emit) {
  const int lane = threadIdx.x % kWarp;
  // The best of the lane's own entries (lane, lane + 32, ...).
  std::uint32_t best = 0;
  int at = lane;
  const auto search = [&] {
    best = 0;
    for (int i = lane; i < count; i += kWarp) {
      const std::uint32_t order = orders[i];
      if (order > best) {
        best = order;
        at = i;
      }
    }
  };
  search();
  for (int i = 0; i < wanted; ++i) {
    const std::uint32_t most = __reduce_max_sync(kAllLanes, best);
    const unsigned candidate = best == most ? static_cast<unsigned>(at) : 0xffffffffu;
    const int chosen = static_cast<int>(__reduce_min_sync(kAllLanes, candidate));
    emit(i, chosen);
    if (chosen == at && best == most) {
      orders[chosen] = 0;
      search();
    }
  }
  __syncwarp();
}

}  // namespace tessera::kernels::cuda
