// SPDX-License-Identifier: MIT
#include "core/infer/generate.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

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

/// Brings tokens into the sequence and chooses the one that follows: on the device where that can
/// be, else from the logits.
class Chooser {
 public:
  Chooser(Engine& engine, CachedSequence& sequence, const GenerateOptions& options,
          std::vector<std::int32_t> seen)
      : engine_(engine), sequence_(sequence), options_(options), seen_(std::move(seen)) {}

  /// `is_last`: a token is to be chosen after these; it is the answer's `number`-th.
  void read(std::span<const std::int32_t> tokens, bool is_last, std::size_t number) {
    Append one{&sequence_, tokens};
    if (is_last && engine_.chooses() && options_.alternatives == 0) {
      one.draw = device_draw(options_.sampling, options_.first_draw + number);
    }
    const Tensor& logits = engine_.append(std::span(&one, 1));
    seen_.insert(seen_.end(), tokens.begin(), tokens.end());
    if (!is_last) return;
    chosen_ = engine_.chosen(0);
    if (!chosen_) logits_ = logits_row(logits, 0);
  }

  /// The token that follows, the answer's `number`-th.
  Choice choose(std::size_t number) {
    if (chosen_) return {*chosen_, {}};
    return sample(logits_, options_.sampling, options_.first_draw + number, seen_,
                  options_.alternatives);
  }

 private:
  Engine& engine_;
  CachedSequence& sequence_;
  const GenerateOptions& options_;
  std::vector<std::int32_t> seen_;
  std::vector<float> logits_;
  std::optional<Candidate> chosen_;
};

/// Returns false when cancelled. Whoever listens hears of every chunk.
bool read_prompt(Engine& engine, CachedSequence& sequence, Chooser& chooser,
                 std::span<const std::int32_t> prompt, const OnRead& on_read) {
  if (!on_read) {
    chooser.read(prompt, true, 0);
    return true;
  }
  const auto total = static_cast<std::int64_t>(prompt.size());
  engine.reserve(sequence, total);
  std::span<const std::int32_t> left = prompt;
  while (true) {
    const auto count = std::min(left.size(), static_cast<std::size_t>(engine.chunk_tokens()));
    chooser.read(left.first(count), count == left.size(), 0);
    left = left.subspan(count);
    if (!on_read(total - static_cast<std::int64_t>(left.size()), total)) return false;
    if (left.empty()) return true;
  }
}

bool contains(const std::vector<std::int32_t>& ids, std::int32_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

/// Chooses tokens until something ends the answer.
StopReason write_answer(Engine& engine, CachedSequence& sequence, Chooser& chooser,
                        const GenerateOptions& options, const OnToken& on_token,
                        std::vector<std::int32_t>& tokens) {
  const auto read = [&](std::int32_t id) { chooser.read(std::span(&id, 1), true, tokens.size()); };
  const auto may_write_more = [&] {
    return options.max_tokens < 0 || static_cast<std::int64_t>(tokens.size()) < options.max_tokens;
  };
  while (may_write_more()) {
    const Choice choice = chooser.choose(tokens.size());
    const std::int32_t id = choice.chosen.id;
    if (contains(options.stop, id)) return StopReason::Stop;
    tokens.push_back(id);
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
  Chooser chooser(engine, sequence, options, options.before);
  const bool is_read = read_prompt(engine, sequence, chooser, prompt, on_read);
  out.prompt_seconds = seconds_since(start);
  if (!is_read) {
    out.reason = StopReason::Cancelled;
    return out;
  }
  out.reason = write_answer(engine, sequence, chooser, options, on_token, out.tokens);
  out.answer_seconds = seconds_since(start) - out.prompt_seconds;
  return out;
}

}  // namespace tessera
