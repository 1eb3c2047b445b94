// SPDX-License-Identifier: MIT
#include "core/tokenizer/bpe_merges.h"

#include <queue>

namespace tessera {

namespace {
/// Up to here a scan for the best pair is quicker than a queue.
constexpr std::size_t kShortWord = 24;

std::uint64_t pair_of(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
         static_cast<std::uint32_t>(right);
}

/// A joining that may be done: of the symbol at `at` with the one that followed it then.
struct Candidate {
  std::uint32_t rank;
  std::uint32_t at;
  std::int32_t left, right, joined;

  /// The queue gives the greatest first.
  bool operator<(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : at > other.at;
  }
};

/// A symbol of a word as a list: neighbours by index; -1: none.
struct Symbol {
  std::int32_t id, before, behind;
};
}  // namespace

std::size_t BpeMerges::slot_of(std::uint64_t pair) const {
  const std::size_t mask = slots_.size() - 1;
  std::uint64_t hash = pair * 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio (Knuth 6.4)
  std::size_t at = static_cast<std::size_t>(hash ^ hash >> 32) & mask;
  while (slots_[at].pair != pair && slots_[at].pair != kFree) at = (at + 1) & mask;
  return at;
}

void BpeMerges::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.pair != kFree) slots_[slot_of(slot.pair)] = slot;
  }
}

void BpeMerges::add(std::int32_t left, std::int32_t right, Merge merge) {
  if (2 * (taken_ + 1) > slots_.size()) grow();
  Slot& slot = slots_[slot_of(pair_of(left, right))];
  if (slot.pair == kFree) ++taken_;
  slot = {pair_of(left, right), merge};
}

BpeMerges::Merge BpeMerges::find(std::int32_t left, std::int32_t right) const {
  return slots_[slot_of(pair_of(left, right))].merge;
}

void BpeMerges::apply(std::vector<std::int32_t>& word) const {
  if (word.size() < 2) return;
  if (word.size() <= kShortWord) {
    apply_short(word);
  } else {
    apply_long(word);
  }
}

void BpeMerges::apply_short(std::vector<std::int32_t>& word) const {
  Merge ranks[kShortWord];
  for (std::size_t i = 0; i + 1 < word.size(); ++i) ranks[i] = find(word[i], word[i + 1]);
  while (word.size() > 1) {
    std::size_t best = word.size();
    for (std::size_t i = 0; i + 1 < word.size(); ++i) {
      if (ranks[i].id >= 0 && (best == word.size() || ranks[i].rank < ranks[best].rank)) best = i;
    }
    if (best == word.size()) return;
    word[best] = ranks[best].id;
    word.erase(word.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    for (std::size_t i = best + 1; i + 1 < word.size(); ++i) ranks[i] = ranks[i + 1];
    if (best > 0) ranks[best - 1] = find(word[best - 1], word[best]);
    if (best + 1 < word.size()) ranks[best] = find(word[best], word[best + 1]);
  }
}

void BpeMerges::apply_long(std::vector<std::int32_t>& word) const {
  const auto size = static_cast<std::int32_t>(word.size());
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  for (std::int32_t i = 0; i < size; ++i) {
    symbols.push_back({word[static_cast<std::size_t>(i)], i - 1, i + 1 < size ? i + 1 : -1});
  }
  std::priority_queue<Candidate> queue;
  const auto symbol = [&](std::int32_t at) -> Symbol& {
    return symbols[static_cast<std::size_t>(at)];
  };
  const auto offer = [&](std::int32_t at) {
    if (at < 0 || symbol(at).behind < 0) return;
    const std::int32_t left = symbol(at).id, right = symbol(symbol(at).behind).id;
    const Merge merge = find(left, right);
    if (merge.id < 0) return;
    queue.push({merge.rank, static_cast<std::uint32_t>(at), left, right, merge.id});
  };
  for (std::int32_t i = 0; i < size; ++i) offer(i);
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    Symbol& left = symbol(static_cast<std::int32_t>(top.at));
    if (left.id != top.left || left.behind < 0 || symbol(left.behind).id != top.right) continue;
    symbol(left.behind).id = -1;  // gone
    left.id = top.joined;
    left.behind = symbol(left.behind).behind;
    if (left.behind >= 0) symbol(left.behind).before = static_cast<std::int32_t>(top.at);
    offer(left.before);
    offer(static_cast<std::int32_t>(top.at));
  }
  word.clear();
  for (std::int32_t at = 0; at >= 0; at = symbol(at).behind) word.push_back(symbol(at).id);
}

}  // namespace tessera
