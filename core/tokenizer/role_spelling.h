// SPDX-License-Identifier: MIT
// Private to core/tokenizer.
#pragma once

#include <string_view>

namespace tessera {

/// Roles as vocabularies spell them: <|user|>, or with U+FF5C for the bars. Files mark some of them
/// as ordinary tokens, which text that a user typed must not reach all the same.
inline bool spells_role(std::string_view piece) {
  const auto between = [&](std::string_view begin, std::string_view end) {
    return piece.size() > begin.size() + end.size() && piece.starts_with(begin) &&
           piece.ends_with(end);
  };
  return between("<|", "|>") || between("<\xEF\xBD\x9C", "\xEF\xBD\x9C>");
}

}  // namespace tessera
