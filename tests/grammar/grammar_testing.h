// SPDX-License-Identifier: MIT
// Texts that a grammar takes, and answers that chance writes under one.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/grammar/constraint.h"
#include "core/grammar/grammar.h"
#include "core/grammar/json_grammar.h"
#include "core/grammar/json_schema.h"
#include "core/tokenizer/train.h"

namespace tessera::test {

using Json = nlohmann::ordered_json;

/// A vocabulary with pieces of JSON and of words in it, and every byte.
inline std::shared_ptr<const Tokenizer> grammar_vocabulary() {
  static const std::shared_ptr<const Tokenizer> tokenizer = [] {
    std::vector<std::string> texts;
    for (int i = 0; i < 60; ++i) {
      texts.push_back("{\"name\": \"fox " + std::to_string(i * 7) + "\", \"list\": [1, 2.5, -3], " +
                      "\"of\": {\"a\": true, \"b\": null, \"é\": \"ü — 😀\"}}\n");
      texts.push_back("The quick brown fox jumps over the lazy dog " + std::to_string(i) + ".\n");
    }
    TokenizerTrainOptions options;
    options.vocab_size = 600;
    return train_tokenizer(texts, options);
  }();
  return tokenizer;
}

inline Grammar schema_grammar(const Json& schema) {
  GrammarBuilder builder;
  const std::int32_t root = add_json_schema(builder, schema, "schema");
  return std::move(builder).build(root);
}
inline Grammar object_grammar() {
  GrammarBuilder builder;
  const std::int32_t root = JsonRules(builder).object();
  return std::move(builder).build(root);
}

/// Whether the grammar reads the whole text, and may end there.
inline bool takes(const Grammar& grammar, const std::string& text) {
  StackMachine machine(grammar);
  std::int32_t set = machine.start();
  for (const char byte : text) set = machine.step(set, byte);
  return machine.ended(set);
}

inline std::shared_ptr<const Constraint> constraint_over(Grammar grammar) {
  static const auto trie = std::make_shared<const TokenTrie>(*grammar_vocabulary());
  return std::make_shared<const Constraint>(std::move(grammar), trie);
}

/// What chance writes. After `free` tokens it hurries: it takes the shortest text of those allowed,
/// and such as close something before others.
inline std::string random_answer(const std::shared_ptr<const Constraint>& constraint,
                                 std::mt19937_64& random, int free = 30) {
  const Tokenizer& tokenizer = *grammar_vocabulary();
  const std::int32_t eos = tokenizer.specials().eos;
  ConstraintCursor cursor(constraint, {eos});
  std::string text;
  for (int written = 0; written < 2000 && !cursor.must_end(); ++written) {
    const TokenMask& mask = cursor.allowed();
    EXPECT_EQ(mask.has(eos), cursor.may_end()) << text;
    std::vector<std::int32_t> all;
    for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
      if (mask.has(id)) all.push_back(id);
    }
    const auto cost = [&](std::int32_t id) {
      const std::string_view bytes = tokenizer.bytes_of(id);
      const bool closes = bytes.find_first_of("}]\"") == 0;
      return id == eos ? -2
                       : (closes ? -1 : static_cast<int>(bytes.size())) +
                             (bytes.find_first_of("{[\\ \n-.e,") == 0 ? 50 : 0);
    };
    std::int32_t id = all[random() % all.size()];
    if (written >= free) {
      id = *std::min_element(all.begin(), all.end(),
                             [&](std::int32_t a, std::int32_t b) { return cost(a) < cost(b); });
    }
    if (id == eos) return text;
    cursor.advance(id);
    text += tokenizer.bytes_of(id);
  }
  EXPECT_TRUE(cursor.may_end()) << text;
  return text;
}

}  // namespace tessera::test
