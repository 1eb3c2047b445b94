// SPDX-License-Identifier: MIT
// A context-free grammar over bytes. Every rule is a finite automaton whose edges read a byte, read
// nothing, or read what another rule describes (a recursive transition network: W. A. Woods, 1970).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tessera {

/// An edge of the automaton of a rule.
struct GrammarEdge {
  enum class Kind : std::uint8_t { Bytes, Empty, Rule } kind = Kind::Empty;
  std::uint8_t low = 0, high = 0;  ///< Bytes: the first and the last
  std::int32_t rule = -1;          ///< Rule: which one
  std::int32_t target = -1;        ///< a state of the same rule
};

/// Immutable. Every text that it reads a part of can be completed, and no rule begins with itself.
class Grammar {
 public:
  struct State {
    std::vector<GrammarEdge> edges;
    bool is_end = false;  ///< the rule may end here
  };
  struct Rule {
    std::string name;
    std::int32_t begin = -1;
  };

  std::int32_t begin() const { return rules_.at(static_cast<std::size_t>(root_)).begin; }
  const State& state(std::int32_t index) const { return states_[static_cast<std::size_t>(index)]; }
  const Rule& rule(std::int32_t index) const { return rules_[static_cast<std::size_t>(index)]; }
  std::int32_t states() const { return static_cast<std::int32_t>(states_.size()); }

  /// Bytes that no edge tells apart are of one class.
  std::uint8_t class_of(char byte) const { return classes_[static_cast<unsigned char>(byte)]; }
  std::int32_t classes() const { return class_count_; }
  /// One byte of the class.
  std::uint8_t byte_of(std::int32_t byte_class) const {
    return members_[static_cast<std::size_t>(byte_class)];
  }

 private:
  friend class GrammarBuilder;
  void find_classes();

  std::vector<State> states_;
  std::vector<Rule> rules_;
  std::int32_t root_ = 0;
  std::array<std::uint8_t, 256> classes_{}, members_{};
  std::int32_t class_count_ = 0;
};

/// Ranges of code points, both ends included.
using CodeRanges = std::vector<std::pair<char32_t, char32_t>>;
/// All code points that are not in the ranges; surrogates are in neither.
CodeRanges complement(CodeRanges ranges);

class GrammarBuilder {
 public:
  static constexpr std::size_t kMostStates = 200'000;

  /// A rule with a state where it begins and one where it ends. `name` is for messages.
  std::int32_t rule(std::string name);
  std::int32_t begin_of(std::int32_t rule) const;
  std::int32_t end_of(std::int32_t rule) const;

  /// A state; throws Error where there are kMostStates.
  std::int32_t state();
  void bytes(std::int32_t from, std::uint8_t low, std::uint8_t high, std::int32_t to);
  void empty(std::int32_t from, std::int32_t to);
  void call(std::int32_t from, std::int32_t rule, std::int32_t to);

  // Each adds a path behind `from`, and returns the state where it ends.
  std::int32_t text(std::int32_t from, std::string_view bytes);
  std::int32_t call(std::int32_t from, std::int32_t rule);
  /// A code point of the ranges, in UTF-8.
  void code_point(std::int32_t from, const CodeRanges& ranges, std::int32_t to);
  /// Any bytes up to the first `mark`, which is the last that is read. Behind each byte before it
  /// there is an empty edge to `may_end`, where that is a state.
  std::int32_t text_through(std::int32_t from, std::string_view mark, std::int32_t may_end = -1);

  /// The grammar of a rule. Throws Error where no text follows it, and where a rule begins with
  /// itself, naming it. The builder is used up.
  Grammar build(std::int32_t root) &&;

 private:
  std::vector<bool> rules_that_may_be_empty() const;
  void drop_what_never_ends();
  void check_begins(std::int32_t root) const;

  Grammar made_;
  std::vector<std::int32_t> ends_;  ///< by rule
};

}  // namespace tessera
