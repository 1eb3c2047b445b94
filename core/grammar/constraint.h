// SPDX-License-Identifier: MIT
// Which tokens may come next in an answer that has to follow a grammar: a pushdown automaton over
// the bytes of tokens, made deterministic as far as somebody has come.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/grammar/grammar.h"
#include "core/grammar/token_trie.h"

namespace tessera {

/// A set of tokens, a bit for each.
class TokenMask {
 public:
  explicit TokenMask(std::int32_t vocabulary = 0)
      : bits_((static_cast<std::size_t>(vocabulary) + 63) / 64) {}

  bool has(std::int32_t id) const { return (bits_[word(id)] >> (id % 64)) & 1; }
  void set(std::int32_t id) { bits_[word(id)] |= std::uint64_t{1} << (id % 64); }
  void clear(std::int32_t id) { bits_[word(id)] &= ~(std::uint64_t{1} << (id % 64)); }
  void operator|=(const TokenMask& other);
  bool any() const;

 private:
  static std::size_t word(std::int32_t id) { return static_cast<std::size_t>(id) / 64; }
  std::vector<std::uint64_t> bits_;
};

/// The sets of stacks that the bytes so far may have led to, numbered as they are met. A stack is
/// the state of the innermost rule, and those at which the rules that called it go on.
class StackMachine {
 public:
  static constexpr std::int32_t kBottom = -1;
  static constexpr std::size_t kMostStacks = 4096;  ///< in one set

  explicit StackMachine(const Grammar& grammar) : grammar_(&grammar) {}

  struct Stack {
    std::int32_t state = -1, below = kBottom;
  };
  /// Where the first rule begins.
  std::int32_t start() { return closed({{grammar_->begin(), kBottom}}); }
  /// One stack with nothing below it, as it is.
  std::int32_t alone(std::int32_t state);
  /// What follows where the stack above `stack` has ended.
  std::int32_t behind(std::int32_t stack);
  /// Throws Error where there are more than kMostStacks.
  std::int32_t step(std::int32_t set, char byte);

  const std::vector<std::int32_t>& tops(std::int32_t set) const { return sets_[at(set)].tops; }
  const Stack& stack(std::int32_t index) const { return stacks_[at(index)]; }
  /// The text may end here.
  bool ended(std::int32_t set) const { return sets_[at(set)].ended; }
  bool is_dead(std::int32_t set) const { return tops(set).empty() && !ended(set); }
  std::size_t size() const { return sets_.size() + stacks_.size(); }
  /// Forgets all sets but one, and returns its new number.
  std::int32_t keep_only(std::int32_t set);

 private:
  struct Set {
    std::vector<std::int32_t> tops;  ///< stacks that read a byte next, in rising order
    bool ended = false;
    std::vector<std::int32_t> next;  ///< by class of bytes; -1: nobody has looked
  };
  static std::size_t at(std::int32_t index) { return static_cast<std::size_t>(index); }
  std::int32_t intern(Stack stack);
  std::int32_t intern(std::vector<std::int32_t> tops, bool ended);
  std::int32_t closed(std::vector<Stack> todo);

  const Grammar* grammar_;
  std::vector<Stack> stacks_;  ///< a stack comes behind the one below it
  std::vector<Set> sets_;
  std::unordered_map<std::uint64_t, std::int32_t> stack_numbers_;
  std::unordered_map<std::string, std::int32_t> set_numbers_;
};

/// A grammar over a vocabulary. What every state of a rule allows by itself is found once, and kept
/// for all answers; any thread may ask.
class Constraint {
 public:
  Constraint(Grammar grammar, std::shared_ptr<const TokenTrie> trie);

  /// What may follow at one state of a rule, whoever called the rule.
  struct Local {
    /// Tokens that are read within the rule, or end with it.
    std::vector<std::int32_t> few;
    TokenMask many;  ///< instead of `few` where there are many
    /// Nodes of the trie at which the rule may have ended, with tokens that go on behind it.
    std::vector<std::int32_t> resumes;
  };
  const Local& local(std::int32_t state) const;

  const Grammar& grammar() const { return grammar_; }
  const TokenTrie& trie() const { return *trie_; }

 private:
  Local find_local(std::int32_t state) const;

  Grammar grammar_;
  std::shared_ptr<const TokenTrie> trie_;
  mutable std::mutex mutex_;  ///< guards what follows
  mutable std::vector<std::unique_ptr<Local>> locals_;
};

/// One answer on its way through the grammar.
class ConstraintCursor {
 public:
  /// `ends`: tokens that end the answer, allowed where the grammar may end. `drops_space`: a space
  /// at the begin of the first token is not shown (Tokenizer::adds_leading_space).
  ConstraintCursor(std::shared_ptr<const Constraint> constraint, std::vector<std::int32_t> ends,
                   bool drops_space = false);

  /// Valid until the next call. Throws Error where the vocabulary has no token that may follow.
  const TokenMask& allowed();
  /// Takes a token. Throws Error where it may not follow.
  void advance(std::int32_t id);
  /// Whether the answer may end here, and whether it must: nothing may follow.
  bool may_end() const { return machine_.ended(here_); }
  bool must_end() const { return machine_.tops(here_).empty(); }

 private:
  TokenMask find_allowed();
  void walk(std::int32_t set, std::int32_t from, std::int32_t to, TokenMask& mask);
  void allow_dropped_space(TokenMask& mask);

  std::shared_ptr<const Constraint> constraint_;
  std::vector<std::int32_t> ends_;
  bool drops_space_;
  StackMachine machine_;
  std::int32_t here_;
  std::unordered_map<std::int32_t, TokenMask> masks_;  ///< by set
};

}  // namespace tessera
