// SPDX-License-Identifier: MIT
// Choosing experts: affinities, group-limited top-k with the selection bias, and gate weights
// (DeepSeek-V3 report, section 2.1.2, eq. 13 to 16; node-limited routing).
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

enum class Scoring : std::uint8_t {
  Sigmoid,  ///< s = sigmoid(logit): DeepSeek-V3
  Softmax,  ///< s = softmax(logits): DeepSeek-V2 and V2-Lite
};

enum class GroupScore : std::uint8_t {
  TopTwoSum,  ///< the sum of the group's two largest s + b: DeepSeek-V3
  Max,        ///< the largest s + b: DeepSeek-V2
};

struct RouterConfig {
  Scoring scoring = Scoring::Sigmoid;
  GroupScore group_score = GroupScore::TopTwoSum;
  int groups = 1;       ///< experts are split evenly into groups
  int kept_groups = 1;  ///< experts are chosen from the best `kept_groups` of them
  int top_k = 1;
  bool normalise = true;  ///< weights of a token sum to `scale`
  float scale = 1.f;      ///< the routed scaling factor
  /// The transformers library masks experts of dropped groups with 0 instead of minus infinity (an
  /// expert with s + b < 0 then loses to a masked one) and adds 1e-20 to the sum it divides by.
  bool transformers_masking = false;
  /// Experts take turns, whatever the logits: the i-th pick of token t is (t top_k + i) mod
  /// experts. For benchmarks, whose random models balance worse than trained ones.
  bool in_turn = false;
};

constexpr std::int32_t pick_in_turn(std::int64_t token, int i, int top_k, std::int64_t experts) {
  return static_cast<std::int32_t>((token * top_k + i) % experts);
}

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
