// SPDX-License-Identifier: MIT
// Parts of a grammar that read JSON (RFC 8259). White space is that of people who write it: a space
// behind a colon or a comma, or a new line with its indent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/grammar/decimal_range.h"
#include "core/grammar/grammar.h"

namespace tessera {

/// How often something is repeated.
struct RepeatRange {
  std::int64_t least = 0;
  std::optional<std::int64_t> most;  ///< nothing: no limit
};

/// Rules of one builder, each made when it is first asked for.
class JsonRules {
 public:
  explicit JsonRules(GrammarBuilder& builder) : builder_(&builder) {}

  std::int32_t space();
  std::int32_t value();
  std::int32_t object();
  std::int32_t array();
  std::int32_t string();
  std::int32_t number();   ///< up to 16 digits on each side of the point, exponents of two digits
  std::int32_t integer();  ///< up to 16 digits
  /// A character of a string, as it is or escaped; surrogates come in pairs.
  std::int32_t character();
  /// The name of a member: a string that is none of `names`, written without escapes.
  std::int32_t other_name(const std::vector<std::string>& names);

  // Each adds a path behind `from`, and returns the state where it ends.
  /// begin, then items with commas between them, then end: lists and objects.
  std::int32_t list(std::int32_t from, char begin, const std::vector<std::int32_t>& first_items,
                    std::optional<std::int32_t> item, RepeatRange count, char end);
  std::int32_t string_of(std::int32_t from, RepeatRange characters);
  /// name ":" value
  std::int32_t member(std::int32_t from, std::int32_t name, std::int32_t value);
  std::int32_t comma(std::int32_t from);

 private:
  enum Known { kSpace, kValue, kObject, kArray, kString, kNumber, kInteger, kCharacter, kCount };
  /// The rule, and whether it has to be written.
  std::pair<std::int32_t, bool> known(Known which, const char* name);

  GrammarBuilder* builder_;
  std::optional<std::int32_t> rules_[kCount];
};

}  // namespace tessera
