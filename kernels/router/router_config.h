// SPDX-License-Identifier: MIT
// How experts are chosen, as plain values: read by configurations, which link no kernel.
#pragma once

#include <cstdint>

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

}  // namespace tessera::kernels
