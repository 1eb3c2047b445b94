// SPDX-License-Identifier: MIT
// What the operations of cache_write.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/arguments.h"
#include "kernels/cache_write/cache_write.h"

namespace tessera::kernels::contract {

inline void cache_write(const char* where, const Tensor& latent, const Tensor& k_rope,
                        const Tensor& slots, const Tensor& cache) {
  require(cache.rank() == 3 && cache.is_contiguous() &&
              cache.size(2) == latent.size(1) + k_rope.size(1) && latent.size(0) == slots.size(0) &&
              k_rope.size(0) == slots.size(0),
          where, "latent {}, rotary key {} and slots {} do not fit the cache {}", latent.describe(),
          k_rope.describe(), slots.describe(), cache.describe());
}

}  // namespace tessera::kernels::contract
