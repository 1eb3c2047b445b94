// SPDX-License-Identifier: MIT
// Puts new tokens into the paged latent cache of MLA.
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

namespace cpu {
/// cache row slots[t] = [latent[t]; k_rope[t]], where row i of cache (pages, page_tokens,
/// d_latent + d_rope) is token i % page_tokens of page i / page_tokens. latent (T, d_latent) F32,
/// BF16 or F64, k_rope (T, d_rope) F32 or F64, token strides free; slots (T) I32, all different;
/// cache contiguous, F32, BF16 (rounded to nearest even) or F64.
/// Throws Error for a slot outside the cache.
void cache_write(Context& context, const Tensor& latent, const Tensor& k_rope, const Tensor& slots,
                 const Tensor& cache);
}  // namespace cpu

inline const Op<decltype(cpu::cache_write)> cache_write{"cache_write", cpu::cache_write};

}  // namespace tessera::kernels
