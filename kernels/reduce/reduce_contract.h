// SPDX-License-Identifier: MIT
// What the operations of reduce.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/arguments.h"
#include "kernels/reduce/reduce.h"

namespace tessera::kernels::contract {

inline void sum(const char* where, const Tensor& x, const Tensor& total) {
  require(x.is_contiguous() && total.numel() == 1, where, "cannot sum {} into {}", x.describe(),
          total.describe());
}

inline void add_counts(const char* where, const Tensor& counts, const Tensor& total) {
  require(counts.numel() == total.numel() && counts.is_contiguous() && total.is_contiguous(), where,
          "{} does not add to {}", counts.describe(), total.describe());
}

}  // namespace tessera::kernels::contract
