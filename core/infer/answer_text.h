// SPDX-License-Identifier: MIT
// Tokens of an answer as characters that may be shown.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/infer/stop_text.h"
#include "core/tokenizer/tokenizer.h"

namespace tessera {

class AnswerText {
 public:
  /// `prompt`: what stands before the answer, which decides whether the answer begins a text.
  /// `spelled`: special tokens that are shown as they are spelled; others are not shown.
  AnswerText(const std::shared_ptr<const Tokenizer>& tokenizer,
             std::span<const std::int32_t> prompt, const std::vector<std::string>& stop_texts,
             std::vector<std::int32_t> spelled = {})
      : tokenizer_(tokenizer),
        spelled_(std::move(spelled)),
        decoder_(tokenizer, false, prompt.empty() || tokenizer->is_special(prompt.back())),
        stops_(stop_texts) {}

  /// Characters of the answer's first tokens, which were chosen before; no stop text is looked for.
  std::string prefix(std::span<const std::int32_t> ids) {
    std::string text;
    for (const std::int32_t id : ids) text += decoder_.push(id);
    return text;
  }
  /// The characters that this token completes and that no stop text may begin with.
  std::string push(std::int32_t id) {
    std::string text = decoder_.push(id);
    const bool is_spelled = std::find(spelled_.begin(), spelled_.end(), id) != spelled_.end();
    if (is_spelled) text += tokenizer_->piece(id);
    return stops_.push(text);
  }
  /// What was held back; unfinished characters as U+FFFD.
  std::string finish() {
    std::string text = stops_.push(decoder_.finish());
    return text + stops_.finish();
  }
  bool stopped() const { return stops_.found(); }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<std::int32_t> spelled_;
  StreamDecoder decoder_;
  StopText stops_;
};

}  // namespace tessera
