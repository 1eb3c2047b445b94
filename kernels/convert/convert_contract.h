// SPDX-License-Identifier: MIT
// What the operations of convert.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/arguments.h"
#include "kernels/convert/convert.h"

namespace tessera::kernels::contract {

/// convert and add: two tensors of one shape.
inline void same_shape(const char* where, const Tensor& x, const Tensor& y) {
  require(x.rank() >= 1 && x.rank() <= 3, where, "expected rank 1 to 3, got {}", x.describe());
  if (x.rank() == 3) expect_shape(where, "y", y, {x.size(0), x.size(1), x.size(2)});
  if (x.rank() == 2) expect_shape(where, "y", y, {x.size(0), x.size(1)});
  if (x.rank() == 1) expect_shape(where, "y", y, {x.size(0)});
  require(x.size(-1) <= 1 || x.stride(-1) == 1, where,
          "expected x with a contiguous last dimension, got {} with other strides", x.describe());
}

inline void split_terms(const char* where, const Tensor& x, const Tensor& y) {
  expect_shape(where, "x", x, {-1, -1});
  expect_contiguous(where, "x", x);
  expect_shape(where, "y", y, {6, x.size(0), x.size(1)});
}

}  // namespace tessera::kernels::contract
