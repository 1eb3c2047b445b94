// SPDX-License-Identifier: MIT
#include "core/tokenizer/nfc.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <unordered_map>
#include <vector>

#include "core/tokenizer/unicode_table.h"
#include "core/tokenizer/utf8.h"

namespace tessera {

namespace {
/// Hangul syllables are computed (The Unicode Standard, section 3.12).
constexpr char32_t kSyllable = 0xAC00, kLeading = 0x1100, kVowel = 0x1161, kTrailing = 0x11A7;
constexpr char32_t kLeadingCount = 19, kVowelCount = 21, kTrailingCount = 28;
constexpr char32_t kSyllableCount = kLeadingCount * kVowelCount * kTrailingCount;
/// Below it nothing composes or decomposes with what follows: the first combining mark.
constexpr char32_t kFirstMark = 0x300;

int combining_class(char32_t code) {
  if (code < kFirstMark) return 0;
  const unicode::CombiningRun* begin = unicode::kCombiningRuns;
  const unicode::CombiningRun* end = begin + unicode::kCombiningRunCount;
  const auto* behind =
      std::upper_bound(begin, end, code, [](char32_t c, const auto& run) { return c < run.first; });
  return behind != begin && code <= behind[-1].last ? behind[-1].value : 0;
}

template <class Row>
const Row* row_of(const Row* rows, std::size_t count, char32_t code) {
  const Row* found = std::lower_bound(rows, rows + count, code,
                                      [](const Row& row, char32_t c) { return row.code < c; });
  return found != rows + count && found->code == code ? found : nullptr;
}

void decompose(char32_t code, std::vector<char32_t>& out) {
  if (code - kSyllable < kSyllableCount) {
    const char32_t index = code - kSyllable;
    out.push_back(kLeading + index / (kVowelCount * kTrailingCount));
    out.push_back(kVowel + index % (kVowelCount * kTrailingCount) / kTrailingCount);
    if (index % kTrailingCount != 0) out.push_back(kTrailing + index % kTrailingCount);
  } else if (const auto* one = row_of(unicode::kSingletons, unicode::kSingletonCount, code)) {
    decompose(one->to, out);
  } else if (const auto* two = row_of(unicode::kCompositions, unicode::kCompositionCount, code)) {
    decompose(two->first, out);
    out.push_back(two->second);
  } else {
    out.push_back(code);
  }
}

using Pairs = std::unordered_map<std::uint64_t, char32_t>;

std::uint64_t pair_key(char32_t first, char32_t second) {
  return std::uint64_t{first} << 32 | second;
}

/// The character that two become, or 0.
char32_t composed(char32_t first, char32_t second) {
  static const Pairs pairs = [] {
    Pairs all;
    for (std::size_t i = 0; i < unicode::kCompositionCount; ++i) {
      const unicode::Composition& row = unicode::kCompositions[i];
      if (row.composes) all[pair_key(row.first, row.second)] = row.code;
    }
    return all;
  }();
  if (first - kLeading < kLeadingCount && second - kVowel < kVowelCount) {
    return kSyllable + ((first - kLeading) * kVowelCount + (second - kVowel)) * kTrailingCount;
  }
  const bool is_open =
      first - kSyllable < kSyllableCount && (first - kSyllable) % kTrailingCount == 0;
  if (is_open && second > kTrailing && second < kTrailing + kTrailingCount) {
    return first + (second - kTrailing);
  }
  const auto found = pairs.find(pair_key(first, second));
  return found == pairs.end() ? 0 : found->second;
}

/// Puts marks behind their starter into the order of their classes.
void order(std::vector<char32_t>& codes) {
  for (auto at = codes.begin(); at != codes.end();) {
    const auto marks =
        std::find_if(at, codes.end(), [](char32_t c) { return combining_class(c) != 0; });
    const auto end =
        std::find_if(marks, codes.end(), [](char32_t c) { return combining_class(c) == 0; });
    std::stable_sort(
        marks, end, [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    at = end;
  }
}

/// Canonical composition (The Unicode Standard, section 3.11, D117).
void compose(std::vector<char32_t>& codes) {
  std::vector<char32_t> out;
  std::size_t starter = codes.size();  // in `out`; none yet
  int last = -1;                       // class of the character before, -1 right behind a starter
  for (const char32_t code : codes) {
    const int value = combining_class(code);
    const bool is_free = starter < out.size() && last < value;
    const char32_t joined = is_free ? composed(out[starter], code) : 0;
    if (joined != 0) {
      out[starter] = joined;
      continue;
    }
    if (value == 0) starter = out.size();
    last = value == 0 ? -1 : value;
    out.push_back(code);
  }
  codes = std::move(out);
}
}  // namespace

std::string to_nfc(std::string_view text) {
  std::vector<char32_t> codes;
  bool is_plain = true;
  for (std::size_t at = 0; at < text.size();) {
    const utf8::Character character = utf8::next(text, at);
    at += character.bytes;
    is_plain = is_plain && character.code < kFirstMark;
    codes.push_back(character.code);
  }
  if (is_plain) return std::string(text);
  std::vector<char32_t> apart;
  apart.reserve(codes.size());
  for (const char32_t code : codes) decompose(code, apart);
  order(apart);
  compose(apart);
  std::string out;
  out.reserve(text.size());
  for (const char32_t code : apart) utf8::append(out, code);
  return out;
}

}  // namespace tessera
