// SPDX-License-Identifier: MIT
// Which weights a rank updates (ZeRO-1): the ranks that share parameters cut them into shares, and
// each keeps the moments of its own share alone.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/config/layout.h"
#include "core/model/parameters.h"

namespace tessera {

/// For each kind of sharing: how many ranks share its parameters, and which of them this one is.
struct SharingRanks {
  std::array<std::int64_t, 3> count{1, 1, 1}, index{0, 0, 0};
  bool experts_apart = false;  ///< experts are shared by other ranks than the rest of a stage
  bool ends_apart = false;     ///< two stages hold the token table

  /// The kind that stands for this one where the same ranks share both.
  Sharing kind_of(Sharing s) const {
    const bool apart = s == Sharing::Experts ? experts_apart : s == Sharing::Ends && ends_apart;
    return apart ? s : Sharing::Stage;
  }

  std::int64_t count_of(Sharing s) const { return count[static_cast<std::size_t>(s)]; }
  std::int64_t index_of(Sharing s) const { return index[static_cast<std::size_t>(s)]; }
  bool is_alone() const { return count == std::array<std::int64_t, 3>{1, 1, 1}; }
};

/// Those of a rank of a mesh.
SharingRanks sharing_ranks(const Mesh& mesh, const MeshPlace& place);

/// A run of the flat arrays of values and gradients, whose parameters the same ranks share: a share
/// for each of them, one behind the other, and a rest of fewer than 16 elements a rank, which all
/// of them update.
struct Bucket {
  Sharing sharing = Sharing::Stage;
  std::int64_t from = 0, end = 0;  ///< elements
  std::int64_t share = 0;          ///< elements of one rank
  std::int64_t ranks = 1;

  std::int64_t rest() const { return from + ranks * share; }  ///< where the rest begins
};

/// What one message carries at most.
inline constexpr std::int64_t kBucketElements = std::int64_t{1} << 24;

/// All parameters that are trained, in their order.
std::vector<Bucket> buckets_of(const ParameterSet& parameters, const SharingRanks& ranks,
                               std::int64_t most_elements = kBucketElements);

/// Elements of a parameter, as this rank holds it.
struct Piece {
  const Parameter* parameter = nullptr;
  std::int64_t first = 0, count = 0;
};

/// All elements that are trained.
std::vector<Piece> all_pieces(const ParameterSet& parameters);
/// Those that this rank updates: its shares, and the rests.
std::vector<Piece> own_pieces(const ParameterSet& parameters, std::span<const Bucket> buckets,
                              const SharingRanks& ranks);

}  // namespace tessera
