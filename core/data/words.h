// SPDX-License-Identifier: MIT
// Classes of characters and words, as the filters and the de-duplication see them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tessera::data {

inline bool is_digit(char32_t code) {
  return code >= '0' && code <= '9';
}
inline bool is_space(char32_t code) {
  return code == ' ' || (code >= 9 && code <= 13) || code == 0x85 || code == 0xA0 ||
         (code >= 0x2000 && code <= 0x200A) || code == 0x2028 || code == 0x2029 || code == 0x3000;
}

/// Letters of any script, with their marks. NOTE: by blocks, not by the Unicode database: the few
/// symbols inside letter blocks count as letters, which no threshold of a filter notices.
bool is_letter(char32_t code);

/// Characters of scripts that are written without spaces between words.
bool is_ideograph(char32_t code);

/// XXH3-64 of each word, ASCII case folded; see dedup.h for what a word is.
std::vector<std::uint64_t> word_hashes(std::string_view text);

/// Hashes of runs of `size` words; one of all words when there are fewer, none without words.
std::vector<std::uint64_t> phrase_hashes(const std::vector<std::uint64_t>& words, std::size_t size);

}  // namespace tessera::data
