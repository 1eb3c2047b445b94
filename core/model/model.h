// SPDX-License-Identifier: MIT
// A DeepSeek-V3-family model: embedding, blocks, head and the multi-token prediction module.
// Explicit layers, no tape: forward keeps in a stash exactly what backward reads.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "core/model/block.h"
#include "core/model/head.h"
#include "core/model/mtp.h"
#include "core/model/rope_table.h"

namespace tessera {

struct ModelStash {
  std::deque<BlockStash> blocks;
  Tensor hidden;  ///< (T, H) output of the last block
  HeadStash head;
  MtpStash mtp;
  Tensor mtp_embedded;
};

/// One micro-batch of training or evaluation. T tokens.
struct Microbatch {
  Sequences sequences;
  Tensor targets;      ///< (T) I32, the next token; -1: not a target
  Tensor mtp_tokens;   ///< (T) I32, the next token as input of MTP; absent: MTP is left out
  Tensor mtp_targets;  ///< (T) I32, the token after it; -1: not a target
};

/// What the gradients are of: loss_scale * sum of losses + mtp_scale * sum of MTP losses
/// + balance_scale * sum over MoE layers of the balance loss. Scales of 0 leave a term out.
struct Objective {
  double loss_scale = 0.0;     ///< 1 / targets of the whole step, for a mean; 0: no gradients
  double mtp_scale = 0.0;      ///< lambda / MTP targets of the whole step
  double balance_alpha = 0.0;  ///< weight of the sequence-wise balance loss; 0: off
  double balance_scale = 0.0;  ///< share of this micro-batch in the step's sequences
  bool operator==(const Objective&) const = default;
};

class Model {
 public:
  /// Declares and allocates; weights are zero until initialise() or a checkpoint fills them.
  /// `measuring`: shapes without memory, for dry runs of models of any size.
  Model(const ModelConfig& config, const Precision& precision, bool for_training, Device device,
        bool measuring = false);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  void initialise(std::uint64_t seed) { parameters_.initialise(seed, config_.initializer_range); }

  /// The main model up to the last block and the final norm; fills stash.blocks, hidden and head.
  void forward(Pass& pass, const Sequences& sequences, ModelStash& stash) const;

  /// Losses of a micro-batch in stash.head.losses and stash.mtp.head.losses. With a loss scale the
  /// heads' backward is done on the way, and backward() must follow.
  void forward_loss(Pass& pass, const Microbatch& batch, const Objective& objective,
                    ModelStash& stash) const;

  /// Adds the gradients of every parameter. balance_losses: (moe blocks) F64, written when the
  /// balance loss is on.
  void backward(Pass& pass, const Microbatch& batch, const Objective& objective, ModelStash& stash,
                const Tensor& balance_losses) const;

  /// After forward(): logits (to - from, vocabulary).
  void logits(Pass& pass, const ModelStash& stash, std::int64_t from, std::int64_t to,
              const Tensor& out) const;

  /// New tokens over the latent cache: x (T, H) receives the output of the last block.
  void forward_cached(Pass& pass, const CachedTokens& tokens, const LatentCache& cache,
                      const Tensor& x) const;
  /// Logits (rows, vocabulary) of rows of forward_cached()'s output.
  void logits_of(Pass& pass, const Tensor& hidden_rows, const Tensor& out) const;

  /// Switches YaRN: new rotary tables and attention scale.
  void set_yarn(const YarnConfig& yarn);

  const ModelConfig& config() const { return config_; }
  const Precision& precision() const { return precision_; }
  ParameterSet& parameters() { return parameters_; }
  const ParameterSet& parameters() const { return parameters_; }
  Device device() const { return device_; }
  bool is_measuring() const { return measuring_; }

  /// Layers with experts, the MTP module's last when it has them.
  std::int64_t moe_blocks() const;
  const Moe& moe_block(std::int64_t index) const;
  const MoeStash& moe_stash(const ModelStash& stash, std::int64_t index) const;

 private:
  Tensor embed(Pass& pass, const Tensor& tokens) const;
  Rotary rotary() const { return {table_->cos(), table_->sin(), scale_}; }
  bool has_mtp() const { return config_.num_nextn_predict_layers > 0; }

  ModelConfig config_;
  Precision precision_;
  Device device_;
  bool measuring_;
  ParameterSet parameters_;
  Parameter* embedding_ = nullptr;
  std::deque<Block> blocks_;
  std::vector<const Block*> moe_;
  Head head_;
  Mtp mtp_;
  std::optional<RopeTable> table_;
  float scale_ = 1.f;
};

}  // namespace tessera
