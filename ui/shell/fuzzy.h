// SPDX-License-Identifier: MIT
// Fuzzy matching for the palette: every word of the pattern must be in the text, its letters in
// order; beginnings of words and letters that stand together rate higher.
#pragma once

#include <QString>
#include <vector>

namespace tessera::ui {

struct FuzzyMatch {
  int score = -1;              ///< below 0: no match
  std::vector<int> positions;  ///< where letters matched, ascending
};

/// An empty pattern matches everything with a score of 0.
FuzzyMatch fuzzyMatch(QStringView pattern, QStringView text);

}  // namespace tessera::ui
