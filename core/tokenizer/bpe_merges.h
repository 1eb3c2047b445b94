// SPDX-License-Identifier: MIT
// Private to core/tokenizer: byte-pair encoding of one word (Sennrich et al., arXiv:1508.07909,
// algorithm 1): of all neighbours the pair of the lowest rank is joined, the leftmost of equals,
// until no pair has a rank.
#pragma once

#include <cstdint>
#include <vector>

namespace tessera {

class BpeMerges {
 public:
  struct Merge {
    std::uint32_t rank = 0;
    std::int32_t id = -1;  ///< of the joined token; -1: the pair is not joined
  };

  /// The last one said of a pair counts.
  void add(std::int32_t left, std::int32_t right, Merge merge);
  Merge find(std::int32_t left, std::int32_t right) const;

  /// Joins the tokens of a word in place. Time n log n in their number.
  void apply(std::vector<std::int32_t>& word) const;

 private:
  void apply_short(std::vector<std::int32_t>& word) const;
  void apply_long(std::vector<std::int32_t>& word) const;
  void grow();
  std::size_t slot_of(std::uint64_t pair) const;

  struct Slot {
    std::uint64_t pair = kFree;
    Merge merge;
  };
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};
  std::vector<Slot> slots_ = std::vector<Slot>(16);  // a power of two, at most half of them taken
  std::size_t taken_ = 0;
};

}  // namespace tessera
