// SPDX-License-Identifier: MIT
// The memory of a training step, found by running the step without touching memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/model/model.h"

namespace tessera {

struct StepMemory {
  /// What a micro-batch keeps from its forward to the end of its backward, logits and targets
  /// included: the most of those parts of the model that this rank holds.
  std::size_t keep_bytes = 0;
  std::vector<std::size_t> keep_bytes_of_parts;  ///< the same of each part, in their order
  std::size_t again_bytes = 0;    ///< a block that backward makes again: one at a time
  std::size_t scratch_bytes = 0;  ///< temporaries, at their most
};

/// When the gradients of weights are made.
enum class WeightGradients : std::uint8_t {
  AtOnce,  ///< with those of inputs
  Later,   ///< in an action of their own, which keeps what they are made of
  Either,  ///< the one for some micro-batches, the other for the rest
};
WeightGradients weight_gradients_of(const PipelineShape& shape);

/// What one micro-batch of `sequences` sequences of `length` tokens takes, with gradients, as
/// Model::recompute() says. Exact: the same code asks for the same memory in every step. `place`:
/// which part of the sequences the rank has, where ranks of context share them.
StepMemory measure_step_memory(const Model& model, std::int64_t sequences, std::int64_t length,
                               bool with_balance_loss,
                               WeightGradients weights = WeightGradients::AtOnce,
                               const ContextPlace& place = {});

}  // namespace tessera
