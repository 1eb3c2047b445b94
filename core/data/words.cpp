// SPDX-License-Identifier: MIT
#include "core/data/words.h"

#include <xxhash.h>

#include <algorithm>
#include <string>

#include "core/tokenizer/utf8.h"

namespace tessera::data {

bool is_letter(char32_t code) {
  if (code < 0x80) return (code | 0x20) >= 'a' && (code | 0x20) <= 'z';
  if (code < 0xC0) return code == 0xAA || code == 0xB5 || code == 0xBA;
  if (code == 0xD7 || code == 0xF7) return false;
  if (code >= 0x2000 && code <= 0x2BFF)  // punctuation, arrows, operators, boxes; but letters, too
    return code == 0x200C || code == 0x200D || (code >= 0x2100 && code <= 0x214F);
  if (code >= 0x3000 && code <= 0x3004) return false;
  if (code >= 0x3008 && code <= 0x3030) return false;
  if (code >= 0xE000 && code <= 0xF8FF) return false;  // private use
  if (code >= 0xFE10 && code <= 0xFE6F) return false;
  if (code >= 0xFF00 && code <= 0xFFEF)
    return (code >= 0xFF21 && code <= 0xFF3A) || (code >= 0xFF41 && code <= 0xFF5A) ||
           (code >= 0xFF66 && code <= 0xFFDC);
  if (code >= 0xFFF0 && code <= 0xFFFF) return false;
  return code < 0x1F000 || code > 0x1FBFF;  // emoji and other pictures
}

bool is_ideograph(char32_t code) {
  return (code >= 0x2E80 && code <= 0x9FFF) || (code >= 0xF900 && code <= 0xFAFF) ||
         (code >= 0x20000 && code <= 0x3FFFF) || (code >= 0x0E00 && code <= 0x0EFF) ||  // Thai, Lao
         (code >= 0x1000 && code <= 0x109F) ||
         (code >= 0x1780 && code <= 0x17FF);  // Burmese, Khmer
}

std::vector<std::uint64_t> word_hashes(std::string_view text) {
  std::vector<std::uint64_t> hashes;
  hashes.reserve(text.size() / 6 + 1);
  std::string word;
  const auto flush = [&] {
    if (!word.empty()) hashes.push_back(XXH3_64bits(word.data(), word.size()));
    word.clear();
  };
  for (std::size_t at = 0; at < text.size();) {
    const utf8::Character character = utf8::next(text, at);
    const char32_t code = character.code;
    if (code < 0x80 && (is_letter(code) || is_digit(code))) {
      word.push_back(static_cast<char>(code >= 'A' && code <= 'Z' ? code | 0x20 : code));
    } else if (code >= 0x80 && is_letter(code)) {
      if (is_ideograph(code)) flush();
      word.append(text, at, character.bytes);
      if (is_ideograph(code)) flush();
    } else {
      flush();
    }
    at += character.bytes;
  }
  flush();
  return hashes;
}

std::vector<std::uint64_t> phrase_hashes(const std::vector<std::uint64_t>& words,
                                         std::size_t size) {
  std::vector<std::uint64_t> phrases;
  if (words.empty()) return phrases;
  const std::size_t width = std::min(size, words.size());
  phrases.reserve(words.size() - width + 1);
  for (std::size_t at = 0; at + width <= words.size(); ++at)
    phrases.push_back(XXH3_64bits(words.data() + at, width * sizeof(std::uint64_t)));
  return phrases;
}

}  // namespace tessera::data
