// SPDX-License-Identifier: MIT
#include "core/model/model.h"

#include "core/base/error.h"
#include "kernels/convert/convert.h"
#include "kernels/embedding/embedding.h"

namespace tessera {

Model::Model(const ModelConfig& config, const Precision& precision, bool for_training,
             Device device, bool measuring)
    : config_(config), precision_(precision), device_(device), measuring_(measuring) {
  config_.validate();
  embedding_ =
      &parameters_.declare("model.embed_tokens.weight", {config.vocab_size, config.hidden_size});
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    blocks_.emplace_back().declare(parameters_, config, layer,
                                   "model.layers." + std::to_string(layer) + ".");
  }
  head_.norm = {&parameters_.declare("model.norm.weight", {config.hidden_size}, Init::Ones, false),
                static_cast<float>(config.rms_norm_eps)};
  head_.output.weight =
      config.tie_word_embeddings
          ? embedding_
          : &parameters_.declare("lm_head.weight", {config.vocab_size, config.hidden_size});
  if (has_mtp()) mtp_.declare(parameters_, config, head_.output);

  for (const Block& block : blocks_) {
    if (block.is_moe()) moe_.push_back(&block);
  }
  if (has_mtp() && mtp_.block().is_moe()) moe_.push_back(&mtp_.block());
  precision_.narrow = device == Device::Cuda && precision.operand == DType::BF16;
  parameters_.allocate(precision_, for_training, device, measuring);
  set_yarn(config.yarn);
}

void Model::set_yarn(const YarnConfig& yarn) {
  config_.yarn = yarn;
  table_.emplace(config_, config_.max_position_embeddings, device_, measuring_);
  scale_ = static_cast<float>(attention_scale(config_));
}

Tensor Model::embed(Pass& pass, const Tensor& tokens) const {
  Tensor x = pass.keep.take(precision_.inner(), {tokens.size(0), config_.hidden_size});
  kernels::embedding_forward(pass.context, tokens, embedding_->value, x);
  return x;
}

void Model::forward(Pass& pass, const Sequences& sequences, ModelStash& stash) const {
  require(sequences.max_length <= table_->positions(), "model",
          "a sequence of {} tokens is longer than max_position_embeddings {}", sequences.max_length,
          table_->positions());
  Tensor x = embed(pass, sequences.tokens);
  stash.blocks.resize(blocks_.size());
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    x = blocks_[layer].forward(pass, x, sequences, rotary(), stash.blocks[layer]);
  }
  stash.hidden = x;
  head_.normalise(pass, x, stash.head);
}

void Model::forward_loss(Pass& pass, const Microbatch& batch, const Objective& objective,
                         ModelStash& stash) const {
  forward(pass, batch.sequences, stash);
  head_.loss(pass, batch.targets, objective.loss_scale, stash.head);
  if (!has_mtp() || !batch.mtp_tokens) return;
  stash.mtp_embedded = embed(pass, batch.mtp_tokens);
  mtp_.forward(pass, stash.hidden, stash.mtp_embedded, batch.sequences, rotary(), batch.mtp_targets,
               objective.mtp_scale, stash.mtp);
}

void Model::backward(Pass& pass, const Microbatch& batch, const Objective& objective,
                     ModelStash& stash, const Tensor& balance_losses) const {
  Context& context = pass.context;
  const Tensor& dx = stash.head.dx;
  std::int64_t moe = moe_blocks();
  const auto balance_of = [&](const Block& block) {
    if (!block.is_moe() || objective.balance_alpha == 0.0) return BalanceTerm{};
    --moe;
    return BalanceTerm{objective.balance_alpha, objective.balance_scale,
                       balance_losses.slice(0, moe, moe + 1)};
  };
  if (has_mtp() && batch.mtp_tokens && objective.mtp_scale != 0.0) {
    Arena::Frame frame(pass.scratch());
    const Tensor d_embedded = pass.scratch().take(dx.dtype(), {dx.size(0), dx.size(1)});
    mtp_.backward(pass, batch.sequences, rotary(), stash.mtp, balance_of(mtp_.block()), d_embedded,
                  dx);
    kernels::embedding_backward(context, batch.mtp_tokens, d_embedded, embedding_->grad);
  } else if (has_mtp() && mtp_.block().is_moe()) {
    --moe;
  }
  for (std::size_t layer = blocks_.size(); layer-- > 0;) {
    blocks_[layer].backward(pass, batch.sequences, rotary(), stash.blocks[layer],
                            balance_of(blocks_[layer]), dx);
  }
  kernels::embedding_backward(context, batch.sequences.tokens, dx, embedding_->grad);
  parameters_.clear_old_gradients(context);
}

void Model::logits(Pass& pass, const ModelStash& stash, std::int64_t from, std::int64_t to,
                   const Tensor& out) const {
  head_.logits(pass, stash.head, from, to, out);
}

void Model::forward_cached(Pass& pass, const CachedTokens& tokens, const LatentCache& cache,
                           const Tensor& x) const {
  kernels::embedding_forward(pass.context, tokens.sequences.tokens, embedding_->value, x);
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    Arena::Frame frame(pass.keep);
    BlockStash stash;
    blocks_[layer].forward_cached(pass, tokens, rotary(),
                                  cache.layer(static_cast<std::int64_t>(layer)), stash, x);
  }
}

void Model::logits_of(Pass& pass, const Tensor& hidden_rows, const Tensor& out) const {
  Arena::Frame frame(pass.keep);
  HeadStash stash;
  head_.normalise(pass, hidden_rows, stash);
  head_.logits(pass, stash, 0, hidden_rows.size(0), out);
}

std::int64_t Model::moe_blocks() const {
  return static_cast<std::int64_t>(moe_.size());
}

const Moe& Model::moe_block(std::int64_t index) const {
  return moe_.at(static_cast<std::size_t>(index))->moe();
}

const MoeStash& Model::moe_stash(const ModelStash& stash, std::int64_t index) const {
  const Block* wanted = moe_.at(static_cast<std::size_t>(index));
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    if (&blocks_[layer] == wanted) return stash.blocks[layer].moe;
  }
  return stash.mtp.block.moe;
}

}  // namespace tessera
