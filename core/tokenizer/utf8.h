// SPDX-License-Identifier: MIT
// UTF-8 one character at a time (Unicode 15, section 3.9, table 3-7: well-formed byte sequences).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tessera::utf8 {

struct Character {
  char32_t code = 0xFFFD;
  /// Bytes of the character, or of the longest ill-formed start of one (at least 1).
  std::size_t bytes = 1;
  bool valid = false;
  /// Ill-formed only because the text ends here: more bytes could complete it.
  bool cut_off = false;
};

/// The character at `at` < text.size().
Character next(std::string_view text, std::size_t at);

bool is_valid(std::string_view text);

/// Appends a code point up to 0x10FFFF.
void append(std::string& out, char32_t code);

/// `text` with each ill-formed sequence as U+FFFD (maximal subparts).
std::string replace_invalid(std::string_view text);

/// Bytes at the end of `text` that may still become a character: 0 to 3.
std::size_t incomplete_tail(std::string_view text);

}  // namespace tessera::utf8
