// SPDX-License-Identifier: MIT
// What the operations of mla_key.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/arguments.h"
#include "kernels/mla_key/mla_key.h"

namespace tessera::kernels::contract {

/// Both operations: keys or their gradients, whose part without position may be absent.
inline void mla_key(const char* where, const Tensor& k, const Tensor& nope, const Tensor& rope) {
  require(k.rank() == 3 && rope.rank() == 2 && rope.size(0) == k.size(0) &&
              (!nope || (nope.size(0) == k.size(0) && nope.size(1) == k.size(1))) &&
              k.size(2) == (nope ? nope.size(2) : 0) + rope.size(1),
          where, "{}, {} and {} do not go together", k.describe(),
          nope ? nope.describe() : "nothing", rope.describe());
}

}  // namespace tessera::kernels::contract
