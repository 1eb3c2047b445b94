// SPDX-License-Identifier: MIT
// Token by token: prompts in, choices out.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "core/infer/engine.h"
#include "core/infer/sampler.h"

namespace tessera {

/// As max_tokens: until the model ends its answer or the context is full.
inline constexpr std::int64_t kNoTokenLimit = -1;

struct GenerateOptions {
  SamplingOptions sampling;
  std::int64_t max_tokens = 256;   ///< longest answer; kNoTokenLimit: no limit
  std::vector<std::int32_t> stop;  ///< ids that end the answer; they are not part of it
  std::size_t alternatives = 0;    ///< candidates to report with every token

  /// Ids that the sequence holds already: the repetition penalty counts them too.
  std::vector<std::int32_t> before;
  /// Number of the first token in its answer, where the prompt ends with the answer's beginning.
  std::uint64_t first_draw = 0;
  /// Every token is read by the model before on_token hears of it: its experts are known then.
  bool read_before_telling = false;

  /// Throws Error that names the option which is out of its range, and the range.
  void validate() const;
};

/// `Full`: the model's positions or the cache are used up.
enum class StopReason : std::uint8_t { Stop, Length, Cancelled, Full };

struct Generated {
  std::vector<std::int32_t> tokens;
  StopReason reason = StopReason::Length;
  std::int64_t prompt_tokens = 0;
  double prompt_seconds = 0, answer_seconds = 0;
};

/// Returns false to cancel.
using OnToken = std::function<bool(const Choice&)>;
/// How many tokens of the prompt were read, of how many. Returns false to cancel.
using OnRead = std::function<bool(std::int64_t read, std::int64_t total)>;

/// Appends `prompt` to the sequence and then what is sampled. The last token sampled is not in the
/// cache yet when this returns, unless it was followed by another or read before telling. Throws
/// Error, with the sequence as before, when the prompt is empty or there is no room for it.
Generated generate(Engine& engine, CachedSequence& sequence, std::span<const std::int32_t> prompt,
                   const GenerateOptions& options, const OnToken& on_token = {},
                   const OnRead& on_read = {});

/// Row `row` of logits as floats on the host.
std::vector<float> logits_row(const Tensor& logits, std::int64_t row);

}  // namespace tessera
