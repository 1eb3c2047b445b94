// SPDX-License-Identifier: MIT
// What the ranks of a run hold, and what each of them sends to others in a step.
#pragma once

#include <cstdint>
#include <vector>

#include "core/config/layout.h"
#include "core/spec/spec.h"

namespace tessera {

/// Bytes that one rank sends in a step of the longest kind, the most of all ranks. What a rank
/// sends to itself is left out.
struct LinkPlan {
  Mesh mesh;
  std::vector<Layout> places;  ///< by place of the pipeline, with the experts of its first rank

  /// To the neighbours in the pipeline: what layers pass on, and its gradients.
  double pipeline_bytes = 0;
  /// To ranks that hold the same weights: gradients summed and weights gathered, or gradients
  /// summed on all of them (parallel.zero = 0); (n - 1) / n of their bytes twice for n ranks.
  double weight_bytes = 0;
  /// To ranks that hold other experts, where every expert is taken as often as every other: tokens
  /// to their experts and what these make of them, and the gradients of both.
  double expert_bytes = 0;
  /// Ranks that hold an expert of a token, its own among them where it does, in one layer
  /// (core/placement/token_reach.h).
  double ranks_per_token = 0;
};

/// Throws Error for a mesh that the model cannot be spread over.
LinkPlan plan_links(const RunSpec& spec);

}  // namespace tessera
