// SPDX-License-Identifier: MIT
#include "core/infer/generate.h"

#include <algorithm>
#include <chrono>

#include "core/base/error.h"

namespace tessera {

void GenerateOptions::validate() const {
  sampling.validate();
  if (max_tokens >= 1 || max_tokens == kNoTokenLimit) return;
  throw Error("generate", fmt::format("max_tokens is {}, expected 1 or more", max_tokens),
              "-1 means no limit: the answer ends where the model ends it or the context is full");
}

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

/// Logits after the prompt; empty when cancelled. Whoever listens hears of every chunk.
std::vector<float> read_prompt(Engine& engine, CachedSequence& sequence,
                               std::span<const std::int32_t> prompt, const OnRead& on_read) {
  if (!on_read) return logits_row(engine.append(sequence, prompt), 0);
  const auto total = static_cast<std::int64_t>(prompt.size());
  engine.reserve(sequence, total);
  std::span<const std::int32_t> left = prompt;
  while (true) {
    const auto count = std::min(left.size(), static_cast<std::size_t>(engine.chunk_tokens()));
    const Tensor& logits = engine.append(sequence, left.first(count));
    left = left.subspan(count);
    if (!on_read(total - static_cast<std::int64_t>(left.size()), total)) return {};
    if (left.empty()) return logits_row(logits, 0);
  }
}

bool contains(const std::vector<std::int32_t>& ids, std::int32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

/// Samples from `logits` until something ends the answer.
StopReason write_answer(Engine& engine, CachedSequence& sequence, std::vector<float> logits,
                        std::vector<std::int32_t> seen, const GenerateOptions& options,
                        const OnToken& on_token, std::vector<std::int32_t>& tokens) {
  const auto read = [&](std::int32_t id) {
    logits = logits_row(engine.append(sequence, std::span(&id, 1)), 0);
  };
  const auto may_write_more = [&] {
    return options.max_tokens < 0 || static_cast<std::int64_t>(tokens.size()) < options.max_tokens;
  };
  while (may_write_more()) {
    const Choice choice = sample(logits, options.sampling, options.first_draw + tokens.size(), seen,
                                 options.alternatives);
    const std::int32_t id = choice.chosen.id;
    if (contains(options.stop, id)) return StopReason::Stop;
    tokens.push_back(id);
    seen.push_back(id);
    const bool fits = engine.room(sequence) > 0;
    if (options.read_before_telling && fits) read(id);
    if (on_token && !on_token(choice)) return StopReason::Cancelled;
    if (!may_write_more()) break;
    if (!fits) return StopReason::Full;
    if (!options.read_before_telling) read(id);
  }
  return StopReason::Length;
}
}  // namespace

Generated generate(Engine& engine, CachedSequence& sequence, std::span<const std::int32_t> prompt,
                   const GenerateOptions& options, const OnToken& on_token, const OnRead& on_read) {
  options.sampling.validate();
  Generated out;
  out.prompt_tokens = static_cast<std::int64_t>(prompt.size());
  const auto start = std::chrono::steady_clock::now();
  std::vector<float> logits = read_prompt(engine, sequence, prompt, on_read);
  out.prompt_seconds = seconds_since(start);
  if (logits.empty()) {
    out.reason = StopReason::Cancelled;
    return out;
  }
  std::vector<std::int32_t> seen = options.before;
  seen.insert(seen.end(), prompt.begin(), prompt.end());
  out.reason = write_answer(engine, sequence, std::move(logits), std::move(seen), options, on_token,
                            out.tokens);
  out.answer_seconds = seconds_since(start) - out.prompt_seconds;
  return out;
}

}  // namespace tessera
