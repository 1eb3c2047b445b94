// SPDX-License-Identifier: MIT
#include "core/data/segment.h"

#include <algorithm>
#include <numeric>

#include "core/base/error.h"
#include "core/data/shard.h"

namespace tessera::data {

void Segment::add(double draw, std::span<const std::int32_t> tokens) {
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  ends_.push_back(static_cast<std::int64_t>(tokens_.size()));
  draws_.push_back(draw);
}

/// Those drawn below the share. From the first segment of a source more, in the order of their
/// draws, until there are min_tokens or a twentieth of it: small sources are validated on, too.
std::vector<bool> Segment::choose_held_out(const HeldOut& held_out, bool first) const {
  std::vector<bool> chosen(draws_.size(), false);
  if (held_out.share <= 0) return chosen;
  std::vector<std::size_t> order(draws_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return draws_[a] < draws_[b]; });
  const std::int64_t least = first ? std::min(held_out.min_tokens, tokens() / 20) : 0;
  std::int64_t taken = 0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const std::size_t at = order[rank];
    const bool enough = taken >= least || rank + 1 == order.size();  // never the last one
    if (draws_[at] >= held_out.share && enough) break;
    chosen[at] = true;
    taken += ends_[at] - (at == 0 ? 0 : ends_[at - 1]);
  }
  return chosen;
}

Segment::Written Segment::write(const std::filesystem::path& folder, const std::string& source,
                                std::int64_t number, const Tokenizer& tokenizer,
                                const HeldOut& held_out) {
  const std::vector<bool> chosen = choose_held_out(held_out, number == 0);
  Written written;
  for (const char* split : {kTrainSplit, kHeldOutSplit}) {
    const bool wanted = split == kHeldOutSplit;
    ShardWriter writer({0, 0, tokenizer.vocab_size(), tokenizer.hash(), source, split, {}});
    for (std::size_t at = 0; at < ends_.size(); ++at) {
      const std::int64_t from = at == 0 ? 0 : ends_[at - 1];
      if (chosen[at] == wanted)
        writer.add({tokens_.data() + from, static_cast<std::size_t>(ends_[at] - from)});
    }
    if (writer.documents() == 0) continue;
    const std::string file = fmt::format("{}-{}-{:05}.tokens", source, split, number);
    const ShardInfo info = writer.write(folder / file);
    written.shards.push_back({file, split, info.documents, info.tokens});
    if (!wanted) continue;
    written.documents_held_out = info.documents;
    written.tokens_held_out = info.tokens;
  }
  tokens_.clear();
  ends_.clear();
  draws_.clear();
  return written;
}

}  // namespace tessera::data
