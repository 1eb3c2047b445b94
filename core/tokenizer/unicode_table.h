// SPDX-License-Identifier: MIT
// Private to core/tokenizer: facts about code points, in the version of Unicode that the tokenizers
// library has (tests/peers/unicode_tables.py asks it). Code points are in [0, 0x10FFFF].
#pragma once

#include <cstddef>
#include <cstdint>

namespace tessera::unicode {

/// General categories (Unicode Standard Annex 44, section 5.7.1).
enum class Category : std::uint8_t {
  Lu,
  Ll,
  Lt,
  Lm,
  Lo,
  Mn,
  Mc,
  Me,
  Nd,
  Nl,
  No,
  Pc,
  Pd,
  Ps,
  Pe,  // letters, marks, numbers
  Pi,
  Pf,
  Po,
  Sm,
  Sc,
  Sk,
  So,
  Zs,
  Zl,
  Zp,
  Cc,
  Cf,
  Cs,
  Co,
  Cn,  // and the rest
};
inline constexpr std::size_t kCategories = 30;

struct Range {
  char32_t first, last;
};

/// From `first` up to the next run. The last one ends with 0x10FFFF.
struct CategoryRun {
  char32_t first;
  std::uint8_t category;
};
extern const CategoryRun kCategoryRuns[];
extern const std::size_t kCategoryRunCount;

/// What \w matches, and the script Han. Ascending.
extern const Range kWord[], kHan[];
extern const std::size_t kWordCount, kHanCount;

/// Canonical decompositions (Unicode Standard Annex 15) into one code point, ascending by `code`.
struct Singleton {
  char32_t code, to;
};
extern const Singleton kSingletons[];
extern const std::size_t kSingletonCount;

/// Into two, ascending by `code`. `composes`: NFC puts them together again.
struct Composition {
  char32_t code, first, second;
  bool composes;
};
extern const Composition kCompositions[];
extern const std::size_t kCompositionCount;

/// Canonical combining classes other than 0, ascending.
struct CombiningRun {
  char32_t first, last;
  std::uint8_t value;
};
extern const CombiningRun kCombiningRuns[];
extern const std::size_t kCombiningRunCount;

}  // namespace tessera::unicode
