// SPDX-License-Identifier: MIT
// The memory of a training step, found by running the step without touching memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/model/model.h"

namespace tessera {

struct StepMemory {
  std::size_t keep_bytes = 0;     ///< what forward keeps for backward, logits and targets included
  std::size_t scratch_bytes = 0;  ///< temporaries, at their most
};

/// What one micro-batch of `sequences` sequences of `length` tokens takes, with gradients. Exact:
/// the same code asks for the same memory in every step.
StepMemory measure_step_memory(const Model& model, std::int64_t sequences, std::int64_t length,
                               bool with_balance_loss);

}  // namespace tessera
