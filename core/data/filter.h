// SPDX-License-Identifier: MIT
// Heuristics that tell text worth training on. They follow the kinds of rules of C4 (Raffel et al.,
// arXiv:1910.10683) and MassiveText (Rae et al., arXiv:2112.11446, appendix A), with thresholds
// that are looser, because the loss of good text is worse at small scale, and that depend on the
// domain.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/data/source.h"

namespace tessera::data {

/// A rule is off at its widest value (0 for minima, 1 for ratios, 0 for maxima of lengths).
struct FilterOptions {
  std::int64_t min_characters = 100;
  std::int64_t max_characters = 0;
  /// Letters (of any script) among the characters that are not white space.
  double min_letters = 0.6;
  /// Characters that are neither letter, digit nor white space, among all characters.
  double max_symbols = 0.4;
  /// Control characters other than tab and line ends, and U+FFFD, among all characters.
  double max_control = 0.001;
  /// Mean and greatest number of bytes of a line.
  double max_mean_line = 0;
  std::int64_t max_line = 0;
  /// Mean letters and digits of a word (runs of them; ideographs are words of one).
  double max_mean_word = 15;
  /// Share of the bytes of lines that stand in lines seen before in the document. Lines of fewer
  /// than 8 bytes ("}", "end") do not count.
  double max_repeated_lines = 0.3;
  /// Share of the words that stand in 5-grams seen before in the document. Applied from 50 words.
  double max_repeated_phrases = 0.5;

  static FilterOptions for_domain(Domain domain);
  /// Every rule off except that empty text is dropped by the reader.
  static FilterOptions none();
};

/// The first rule that `text` (valid UTF-8) breaks, in the order of FilterOptions.
std::optional<Drop> check(std::string_view text, const FilterOptions& options);

}  // namespace tessera::data
