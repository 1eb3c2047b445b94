// SPDX-License-Identifier: MIT
// Private to core/tokenizer: the regular expressions that a tokenizer.json splits text with.
// Written as the tokenizers library's engine reads them (Oniguruma's Ruby syntax, UTF-8), with its
// version of Unicode: ids are equal only where every code point has the same class, which a general
// library with tables of its own does not give.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/tokenizer/code_set.h"

namespace tessera {

/// One compiled pattern; immutable, usable from any thread. What is read: literals and escapes,
/// classes with ranges, nesting and &&, \s \d \w and their opposites, \p{category} and \p{Han},
/// groups, alternatives, repeats (greedy, lazy, possessive), (?=) and (?!), (?>), (?i:) for ASCII
/// letters, ^ $ \A \z.
class SplitPattern {
 public:
  struct Match {
    std::size_t begin = 0, end = 0;
  };

  /// Throws Error naming `where`, what is not read, and the character of the pattern it stands at.
  SplitPattern(std::string_view pattern, const std::string& where);

  /// The first match that begins at or behind `from` in `text`, which is valid UTF-8 and is seen as
  /// a whole text: nothing looks beyond its ends. False: none. Throws Error when the pattern takes
  /// more steps than a text of this size may.
  bool find(std::string_view text, std::size_t from, Match& match) const;

  struct Instruction {
    enum class Op : std::uint8_t {
      Set,    ///< one character of table `a`
      Loop,   ///< table `a`, `low` to `high` times, gives back one by one
      Hold,   ///< the same, gives nothing back
      Split,  ///< try the next instruction, then `a`; `b` names the bytes the next one begins with
      Later,  ///< try `a` first, then the next instruction
      Jump,   ///< to `a`
      Look,   ///< what follows up to its Accept matches here; then `a`
      LookNot,  ///< the opposite
      Atomic,   ///< what follows up to its Accept, without going back into it; then `a`
      TextBegin,
      TextEnd,
      LineBegin,
      LineEnd,
      Accept,
    };
    Op op = Op::Accept;
    std::uint32_t a = 0, b = 0, low = 0, high = 0;
  };

 private:
  struct Frame {
    std::uint32_t next = 0;
    std::size_t at = 0, lowest = 0;  ///< lowest < at: a loop that can give back characters
  };
  struct Run {
    std::string_view text;
    std::vector<Frame> stack;
    std::uint64_t steps = 0;
  };

  std::size_t match_at(Run& run, std::uint32_t instruction, std::size_t at) const;
  bool give_back(Run& run, std::size_t base, std::uint32_t& instruction, std::size_t& at) const;
  std::size_t loop(std::string_view text, const Instruction& loop, std::size_t at,
                   std::size_t& lowest) const;

  std::string pattern_, where_;
  std::vector<Instruction> code_;
  std::vector<CodeTable> tables_;
  std::vector<std::bitset<256>> first_bytes_;  ///< of branches; the last is of the whole pattern
  bool may_be_empty_ = false;

  friend class SplitCompiler;
};

}  // namespace tessera
