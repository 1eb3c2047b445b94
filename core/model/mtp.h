// SPDX-License-Identifier: MIT
// Multi-token prediction, depth 1 (DeepSeek-V3 report, section 2.2, eq. 21 to 25): from the hidden
// state at i and the embedding of token i + 1, one more block predicts token i + 2.
//
// NOTE: the report writes M [norm(h); norm(emb)]; every released weight is eh_proj over
// [enorm(emb); hnorm(h)], which is what is computed here. h is the last block's output before the
// final norm, as the report's figure 3 draws it.
#pragma once

#include <string>

#include "core/model/block.h"
#include "core/model/head.h"

namespace tessera {

struct MtpStash {
  Tensor hidden, embedded;            ///< (T, H) both inputs
  Tensor hidden_rstd, embedded_rstd;  ///< (T)
  /// (T, 2 H) operand type: [enorm(emb); hnorm(h)]; with Recompute::norms not kept
  Tensor joined;
  Operand joined_operand;
  BlockStash block;
  HeadStash head;
};

class Mtp {
 public:
  /// Declares the module's own weights under "model.layers.<num_hidden_layers>."; embedding and
  /// output head are the main model's.
  void declare(ParameterSet& parameters, const ModelConfig& config, const ExpertRange& experts,
               const Linear& output);

  /// The losses of `term`, of the tokens two places ahead, in stash.head.losses, and where it has a
  /// gradient that of the head too. hidden, embedded (T, H).
  void forward(Pass& pass, const Tensor& hidden, const Tensor& embedded, const Sequences& sequences,
               const Rotary& rotary, const LossTerm& term, MtpStash& stash) const;

  /// d_embedded, written; d_hidden += what comes back to the main model's hidden states.
  void backward(Pass& pass, const Sequences& sequences, const Rotary& rotary, const MtpStash& stash,
                const BalanceTerm& balance, const Tensor& d_embedded, const Tensor& d_hidden) const;

  void set_exchange(const ExpertExchange& exchange) { block_.set_exchange(exchange); }
  void set_context(const ContextExchange& exchange) { block_.set_context(exchange); }
  const Block& block() const { return block_; }

 private:
  Operand saved_join(Pass& pass, const MtpStash& stash) const;

  Norm embedding_norm_, hidden_norm_;
  Linear join_;
  Block block_;
  Head head_;
};

}  // namespace tessera
