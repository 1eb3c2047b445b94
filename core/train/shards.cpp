// SPDX-License-Identifier: MIT
#include "core/train/shards.h"

#include <algorithm>

namespace tessera {

namespace {
/// Shares begin at multiples of 64 bytes, as the operations like to read them.
constexpr std::int64_t kShareElements = 16;

Bucket bucket(Sharing sharing, std::int64_t from, std::int64_t end, std::int64_t ranks) {
  const std::int64_t share = (end - from) / ranks / kShareElements * kShareElements;
  return {.sharing = sharing, .from = from, .end = end, .share = share, .ranks = ranks};
}
}  // namespace

SharingRanks sharing_ranks(const Mesh& mesh, const MeshPlace& place) {
  SharingRanks ranks;
  const auto set = [&](Sharing sharing, std::int64_t count, std::int64_t index) {
    ranks.count[static_cast<std::size_t>(sharing)] = count;
    ranks.index[static_cast<std::size_t>(sharing)] = index;
  };
  // Each stage is held by all ranks of data and context, and by those of the mirrored place too in
  // DualPipe.
  const auto holders = static_cast<std::int64_t>(mesh.shape().routes().size()) * mesh.replicas();
  const std::int64_t index = mesh.shape().first_holder(place.pipeline) == place.pipeline
                                 ? place.replica
                                 : mesh.replicas() + place.replica;
  set(Sharing::Stage, holders, index);
  set(Sharing::Ends, holders, index);
  set(Sharing::Experts, holders / mesh.expert, index / mesh.expert);
  ranks.experts_apart = mesh.expert > 1;
  ranks.ends_apart = mesh.pipeline > 1 && !mesh.shape().ends_meet();
  return ranks;
}

std::vector<Bucket> buckets_of(const ParameterSet& parameters, const SharingRanks& ranks,
                               std::int64_t most_elements) {
  std::vector<FlatRun> runs;
  for (FlatRun run : parameters.runs()) {
    run.sharing = ranks.kind_of(run.sharing);
    if (!runs.empty() && runs.back().sharing == run.sharing) {
      runs.back().end = run.end;
    } else {
      runs.push_back(run);
    }
  }
  std::vector<Bucket> buckets;
  for (const FlatRun& run : runs) {
    const std::int64_t count = ranks.count_of(run.sharing);
    for (std::int64_t from = run.from; from < run.end; from += most_elements) {
      buckets.push_back(bucket(run.sharing, from, std::min(run.end, from + most_elements), count));
    }
  }
  return buckets;
}

std::vector<Piece> all_pieces(const ParameterSet& parameters) {
  std::vector<Piece> pieces;
  for (const Parameter& p : parameters.all()) {
    if (p.trained) pieces.push_back({&p, 0, p.value.numel()});
  }
  return pieces;
}

std::vector<Piece> own_pieces(const ParameterSet& parameters, std::span<const Bucket> buckets,
                              const SharingRanks& ranks) {
  std::vector<Piece> pieces;
  const auto add = [&](const Parameter& p, std::int64_t from, std::int64_t end) {
    const std::int64_t first = std::max<std::int64_t>(from - p.flat_first, 0);
    const std::int64_t until = std::min(end - p.flat_first, p.value.numel());
    if (until <= first) return;
    // Shares and rests that meet are one piece.
    if (!pieces.empty() && pieces.back().parameter == &p &&
        pieces.back().first + pieces.back().count == first) {
      pieces.back().count += until - first;
    } else {
      pieces.push_back({&p, first, until - first});
    }
  };
  std::size_t first = 0;  // of the buckets that reach into the parameter or lie behind it
  for (const Parameter& p : parameters.all()) {
    if (!p.trained) continue;
    while (first < buckets.size() && buckets[first].end <= p.flat_first) ++first;
    const std::int64_t p_end = p.flat_first + p.value.numel();
    for (std::size_t i = first; i < buckets.size() && buckets[i].from < p_end; ++i) {
      const Bucket& b = buckets[i];
      const std::int64_t own = b.from + ranks.index_of(b.sharing) * b.share;
      add(p, own, own + b.share);
      add(p, b.rest(), b.end);
    }
  }
  return pieces;
}

}  // namespace tessera
