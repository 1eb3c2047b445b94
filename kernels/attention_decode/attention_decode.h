// SPDX-License-Identifier: MIT
// Decoding over the paged latent cache in the absorbed form (DeepSeek-V2 report, arXiv:2405.04434,
// section 2.1.2 and appendix; DeepSeek-V3 report, section 2.1.1): keys are [latent; rotary key] and
// values the latent alone, shared by all heads.
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

namespace cpu {
/// o[n, h] = sum_j softmax_j(scale q[n, h] . cache_j) cache_j[0 : d_latent], j < lengths[n].
/// q (rows, heads, d_latent + d_rope), o (rows, heads, d_latent): F32 or F64, rows and heads may be
/// strided. cache (pages, page_tokens, d_latent + d_rope): type of q, or BF16 with F32. On the GPU
/// q and o may also be BF16, with any cache; on Hopper weights are then rounded to BF16 and the
/// order of a row's sums depends on the size of its batch. pages (rows, max_pages) I32: position j
/// of row n is in cache[pages[n, j / page_tokens], j % page_tokens]. lengths (rows) I32 >= 1: how
/// many positions row n sees, its own included.
void attention_decode(Context& context, const Tensor& q, const Tensor& cache, const Tensor& pages,
                      const Tensor& lengths, float scale, const Tensor& o);

/// The same, but on every device the order of a row's sums depends on its length alone: it gives
/// the same bits whatever rows are beside it.
void attention_decode_alone(Context& context, const Tensor& q, const Tensor& cache,
                            const Tensor& pages, const Tensor& lengths, float scale,
                            const Tensor& o);
}  // namespace cpu

inline const Op<decltype(cpu::attention_decode)> attention_decode{"attention_decode",
                                                                  cpu::attention_decode};
inline const Op<decltype(cpu::attention_decode_alone)> attention_decode_alone{
    "attention_decode_alone", cpu::attention_decode_alone};

}  // namespace tessera::kernels
