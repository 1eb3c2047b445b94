// SPDX-License-Identifier: MIT
// Choosing the next token from logits.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/base/random.h"
#include "core/grammar/constraint.h"

namespace tessera {

inline constexpr double kMostTemperature = 100, kLeastPenalty = 0.01, kMostPenalty = 100;
inline constexpr double kMostBias = 100, kMostRepeatCost = 2;

struct SamplingOptions {
  double temperature = 0.8;         ///< 0: the most likely token; at most kMostTemperature
  std::int64_t top_k = 0;           ///< only the k most likely; 0: all
  double top_p = 0.95;              ///< only the smallest set with this probability; 1: all
  double min_p = 0.0;               ///< only those with this share of the best one's probability
  double repetition_penalty = 1.0;  ///< logits of tokens seen before: / if positive, * if negative
  double presence_penalty = 0.0;    ///< taken from the logits of tokens that the answer has
  double frequency_penalty = 0.0;   ///< the same, as often as the answer has them; -2 to 2 both
  /// Added to the logits of these ids, -kMostBias to kMostBias; before the penalties.
  std::vector<std::pair<std::int32_t, float>> logit_bias{};
  std::uint64_t seed = 0;
  /// Tokens of the vocabulary: ids from here on are padding rows and are never chosen. 0: no limit.
  std::int32_t vocabulary = 0;

  /// Throws Error that names the option which is out of its range, and the range.
  void validate() const;
};

/// What a choice depends on besides its logits, where it needs nothing of what was said before: the
/// rules of kernels/choose, which the device of the logits follows. The last is the vocabulary.
struct DeviceDraw {
  double scale = 0, top_k = 0, top_p = 1, min_p = 0, uniform = 0, vocabulary = 0;
};
/// Nothing where the options have a rule that needs the text so far, or a bias.
std::optional<DeviceDraw> device_draw(const SamplingOptions& options, std::uint64_t draw);

struct Candidate {
  std::int32_t id = 0;
  float probability = 0.f;  ///< after temperature, before top-k, top-p and min-p
};

struct Choice {
  Candidate chosen;
  std::vector<Candidate> best;  ///< the most likely ones, at most as many as asked for
};

/// The token for `draw`, the number of the token in its answer: the same options, logits and draw
/// give the same token. `seen` are the ids that the repetition penalty applies to; the last `draw`
/// of them are the answer's. `only`: tokens that may be chosen, of one or more; null: all. Others
/// have no part in any rule, and the probabilities are those among these. Throws Error when any of
/// the logits is NaN or infinite.
Choice sample(std::span<const float> logits, const SamplingOptions& options, std::uint64_t draw,
              std::span<const std::int32_t> seen = {}, std::size_t alternatives = 0,
              const TokenMask* only = nullptr);

/// Natural logarithms of what the model itself gives tokens, whatever the sampling.
struct TokenLogprobs {
  std::int32_t id = -1;
  float logprob = 0.f;
  std::vector<std::pair<std::int32_t, float>> best;  ///< the likeliest first
};

/// The logarithms for one token and for the `best` likeliest. `vocabulary` as in SamplingOptions.
/// Throws Error when any of the logits is NaN or infinite.
TokenLogprobs logprobs_of(std::span<const float> logits, std::int32_t id, std::size_t best,
                          std::int32_t vocabulary);

}  // namespace tessera
