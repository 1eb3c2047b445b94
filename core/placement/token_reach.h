// SPDX-License-Identifier: MIT
// How far tokens travel: to how many owners of experts (nodes or ranks) a token goes, which is what
// a dispatch that sends it to each owner once has to send.
#pragma once

#include <cstdint>
#include <span>

namespace tessera {

/// What `owners` hold evenly of `experts`, of which a token takes `top_k`.
struct ExpertOwners {
  std::int64_t experts = 1, owners = 1, top_k = 1;
};

/// Owners of a token that takes any `top_k` experts with equal chance:
/// owners * (1 - C(experts - experts / owners, top_k) / C(experts, top_k)).
double expected_reach(const ExpertOwners& of);

/// What was counted.
struct TokenReach {
  std::int64_t tokens = 0;
  std::int64_t owners = 0;  ///< of all tokens together, each once a token
  std::int64_t picks = 0;   ///< tokens times top_k

  double owners_per_token() const;
  /// The share that is saved against one copy for each pick.
  double saved_against_copies() const;
  /// The same against a routing whose tokens have so many owners, each sent to once.
  double saved_against(double owners_per_token) const;
};

/// `picks` (tokens, top_k): the experts of each token, none of them twice. Throws Error for an
/// expert that is not there.
TokenReach count_reach(std::span<const std::int32_t> picks, const ExpertOwners& of);

}  // namespace tessera
