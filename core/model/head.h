// SPDX-License-Identifier: MIT
// Final norm, output head and loss. Logits exist for a slice of the tokens at a time: the loss and
// the gradients come out of one pass over the slices, and the whole (T, vocabulary) is never kept.
#pragma once

#include "core/model/layers.h"
#include "core/model/loss_term.h"

namespace tessera {

struct HeadStash {
  Tensor x;       ///< (T, H) input of the norm
  Tensor rstd;    ///< (T)
  Tensor normed;  ///< (T, H) operand type; with Recompute::norms absent
  Tensor losses;  ///< (T) of each token, 0 where it has no target
  Tensor dx;      ///< (T, H) gradient of x; only when training
};

/// The weights: each may be shared (head with the embedding or between the main model and MTP).
struct Head {
  Norm norm;
  Linear output;

  /// x (T, H); fills x, rstd and normed. With Recompute::norms rows are normed when they are read.
  void normalise(Pass& pass, const Tensor& x, HeadStash& stash) const;

  /// After normalise(): the losses of the term in stash.losses. Where it has a gradient, that too:
  /// in stash.dx and added to the weights'.
  void loss(Pass& pass, const LossTerm& term, HeadStash& stash) const;

  /// After normalise(): logits (rows, vocabulary) of rows [from, to).
  void logits(Pass& pass, const HeadStash& stash, std::int64_t from, std::int64_t to,
              const Tensor& out) const;

 private:
  Tensor normed_rows(Pass& pass, const HeadStash& stash, std::int64_t from, std::int64_t to) const;
};

}  // namespace tessera
