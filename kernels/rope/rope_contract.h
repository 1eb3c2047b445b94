// SPDX-License-Identifier: MIT
// What the operations of rope.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/arguments.h"
#include "kernels/rope/rope.h"

namespace tessera::kernels::contract {

inline void rope(const char* where, const Tensor& x, const Tensor& positions, const Tensor& cos,
                 const Tensor& sin) {
  require(x.rank() == 3 && x.size(2) % 2 == 0 && positions.numel() == x.size(0) &&
              cos.rank() == 2 && sin.rank() == 2 && 2 * cos.size(1) == x.size(2) &&
              sin.size(0) == cos.size(0) && sin.size(1) == cos.size(1),
          where, "x {}, positions {}, cos {} and sin {} do not go together", x.describe(),
          positions.describe(), cos.describe(), sin.describe());
}

}  // namespace tessera::kernels::contract
