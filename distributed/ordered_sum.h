// SPDX-License-Identifier: MIT
// Sums over ranks in the order of ranks: every transport on the CPU has the same bits.
#pragma once

#include <cstdint>
#include <span>

#include "core/base/dtype.h"
#include "core/base/error.h"
#include "core/base/threads.h"

namespace tessera {

/// Calls work(T{}) for the element type of a sum.
template <class Work>
void for_sum_type(DType type, const Work& work) {
  switch (type) {
    case DType::F32:
      return work(float{});
    case DType::F64:
      return work(double{});
    case DType::I64:
      return work(std::int64_t{});
    default:
      throw Error("ranks", fmt::format("cannot sum {}", name_of(type)));
  }
}

/// to[i] = ranks[0][i] + ranks[1][i] + ...: `to` may be one of them.
template <class T>
void sum_in_order(std::span<const T* const> ranks, T* to, std::int64_t count) {
  parallel_for(count, 1 << 15, [&](std::int64_t from, std::int64_t end) {
    for (std::int64_t i = from; i < end; ++i) {
      T sum = ranks[0][i];
      for (std::size_t rank = 1; rank < ranks.size(); ++rank) sum += ranks[rank][i];
      to[i] = sum;
    }
  });
}

}  // namespace tessera
