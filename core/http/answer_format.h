// SPDX-License-Identifier: MIT
// The form that a request asks its answers to have, as a constraint for the scheduler.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/grammar/constraint.h"
#include "core/http/reasoning_split.h"
#include "core/tokenizer/tokenizer.h"

namespace tessera {

/// Constraints over the vocabulary of one model, those used last at hand: what one request has
/// found out of a form, others that ask for the same form need not find again. Any thread may ask.
class AnswerFormats {
 public:
  explicit AnswerFormats(std::shared_ptr<const Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)) {}

  /// The constraint with this name, which says all that `make` depends on.
  /// `marks`: special tokens that are part of the text, the same for all that name any.
  std::shared_ptr<const Constraint> get(const std::string& name,
                                        const std::function<Grammar()>& make,
                                        const std::vector<std::string_view>& marks = {});
  const Tokenizer& tokenizer() const { return *tokenizer_; }

 private:
  struct Entry {
    std::string name;
    std::shared_ptr<const Constraint> constraint;
  };
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::mutex mutex_;  ///< guards what follows
  std::shared_ptr<const TokenTrie> trie_, marked_trie_;
  std::list<Entry> entries_;  ///< the last used first
};

/// The grammar of an answer: what the model thinks, where it does, and then the rule. `spaced`:
/// white space may come before it.
Grammar behind_thoughts(GrammarBuilder builder, std::int32_t rule, Thinking thinking,
                        bool spaced = true);

/// `response_format`, `json_schema` or `grammar` of a request; null: the answer is free. `text`:
/// the body as it came, whose order of properties counts. Throws ApiError naming what cannot be
/// obeyed.
std::shared_ptr<const Constraint> constraint_of(const nlohmann::json& body, const std::string& text,
                                                AnswerFormats& formats, Thinking thinking);

}  // namespace tessera
