// SPDX-License-Identifier: MIT
// Private to core/tokenizer: a pattern of split_pattern.h as a tree.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/tokenizer/code_set.h"

namespace tessera {

struct SplitNode {
  enum class Kind : std::uint8_t {
    Empty,
    Set,
    Sequence,
    Either,  ///< the first of its parts that leads to a match
    Repeat,
    Look,
    LookNot,
    Atomic,
    TextBegin,
    TextEnd,
    LineBegin,
    LineEnd,
  };
  enum class Greed : std::uint8_t { Greedy, Lazy, Possessive };
  static constexpr std::uint32_t kNoEnd = std::numeric_limits<std::uint32_t>::max();

  Kind kind = Kind::Empty;
  CodeSet set;
  std::vector<SplitNode> parts;
  std::uint32_t low = 1, high = 1;
  Greed greed = Greed::Greedy;

  /// Whether it can match without taking a character.
  bool may_be_empty() const;
};

/// Throws Error naming `where` and the character of the pattern that is not read.
SplitNode parse_split(std::string_view pattern, const std::string& where);

}  // namespace tessera
