// SPDX-License-Identifier: MIT
// Consecutive layers of a model, with what comes before and behind them: one stage of a pipeline,
// or all of the model. Explicit layers, no tape: forward keeps in a stash exactly what backward
// reads.
#pragma once

#include <deque>
#include <vector>

#include "core/config/layout.h"
#include "core/model/block.h"
#include "core/model/head.h"
#include "core/model/mtp.h"

namespace tessera {

/// What one micro-batch leaves behind in a part, until its backward is done.
struct PartStash {
  std::deque<BlockStash> blocks;
  Tensor hidden;        ///< (T, H) output of the last layer
  HeadStash head;       ///< of the last part
  MtpStash mtp;         ///< likewise
  Tensor mtp_embedded;  ///< (T, H)
};

/// One micro-batch of training or evaluation. T tokens.
struct Microbatch {
  Sequences sequences;
  Tensor targets;      ///< (T) I32, the next token; -1: not a target
  Tensor weights;      ///< (T) activation type, of the losses of targets; absent: 1
  Tensor mtp_tokens;   ///< (T) I32, the next token as input of MTP; absent: MTP is left out
  Tensor mtp_targets;  ///< (T) I32, the token after it; -1: not a target
  Tensor mtp_weights;  ///< (T) the same of mtp_targets
};

/// What the gradients are of: loss_scale * sum of losses + mtp_scale * sum of MTP losses
/// + balance_scale * sum over MoE layers of the balance loss. Scales of 0 leave a term out.
struct Objective {
  double loss_scale = 0.0;     ///< 1 / weight of the whole step's targets; 0: no gradients
  double mtp_scale = 0.0;      ///< lambda / weight of the step's MTP targets
  double balance_alpha = 0.0;  ///< weight of the sequence-wise balance loss; 0: off
  double balance_scale = 0.0;  ///< share of this micro-batch in the step's sequences
  bool operator==(const Objective&) const = default;
};

/// Weights that parts share: a rank that holds the first and the last one has them once.
struct SharedWeights {
  Parameter* tokens = nullptr;  ///< the token table; null where no part of the rank reads it
  Parameter* tail = nullptr;    ///< the same as the last part reads it, with its gradients
  Linear output;                ///< the head's product
};

class ModelPart {
 public:
  /// Declares the weights of the stage's layers and of what is behind them.
  void declare(ParameterSet& parameters, const ModelConfig& config, const PipelineStage& stage,
               const ExpertRange& experts, const SharedWeights& shared);

  /// x (T, H): what the part before put out; absent where this one begins with the token table.
  /// Fills stash.blocks and stash.hidden, which the next part takes, and on the last part the
  /// normed state of the head.
  void forward(Pass& pass, const Sequences& sequences, const Rotary& rotary, const Tensor& x,
               PartStash& stash) const;

  /// On the last part, after forward(): losses of the micro-batch in stash.head.losses and
  /// stash.mtp.head.losses. With a loss scale the heads' backward is done on the way, and
  /// backward() must follow.
  void losses(Pass& pass, const Microbatch& batch, const Rotary& rotary, const LossTerm& term,
              const Objective& objective, PartStash& stash) const;

  /// Adds the gradients of every parameter of the part. dx (T, H): the gradient of the part's
  /// output, on the last part stash.head.dx; becomes that of its input. balance_losses:
  /// (moe_blocks()) F64, written when the balance loss is on.
  void backward(Pass& pass, const Microbatch& batch, const Rotary& rotary,
                const Objective& objective, const PartStash& stash, const Tensor& balance_losses,
                const Tensor& dx) const;

  /// New tokens over the latent cache: x (T, H), the output of the part before or room for the
  /// tokens' embedding, receives the output of the last layer.
  void forward_cached(Pass& pass, const CachedTokens& tokens, const Rotary& rotary,
                      const LatentCache& cache, const Tensor& x) const;

  /// For all layers with experts.
  void set_exchange(const ExpertExchange& exchange);
  /// For all layers, where sequences are cut over ranks.
  void set_context(const ContextExchange& exchange);

  const PipelineStage& stage() const { return stage_; }
  const Head& head() const { return head_; }
  /// Whether the part declared the parameter; the token table is of none.
  bool has(std::size_t parameter) const {
    return parameter >= first_parameter_ && parameter < end_parameter_;
  }
  /// Layers with experts, the MTP module's last when it has them.
  const std::vector<const Block*>& moe_blocks() const { return moe_; }
  const MoeStash& moe_stash(const PartStash& stash, std::int64_t index) const;

 private:
  Tensor embed(Pass& pass, const Tensor& tokens) const;

  PipelineStage stage_;
  std::int64_t hidden_ = 0;
  bool has_mtp_ = false;
  std::size_t first_parameter_ = 0, end_parameter_ = 0;  ///< in the order of declarations
  SharedWeights shared_;
  std::deque<Block> blocks_;
  std::vector<const Block*> moe_;
  Head head_;
  Mtp mtp_;
};

}  // namespace tessera
