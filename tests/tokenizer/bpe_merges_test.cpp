// SPDX-License-Identifier: MIT
#include "core/tokenizer/bpe_merges.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace tessera {
namespace {

using Ids = std::vector<std::int32_t>;

/// The definition, word for word: the lowest rank of all neighbours, the leftmost of equals.
Ids plain(Ids word, const std::map<std::pair<int, int>, BpeMerges::Merge>& merges) {
  for (;;) {
    std::size_t best = word.size();
    std::uint32_t rank = 0;
    for (std::size_t i = 0; i + 1 < word.size(); ++i) {
      const auto found = merges.find({word[i], word[i + 1]});
      if (found == merges.end() || (best < word.size() && found->second.rank >= rank)) continue;
      best = i;
      rank = found->second.rank;
    }
    if (best == word.size()) return word;
    word[best] = merges.at({word[best], word[best + 1]}).id;
    word.erase(word.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(BpeMerges, AreDoneInTheOrderOfTheirRanks) {
  std::mt19937 random(7);
  for (int round = 0; round < 40; ++round) {
    // Symbols 0 to 3; each merge joins two that are there into a new one.
    BpeMerges merges;
    std::map<std::pair<int, int>, BpeMerges::Merge> known;
    int symbols = 4;
    for (std::uint32_t rank = 0; rank < 40; ++rank) {
      const int left = static_cast<int>(random() % static_cast<unsigned>(symbols));
      const int right = static_cast<int>(random() % static_cast<unsigned>(symbols));
      if (known.contains({left, right})) continue;
      known[{left, right}] = {rank, symbols};
      merges.add(left, right, {rank, symbols++});
    }
    for (const std::size_t size : {0, 1, 2, 3, 9, 23, 24, 25, 60, 400}) {  // scanned, and queued
      Ids word;
      for (std::size_t i = 0; i < size; ++i) word.push_back(static_cast<int>(random() % 4));
      Ids joined = word;
      merges.apply(joined);
      ASSERT_EQ(joined, plain(word, known)) << "round " << round << ", " << size << " symbols";
    }
  }
}

TEST(BpeMerges, OfOnePairTheLastCounts) {
  BpeMerges merges;
  merges.add(1, 2, {0, 8});
  merges.add(1, 2, {5, 9});
  EXPECT_EQ(merges.find(1, 2).rank, 5u);
  EXPECT_EQ(merges.find(1, 2).id, 9);
  EXPECT_EQ(merges.find(2, 1).id, -1);
  Ids word = {1, 2, 1};
  merges.apply(word);
  EXPECT_EQ(word, (Ids{9, 1}));
}

}  // namespace
}  // namespace tessera
