// SPDX-License-Identifier: MIT
// A session: one model, its vocabulary and one cached sequence. Requests bring whole conversations;
// what they share with the one before is not read again. Used by chat in the terminal and in the
// window.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/infer/expert_record.h"
#include "core/infer/generate.h"
#include "core/tokenizer/tokenizer.h"

namespace tessera {

struct SessionRequest {
  std::vector<std::int32_t> prompt;  ///< ids up to where the answer begins
  std::vector<std::int32_t> prefix;  ///< the answer's first tokens, chosen already
  GenerateOptions generate;  ///< `stop` gets the session's ends; the vocabulary's size is filled in
  /// Texts that end the answer. They are looked for in what follows the prefix, and are not shown.
  std::vector<std::string> stop_texts;
  bool experts = false;  ///< record the experts of every token
};

struct SessionToken {
  const Choice& choice;
  /// The characters that this token completes and that no stop text may begin with; may be empty.
  std::string text;
  /// Row of this token in Session::experts(); -1: not recorded.
  std::int64_t record_row = -1;
};

struct SessionAnswer {
  Generated generated;
  std::int64_t prompt_tokens = 0;  ///< prompt and prefix
  std::int64_t reused_tokens = 0;  ///< those of them that were in the cache already
  std::int64_t context_used = 0;   ///< tokens in the cache now
  std::string prefix_text;         ///< characters of the prefix
  std::string tail_text;           ///< what was held back; unfinished characters as U+FFFD
};

struct SessionHooks {
  /// Before anything is read: the counts of the prompt and the prefix's text are known.
  std::function<void(const SessionAnswer&)> on_start;
  OnRead on_read;                                     ///< tells what had to be read; false cancels
  std::function<bool(const SessionToken&)> on_token;  ///< false cancels
};

/// Not thread-safe. The model must outlive it.
class Session {
 public:
  /// `ends`: tokens that end an answer, besides the vocabulary's EOS.
  Session(const Model& model, std::shared_ptr<const Tokenizer> tokenizer,
          const EngineOptions& options, std::vector<std::int32_t> ends = {});

  /// Throws Error for an empty or too long prompt or senseless options; what was cached may then
  /// have to be read again, and nothing else is lost.
  SessionAnswer run(const SessionRequest& request, const SessionHooks& hooks = {});

  /// Rows are positions of the sequence, as far as they were recorded.
  const ExpertRecord& experts() const { return record_; }
  /// Most tokens of a conversation.
  std::int64_t context() const { return context_; }
  std::size_t cache_bytes() const { return engine_.cache_bytes(); }

 private:
  GenerateOptions options_of(const SessionRequest& request, bool with_experts) const;
  std::size_t reuse(const std::vector<std::int32_t>& ids, bool with_experts);
  void forget();

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<std::int32_t> ends_;
  Engine engine_;
  CachedSequence sequence_;           // after engine_: it goes first
  std::vector<std::int32_t> cached_;  ///< the ids that sequence_ holds
  ExpertRecord record_;
  std::int64_t context_ = 0;
};

}  // namespace tessera
