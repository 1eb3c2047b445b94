// SPDX-License-Identifier: MIT
// Choosing experts: affinities, group-limited top-k with the selection bias, and gate weights
// (DeepSeek-V3 report, section 2.1.2, eq. 13 to 16; node-limited routing).
#pragma once

#include "core/base/op.h"
#include "kernels/router/router_config.h"

namespace tessera::kernels {

namespace cpu {
/// From logits (tokens, experts), F32 or F64, and bias (experts) F32, which decides selection only:
///   scores (tokens, experts): s, as logits;
///   picks (tokens, top_k) I32: by falling s + b; the lower index wins a tie;
///   weights (tokens, top_k), as logits: g = s / sum of the picked s (if normalise) * scale.
/// Throws Error when a logit is not finite, naming the token.
void router_forward(Context& context, const Tensor& logits, const Tensor& bias,
                    const RouterConfig& config, const Tensor& scores, const Tensor& picks,
                    const Tensor& weights);

/// d_logits (tokens, experts), written, from d_weights (tokens, top_k). Picks are constants.
/// `d_scores` (tokens, experts) may be absent; it is a gradient of the scores from elsewhere (the
/// balance loss), added before the scoring function's derivative.
void router_backward(Context& context, const Tensor& d_weights, const Tensor& d_scores,
                     const Tensor& scores, const Tensor& picks, const RouterConfig& config,
                     const Tensor& d_logits);
}  // namespace cpu

inline const Op<decltype(cpu::router_forward)> router_forward{"router_forward",
                                                              cpu::router_forward};
inline const Op<decltype(cpu::router_backward)> router_backward{"router_backward",
                                                                cpu::router_backward};

}  // namespace tessera::kernels
