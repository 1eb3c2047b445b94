// SPDX-License-Identifier: MIT
// A DeepSeek-V3-family model, or what one rank holds of it: embedding, blocks, head and the
// multi-token prediction module, in parts.
#pragma once

#include <deque>
#include <optional>

#include "core/model/model_part.h"
#include "core/model/rope_table.h"

namespace tessera {

/// That of a model in one part.
using ModelStash = PartStash;

class Model {
 public:
  /// Declares and allocates; weights are zero until initialise() or a checkpoint fills them.
  /// `measuring`: shapes without memory, for dry runs of models of any size.
  Model(const ModelConfig& config, const Precision& precision, bool for_training, Device device,
        bool measuring = false)
      : Model(config, precision, whole_layout(config), for_training, device, measuring) {}
  /// What the layout says of it.
  Model(const ModelConfig& config, const Precision& precision, const Layout& layout,
        bool for_training, Device device, bool measuring = false);
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  void initialise(std::uint64_t seed) { parameters_.initialise(seed, config_.initializer_range); }

  // ---- A model in one part --------------------------------------------------------------------

  /// The main model up to the last block and the final norm; fills stash.blocks, hidden and head.
  void forward(Pass& pass, const Sequences& sequences, ModelStash& stash) const;

  /// Losses of a micro-batch in stash.head.losses and stash.mtp.head.losses. With a loss scale the
  /// heads' backward is done on the way, and backward() must follow.
  void forward_loss(Pass& pass, const Microbatch& batch, const Objective& objective,
                    ModelStash& stash) const;
  /// The same with another term than the cross-entropy for the main model's head.
  void forward_loss(Pass& pass, const Microbatch& batch, const LossTerm& term,
                    const Objective& objective, ModelStash& stash) const;

  /// Adds the gradients of every parameter. balance_losses: (moe blocks) F64, written when the
  /// balance loss is on.
  void backward(Pass& pass, const Microbatch& batch, const Objective& objective,
                const ModelStash& stash, const Tensor& balance_losses) const;

  /// After forward(): logits (to - from, vocabulary).
  void logits(Pass& pass, const ModelStash& stash, std::int64_t from, std::int64_t to,
              const Tensor& out) const;

  /// New tokens over the latent cache: x (T, H) receives the output of the last block.
  void forward_cached(Pass& pass, const CachedTokens& tokens, const LatentCache& cache,
                      const Tensor& x) const;

  // ---- Any model ------------------------------------------------------------------------------

  /// New tokens over the latent cache, through one part: x (T, H), the output of the part before
  /// where there is one, receives the output of this part's last block.
  void forward_cached(Pass& pass, const ModelPart& part, const CachedTokens& tokens,
                      const LatentCache& cache, const Tensor& x) const;
  /// Logits (rows, vocabulary) of rows of the last part's output, on the rank that holds it.
  void logits_of(Pass& pass, const Tensor& hidden_rows, const Tensor& out) const;

  /// Whether cached passes over this model may have Pass::few_rows: its types and sizes are those
  /// that the kernels for few rows take.
  bool takes_few_rows() const;

  const std::deque<ModelPart>& parts() const { return parts_; }
  /// Throws Error where this rank does not hold the stage.
  const ModelPart& part_of_stage(std::int64_t index) const;
  /// Throws Error where a sequence is longer than the rotary tables.
  Rotary rotary(const Sequences& sequences) const;

  /// How tokens reach experts of other ranks; `exchange` must outlive the model's use.
  void set_exchange(const ExpertExchange& exchange) {
    for (ModelPart& part : parts_) part.set_exchange(exchange);
  }

  /// How the latents of other ranks' tokens are had, where sequences are cut over ranks; `exchange`
  /// must outlive the model's use.
  void set_context(const ContextExchange& exchange) {
    for (ModelPart& part : parts_) part.set_context(exchange);
  }

  /// Gives what the last part adds to the token table's gradient an array of its own, and returns
  /// the table with that; null where this rank does not hold both the first and the last part, or
  /// only the first reads the table. Until then both add to one gradient.
  Parameter* separate_tail();

  /// What training passes over this model make again in backward; nothing at first. Changes no bit
  /// of what they compute.
  void set_recompute(const Recompute& recompute) { recompute_ = recompute; }
  const Recompute& recompute() const { return recompute_; }

  /// Switches YaRN: new rotary tables and attention scale.
  void set_yarn(const YarnConfig& yarn);

  const ModelConfig& config() const { return config_; }
  const Precision& precision() const { return precision_; }
  const Layout& layout() const { return layout_; }
  ParameterSet& parameters() { return parameters_; }
  const ParameterSet& parameters() const { return parameters_; }
  /// Memory of all weights in all forms in which they are held, without gradients.
  std::size_t weight_bytes() const {
    return parameters_.value_bytes() + parameters_.operand_bytes() + parameters_.state_bytes();
  }
  Device device() const { return device_; }
  bool is_measuring() const { return measuring_; }

  /// Layers with experts that this rank holds, in the order of its parts, the MTP module's last
  /// when it has them.
  std::int64_t moe_blocks() const;
  const Moe& moe_block(std::int64_t index) const;
  const MoeStash& moe_stash(const ModelStash& stash, std::int64_t index) const {
    return only_part().moe_stash(stash, index);
  }

 private:
  const ModelPart& only_part() const;
  Rotary rotary() const { return {table_->cos(), table_->sin(), scale_}; }

  ModelConfig config_;
  Precision precision_;
  Recompute recompute_;
  Layout layout_;
  Device device_;
  bool measuring_;
  ParameterSet parameters_;
  Parameter tail_;  ///< a view of the token table
  Buffer tail_gradient_;
  std::deque<ModelPart> parts_;
  std::optional<RopeTable> table_;
  float scale_ = 1.f;
};

}  // namespace tessera
