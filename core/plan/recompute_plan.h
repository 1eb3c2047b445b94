// SPDX-License-Identifier: MIT
// What each choice of recomputation (core/config/recompute.h) saves and costs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/model_config.h"
#include "core/config/precision.h"
#include "core/config/recompute.h"

namespace tessera {

/// One choice, with the others as the spec has them.
struct RecomputeChoice {
  std::string id;    ///< "norms", as in parallel.recompute
  std::string name;  ///< for people
  bool chosen = false;
  /// Memory of the rank that needs most without it less memory with it; below 0 where temporaries
  /// grow by more than what is not kept.
  std::int64_t saved_bytes = 0;
  double flops_per_token = 0;  ///< operations that it adds for one token
  double share_of_step = 0;    ///< these of training_flops_per_token()
};

/// Operations that backward does again for one token of the main model, without MTP. Products count
/// 2 for each weight, scores of attention half of their square, norms 4 and rotary positions 3 for
/// each element. What the recipe does again whatever is chosen is not counted: blockwise makes
/// norms, keys and values again (DeepSeek-V3 report, section 3.2.3).
double recompute_flops_per_token(const ModelConfig& config, const Precision& precision,
                                 const Recompute& recompute, std::int64_t sequence_length);

/// All choices but for what they save.
std::vector<RecomputeChoice> recompute_choices(const ModelConfig& config,
                                               const Precision& precision, const Recompute& chosen,
                                               std::int64_t sequence_length);

/// `chosen` with one choice on or off.
Recompute with_choice(Recompute chosen, const std::string& id, bool on);

}  // namespace tessera
