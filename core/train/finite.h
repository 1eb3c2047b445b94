// SPDX-License-Identifier: MIT
// Whether what a checkpoint would hold is made of numbers.
#pragma once

#include <string>

#include "core/checkpoint/checkpoint.h"

namespace tessera {

/// Name of the first tensor of weights and optimiser that holds an infinity or a NaN; empty: none.
/// Reads F32, F64, BF16 and F16 tensors, also of a GPU; others are integers and always pass.
std::string first_not_finite(const CheckpointContents& contents);

}  // namespace tessera
