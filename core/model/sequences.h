// SPDX-License-Identifier: MIT
// The tokens of a forward pass: sequences packed one after another.
#pragma once

#include "core/base/tensor.h"

namespace tessera {

/// T tokens in n sequences; token t of a sequence attends to those before it in the same sequence.
struct Sequences {
  Tensor tokens;     ///< (T) I32
  Tensor positions;  ///< (T) I32, for the rotary embedding
  Tensor starts;     ///< (n + 1) I32, see kernels/attention
  std::int64_t max_length = 0;

  std::int64_t count() const { return tokens.size(0); }
};

/// What rotates queries and keys and scales their products; changes when YaRN is switched on.
struct Rotary {
  Tensor cos, sin;  ///< (positions, d_rope / 2) F32
  float scale = 1.f;
};

}  // namespace tessera
