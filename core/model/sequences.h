// SPDX-License-Identifier: MIT
// The tokens of a forward pass: sequences packed one after another.
#pragma once

#include "core/base/tensor.h"

namespace tessera {

/// How the tokens lie in sequences that several ranks share (context parallelism). Absent tensors:
/// all tokens of all sequences are here. K keys: those that a query of this rank sees.
struct ContextCut {
  Tensor keys;     ///< (K) I32: the row of each key among the shares of all ranks
  Tensor ranges;   ///< (m, 4) I32: what the queries see, see kernels/attention/attention_ranges.h
  Tensor lengths;  ///< (n) I32: tokens of the whole sequences
  std::int64_t share = 0;  ///< rows of each rank, as many as the one with the most tokens has

  explicit operator bool() const { return bool(keys); }
};

/// T tokens in n sequences; token t of a sequence attends to those before it in the same sequence.
struct Sequences {
  Tensor tokens;     ///< (T) I32
  Tensor positions;  ///< (T) I32, for the rotary embedding
  Tensor starts;     ///< (n + 1) I32, see kernels/attention
  std::int64_t max_length = 0;
  ContextCut cut{};  ///< where sequences are cut; starts then count the tokens here

  std::int64_t count() const { return tokens.size(0); }
};

/// What rotates queries and keys and scales their products; changes when YaRN is switched on.
struct Rotary {
  Tensor cos, sin;  ///< (positions, d_rope / 2) F32
  float scale = 1.f;
};

}  // namespace tessera
