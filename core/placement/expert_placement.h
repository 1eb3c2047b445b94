// SPDX-License-Identifier: MIT
// Redundant experts from measured load: experts that many tokens go to are held several times, and
// replicas are laid on ranks so that every rank has about the same to do. The method is DeepSeek's
// EPLB (github.com/deepseek-ai/EPLB, 2025): where nodes divide routing groups, groups are first
// laid on nodes, so that a token that is limited to few groups still reaches few nodes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tessera {

/// What replicas are laid on.
struct PlacementRequest {
  std::int64_t replicas = 0;  ///< of all experts of a layer together, one of each at least
  std::int64_t groups = 1;    ///< routing groups
  std::int64_t nodes = 1;
  std::int64_t ranks = 1;  ///< of all nodes; each holds replicas / ranks
};

/// Of one layer.
struct ExpertPlacement {
  /// The expert of each place; rank r has the places from r * replicas / ranks on.
  std::vector<std::int32_t> expert_of_place;
  std::vector<std::int32_t> replicas_of_expert;

  /// The places of an expert, in their order.
  std::vector<std::int32_t> places_of(std::int32_t expert) const;
};

/// `loads`: tokens of each expert in a while. The lower expert wins a tie. Throws Error naming the
/// number that does not divide the other.
ExpertPlacement place_experts(std::span<const double> loads, const PlacementRequest& request);

/// Tokens of each rank, if those of an expert are spread evenly over its replicas.
std::vector<double> rank_loads(const ExpertPlacement& placement, std::span<const double> loads,
                               std::int64_t ranks);

}  // namespace tessera
