// SPDX-License-Identifier: MIT
#include "core/data/filter.h"

#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <vector>

#include "core/data/words.h"
#include "core/tokenizer/utf8.h"

namespace tessera::data {

namespace {

constexpr std::size_t kRepeatWords = 5, kLeastWords = 50;
constexpr std::size_t kLeastLineBytes = 8;

struct Characters {
  std::int64_t all = 0, spaces = 0, letters = 0, digits = 0, control = 0, words = 0;
};

Characters count_characters(std::string_view text) {
  Characters counts;
  bool in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const utf8::Character character = utf8::next(text, at);
    const char32_t code = character.code;
    at += character.bytes;
    ++counts.all;
    const bool letter = is_letter(code), digit = is_digit(code);
    counts.letters += letter;
    counts.digits += digit;
    if ((letter || digit) && (!in_word || is_ideograph(code))) ++counts.words;
    in_word = letter || digit;
    if (is_space(code))
      ++counts.spaces;
    else
      counts.control += code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0xFFFD;
  }
  return counts;
}

struct Lines {
  std::int64_t count = 0, bytes = 0, longest = 0;  ///< empty lines are left out
  std::int64_t counted_bytes = 0, repeated_bytes = 0;
};

Lines count_lines(std::string_view text) {
  Lines lines;
  std::unordered_set<std::uint64_t> seen;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    while (!line.empty() && static_cast<unsigned char>(line.front()) <= ' ') line.remove_prefix(1);
    while (!line.empty() && static_cast<unsigned char>(line.back()) <= ' ') line.remove_suffix(1);
    if (line.empty()) continue;
    const auto bytes = static_cast<std::int64_t>(line.size());
    ++lines.count;
    lines.bytes += bytes;
    lines.longest = std::max(lines.longest, bytes);
    if (line.size() < kLeastLineBytes) continue;
    lines.counted_bytes += bytes;
    if (!seen.insert(XXH3_64bits(line.data(), line.size())).second) lines.repeated_bytes += bytes;
  }
  return lines;
}

/// Share of the words that stand in a phrase seen before.
double repeated_phrases(std::string_view text) {
  const auto words = word_hashes(text);
  if (words.size() < kLeastWords) return 0;
  const auto phrases = phrase_hashes(words, kRepeatWords);
  std::unordered_set<std::uint64_t> seen;
  seen.reserve(phrases.size());
  std::size_t covered = 0, covered_to = 0;
  for (std::size_t at = 0; at < phrases.size(); ++at) {
    if (seen.insert(phrases[at]).second) continue;
    covered += at + kRepeatWords - std::max(at, covered_to);
    covered_to = at + kRepeatWords;
  }
  return static_cast<double>(covered) / static_cast<double>(words.size());
}

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

}  // namespace

FilterOptions FilterOptions::for_domain(Domain domain) {
  FilterOptions o;
  switch (domain) {
    case Domain::Web:
      break;
    case Domain::Code:  // brackets, indentation, and the same lines again and again
      o.min_characters = 40;
      o.min_letters = 0.25;
      o.max_symbols = 0.7;
      o.max_mean_line = 300;
      o.max_line = 20000;
      o.max_mean_word = 30;
      o.max_repeated_lines = 0.6;
      o.max_repeated_phrases = 0.8;
      break;
    case Domain::Mathematics:  // formulas; theorems in series
      o.min_characters = 60;
      o.min_letters = 0.3;
      o.max_symbols = 0.6;
      o.max_repeated_lines = 0.6;
      o.max_repeated_phrases = 0.85;
      break;
    case Domain::Multilingual:  // ideographs say more each; compounds are long
      o.min_characters = 40;
      o.max_mean_word = 25;
      break;
  }
  return o;
}

FilterOptions FilterOptions::none() {
  FilterOptions o;
  o.min_characters = 0;
  o.min_letters = 0;
  o.max_symbols = o.max_control = o.max_repeated_lines = o.max_repeated_phrases = 1;
  o.max_mean_word = 0;
  return o;
}

std::optional<Drop> check(std::string_view text, const FilterOptions& o) {
  const Characters characters = count_characters(text);
  if (characters.all < o.min_characters) return Drop::TooShort;
  if (o.max_characters > 0 && characters.all > o.max_characters) return Drop::TooLong;
  const std::int64_t symbols =
      characters.all - characters.spaces - characters.letters - characters.digits;
  if (share(characters.letters, characters.all - characters.spaces) < o.min_letters)
    return Drop::FewLetters;
  if (share(symbols, characters.all) > o.max_symbols) return Drop::ManySymbols;
  if (share(characters.control, characters.all) > o.max_control) return Drop::ControlCharacters;
  const Lines lines = count_lines(text);
  if (o.max_mean_line > 0 && share(lines.bytes, lines.count) > o.max_mean_line)
    return Drop::LongLines;
  if (o.max_line > 0 && lines.longest > o.max_line) return Drop::LongLines;
  if (o.max_mean_word > 0 &&
      share(characters.letters + characters.digits, characters.words) > o.max_mean_word)
    return Drop::LongWords;
  if (share(lines.repeated_bytes, lines.counted_bytes) > o.max_repeated_lines)
    return Drop::RepeatedLines;
  if (o.max_repeated_phrases < 1 && repeated_phrases(text) > o.max_repeated_phrases)
    return Drop::RepeatedPhrases;
  return std::nullopt;
}

}  // namespace tessera::data
