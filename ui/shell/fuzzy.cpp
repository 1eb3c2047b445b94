// SPDX-License-Identifier: MIT
#include "ui/shell/fuzzy.h"

#include <QList>
#include <algorithm>

namespace tessera::ui {

namespace {

constexpr int kLetter = 1, kTogether = 4, kWordStart = 6, kWholeText = 20, kGap = 1;

bool startsWord(QStringView text, qsizetype at) {
  if (at == 0) return true;
  const QChar before = text[at - 1], here = text[at];
  return (!before.isLetterOrNumber() && here.isLetterOrNumber()) ||
         (before.isLower() && here.isUpper());
}

/// One word, from a place on: first its letters as they stand, then scattered ones.
int matchWord(QStringView word, QStringView text, std::vector<int>& positions) {
  qsizetype best = -1;
  for (qsizetype at = text.indexOf(word, 0, Qt::CaseInsensitive); at >= 0;
       at = text.indexOf(word, at + 1, Qt::CaseInsensitive)) {
    if (best < 0 || (startsWord(text, at) && !startsWord(text, best))) best = at;
  }
  if (best >= 0) {
    for (qsizetype i = 0; i < word.size(); ++i) positions.push_back(static_cast<int>(best + i));
    return static_cast<int>(word.size()) * (kLetter + kTogether) +
           (startsWord(text, best) ? kWordStart : 0) -
           static_cast<int>(std::min<qsizetype>(best, 5));
  }
  int score = 0;
  qsizetype at = 0, last = -2;
  for (const QChar letter : word) {
    // The next beginning of a word is preferred to a letter inside of one.
    qsizetype found = -1;
    for (qsizetype i = at; i < text.size(); ++i) {
      if (text[i].toCaseFolded() != letter.toCaseFolded()) continue;
      if (found < 0) found = i;
      if (i == last + 1 || startsWord(text, i)) {
        found = i;
        break;
      }
    }
    if (found < 0) return -1;
    score += kLetter + (found == last + 1 ? kTogether : 0) +
             (startsWord(text, found) ? kWordStart : 0) -
             (last >= 0 && found > last + 1 ? kGap : 0);
    positions.push_back(static_cast<int>(found));
    last = found;
    at = found + 1;
  }
  return std::max(score, 0);
}

}  // namespace

FuzzyMatch fuzzyMatch(QStringView pattern, QStringView text) {
  FuzzyMatch match{0, {}};
  for (const QStringView word : pattern.split(u' ', Qt::SkipEmptyParts)) {
    const int score = matchWord(word, text, match.positions);
    if (score < 0) return {};
    match.score += score;
  }
  if (!match.positions.empty() && pattern.trimmed().compare(text, Qt::CaseInsensitive) == 0) {
    match.score += kWholeText;
  }
  std::sort(match.positions.begin(), match.positions.end());
  const auto end = std::unique(match.positions.begin(), match.positions.end());
  match.positions.erase(end, match.positions.end());
  return match;
}

}  // namespace tessera::ui
