// SPDX-License-Identifier: MIT
// Final norm, output head and loss. Logits exist for a slice of the tokens at a time: the loss and
// the gradients come out of one pass over the slices, and the whole (T, vocabulary) is never kept.
#pragma once

#include "core/model/layers.h"

namespace tessera {

struct HeadStash {
  Tensor x;       ///< (T, H) input of the norm
  Tensor rstd;    ///< (T)
  Tensor normed;  ///< (T, H) operand type
  Tensor losses;  ///< (T) cross-entropy of each token, 0 where the target is -1
  Tensor dx;      ///< (T, H) gradient of x; only when training
};

/// The weights: each may be shared (head with the embedding or between the main model and MTP).
struct Head {
  Norm norm;
  Linear output;

  /// x (T, H); fills x, rstd and normed.
  void normalise(Pass& pass, const Tensor& x, HeadStash& stash) const;

  /// After normalise(): losses against targets (T) I32, -1 ignored. With gradient_scale != 0 also
  /// the gradient of gradient_scale * sum(losses): in stash.dx and added to the weights'.
  void loss(Pass& pass, const Tensor& targets, double gradient_scale, HeadStash& stash) const;

  /// After normalise(): logits (rows, vocabulary) of rows [from, to).
  void logits(Pass& pass, const HeadStash& stash, std::int64_t from, std::int64_t to,
              const Tensor& out) const;
};

}  // namespace tessera
