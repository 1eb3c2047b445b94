// SPDX-License-Identifier: MIT
// Token by token: prompts in, choices out.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "core/infer/engine.h"
#include "core/infer/sampler.h"

namespace tessera {

struct GenerateOptions {
  SamplingOptions sampling;
  std::int64_t max_tokens = 256;
  std::vector<std::int32_t> stop;  ///< ids that end the answer; they are not part of it
  std::size_t alternatives = 0;    ///< candidates to report with every token
};

enum class StopReason : std::uint8_t { Stop, Length, Cancelled };

struct Generated {
  std::vector<std::int32_t> tokens;
  StopReason reason = StopReason::Length;
  std::int64_t prompt_tokens = 0;
  double prompt_seconds = 0, answer_seconds = 0;
};

/// Returns false to cancel.
using OnToken = std::function<bool(const Choice&)>;

/// Appends `prompt` to the sequence and then what is sampled. The last token sampled is not in the
/// cache yet when this returns, unless it was followed by another.
Generated generate(Engine& engine, CachedSequence& sequence, std::span<const std::int32_t> prompt,
                   const GenerateOptions& options, const OnToken& on_token = {});

/// Row `row` of logits as floats on the host.
std::vector<float> logits_row(const Tensor& logits, std::int64_t row);

}  // namespace tessera
