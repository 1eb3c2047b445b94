// SPDX-License-Identifier: MIT
#include "core/infer/generate.h"

#include <algorithm>
#include <chrono>

namespace tessera {

std::vector<float> logits_row(const Tensor& logits, std::int64_t row) {
  const Tensor one = logits[row];
  std::vector<float> values(static_cast<std::size_t>(one.numel()));
  if (one.device() == Device::Cuda) {
    cuda_memory().copy(values.data(), one.raw(), one.bytes());
  } else if (one.dtype() == DType::F64) {
    std::transform(one.data<double>(), one.data<double>() + one.numel(), values.begin(),
                   [](double x) { return static_cast<float>(x); });
  } else {
    std::copy_n(one.data<float>(), one.numel(), values.begin());
  }
  return values;
}

namespace {
double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}
}  // namespace

Generated generate(Engine& engine, CachedSequence& sequence, std::span<const std::int32_t> prompt,
                   const GenerateOptions& options, const OnToken& on_token) {
  options.sampling.validate();
  Generated out;
  out.prompt_tokens = static_cast<std::int64_t>(prompt.size());
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::int32_t> seen(prompt.begin(), prompt.end());
  std::vector<float> logits = logits_row(engine.append(sequence, prompt), 0);
  out.prompt_seconds = seconds_since(start);
  const std::int64_t room = engine.model().config().max_position_embeddings;
  while (static_cast<std::int64_t>(out.tokens.size()) < options.max_tokens) {
    const Choice choice =
        sample(logits, options.sampling, out.tokens.size(), seen, options.alternatives);
    const std::int32_t id = choice.chosen.id;
    if (std::find(options.stop.begin(), options.stop.end(), id) != options.stop.end()) {
      out.reason = StopReason::Stop;
      break;
    }
    out.tokens.push_back(id);
    seen.push_back(id);
    if (on_token && !on_token(choice)) {
      out.reason = StopReason::Cancelled;
      break;
    }
    const bool more = static_cast<std::int64_t>(out.tokens.size()) < options.max_tokens;
    if (!more || sequence.length() >= room) break;
    logits = logits_row(engine.append(sequence, std::span(&id, 1)), 0);
  }
  out.answer_seconds = seconds_since(start) - out.prompt_seconds;
  return out;
}

}  // namespace tessera
