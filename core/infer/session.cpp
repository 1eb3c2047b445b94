// SPDX-License-Identifier: MIT
#include "core/infer/session.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/infer/answer_text.h"

namespace tessera {

Session::Session(const Model& model, std::shared_ptr<const Tokenizer> tokenizer,
                 const EngineOptions& options, std::vector<std::int32_t> ends)
    : tokenizer_(std::move(tokenizer)),
      ends_(std::move(ends)),
      engine_(model, options),
      sequence_(engine_.open()),
      record_(model.config()),
      context_(engine_.room(sequence_)) {
  if (tokenizer_->specials().eos >= 0) ends_.push_back(tokenizer_->specials().eos);
}

void Session::forget() {
  engine_.observe(nullptr);
  sequence_.truncate(0);
  cached_.clear();
  record_.truncate(0);
}

/// Cuts the sequence to what it has in common with `ids` and returns how much that is. With experts
/// only what was recorded counts: the rest must be read again to be known.
std::size_t Session::reuse(const std::vector<std::int32_t>& ids, bool with_experts) {
  const auto common = std::mismatch(cached_.begin(), cached_.end(), ids.begin(), ids.end()).first;
  auto kept = static_cast<std::size_t>(common - cached_.begin());
  kept = std::min(kept, ids.size() - 1);  // at least one token must be read for its logits
  if (with_experts) kept = std::min(kept, static_cast<std::size_t>(record_.tokens()));
  sequence_.truncate(static_cast<std::int64_t>(kept));
  record_.truncate(static_cast<std::int64_t>(kept));
  cached_.resize(kept);
  return kept;
}

GenerateOptions Session::options_of(const SessionRequest& request, bool with_experts) const {
  GenerateOptions options = request.generate;
  options.validate();
  options.sampling.vocabulary = tokenizer_->vocab_size();
  options.stop.insert(options.stop.end(), ends_.begin(), ends_.end());
  options.first_draw = request.prefix.size();
  options.read_before_telling = with_experts;
  return options;
}

SessionAnswer Session::run(const SessionRequest& request, const SessionHooks& hooks) {
  std::vector<std::int32_t> ids = request.prompt;
  ids.insert(ids.end(), request.prefix.begin(), request.prefix.end());
  if (ids.empty()) {
    throw Error("chat",
                "there is nothing to read: the prompt is empty, and this vocabulary has no "
                "token for the begin of a text",
                "give a prompt of one character or more");
  }
  const bool with_experts = request.experts && record_.layers() > 0;
  GenerateOptions options = options_of(request, with_experts);
  AnswerText text(tokenizer_, request.prompt, request.stop_texts);
  const std::size_t kept = reuse(ids, with_experts);
  options.before = cached_;

  SessionAnswer answer;
  answer.prompt_tokens = static_cast<std::int64_t>(ids.size());
  answer.reused_tokens = static_cast<std::int64_t>(kept);
  answer.prefix_text = text.prefix(request.prefix);
  if (hooks.on_start) hooks.on_start(answer);
  std::int64_t row = answer.prompt_tokens;
  const auto on_token = [&](const Choice& choice) {
    SessionToken token{choice, text.push(choice.chosen.id)};
    if (with_experts && row < record_.tokens()) token.record_row = row;
    ++row;
    const bool goes_on = !hooks.on_token || hooks.on_token(token);
    return goes_on && !text.stopped();
  };
  engine_.observe(with_experts ? &record_ : nullptr);
  try {
    answer.generated = generate(engine_, sequence_, std::span(ids).subspan(kept), options, on_token,
                                hooks.on_read);
  } catch (...) {
    forget();
    throw;
  }
  engine_.observe(nullptr);
  answer.tail_text = text.finish();
  if (text.stopped()) answer.generated.reason = StopReason::Stop;
  cached_ = std::move(ids);
  cached_.insert(cached_.end(), answer.generated.tokens.begin(), answer.generated.tokens.end());
  cached_.resize(static_cast<std::size_t>(sequence_.length()));
  answer.context_used = sequence_.length();
  return answer;
}

}  // namespace tessera
