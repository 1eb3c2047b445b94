// SPDX-License-Identifier: MIT
#include "core/model/model_part.h"

#include "core/base/error.h"
#include "kernels/embedding/embedding.h"

namespace tessera {

void ModelPart::declare(ParameterSet& parameters, const ModelConfig& config,
                        const PipelineStage& stage, const ExpertRange& experts,
                        const SharedWeights& shared) {
  stage_ = stage;
  first_parameter_ = parameters.all().size();
  hidden_ = config.hidden_size;
  shared_ = shared;
  for (std::int64_t layer = stage.first; layer < stage.end; ++layer) {
    blocks_.emplace_back().declare(parameters, config, layer, experts,
                                   "model.layers." + std::to_string(layer) + ".");
  }
  if (stage.is_last) {
    head_.norm = {&parameters.declare("model.norm.weight", {config.hidden_size}, Init::Ones, false),
                  static_cast<float>(config.rms_norm_eps)};
    if (!shared_.output.weight) {
      shared_.output.weight =
          &parameters.declare("lm_head.weight", {config.vocab_size, config.hidden_size});
      shared_.output.weight->reads = Parameter::Reads::Product;
    }
    head_.output = shared_.output;
    has_mtp_ = config.num_nextn_predict_layers > 0;
    if (has_mtp_) mtp_.declare(parameters, config, experts, head_.output);
  }
  end_parameter_ = parameters.all().size();
  for (const Block& block : blocks_) {
    if (block.is_moe()) moe_.push_back(&block);
  }
  if (has_mtp_ && mtp_.block().is_moe()) moe_.push_back(&mtp_.block());
}

void ModelPart::set_exchange(const ExpertExchange& exchange) {
  for (Block& block : blocks_) block.set_exchange(exchange);
  mtp_.set_exchange(exchange);
}

void ModelPart::set_context(const ContextExchange& exchange) {
  for (Block& block : blocks_) block.set_context(exchange);
  mtp_.set_context(exchange);
}

Tensor ModelPart::embed(Pass& pass, const Tensor& tokens) const {
  Tensor x = pass.keep.take(pass.precision.inner(), {tokens.size(0), hidden_});
  kernels::embedding_forward(pass.context, tokens, shared_.tokens->value, x);
  return x;
}

void ModelPart::forward(Pass& pass, const Sequences& sequences, const Rotary& rotary,
                        const Tensor& input, PartStash& stash) const {
  Tensor x = stage_.is_first ? embed(pass, sequences.tokens) : input;
  stash.blocks.resize(blocks_.size());
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    x = blocks_[layer].forward(pass, x, sequences, rotary, stash.blocks[layer]);
  }
  stash.hidden = x;
  if (stage_.is_last) head_.normalise(pass, x, stash.head);
}

void ModelPart::losses(Pass& pass, const Microbatch& batch, const Rotary& rotary,
                       const LossTerm& term, const Objective& objective, PartStash& stash) const {
  head_.loss(pass, term, stash.head);
  if (!has_mtp_ || !batch.mtp_tokens) return;
  stash.mtp_embedded = embed(pass, batch.mtp_tokens);
  mtp_.forward(pass, stash.hidden, stash.mtp_embedded, batch.sequences, rotary,
               CrossEntropy(batch.mtp_targets, batch.mtp_weights, objective.mtp_scale), stash.mtp);
}

void ModelPart::backward(Pass& pass, const Microbatch& batch, const Rotary& rotary,
                         const Objective& objective, const PartStash& stash,
                         const Tensor& balance_losses, const Tensor& dx) const {
  Context& context = pass.context;
  auto moe = static_cast<std::int64_t>(moe_.size());
  const auto balance_of = [&](const Block& block) {
    if (!block.is_moe() || objective.balance_alpha == 0.0) return BalanceTerm{};
    --moe;
    return BalanceTerm{objective.balance_alpha, objective.balance_scale,
                       balance_losses.slice(0, moe, moe + 1)};
  };
  if (has_mtp_ && batch.mtp_tokens && objective.mtp_scale != 0.0) {
    Arena::Frame frame(pass.scratch());
    const Tensor d_embedded = pass.scratch().take(dx.dtype(), {dx.size(0), dx.size(1)});
    mtp_.backward(pass, batch.sequences, rotary, stash.mtp, balance_of(mtp_.block()), d_embedded,
                  dx);
    kernels::embedding_backward(context, batch.mtp_tokens, d_embedded, shared_.tail->grad);
  } else if (has_mtp_ && mtp_.block().is_moe()) {
    --moe;
  }
  for (std::size_t layer = blocks_.size(); layer-- > 0;) {
    blocks_[layer].backward(pass, batch.sequences, rotary, stash.blocks[layer],
                            balance_of(blocks_[layer]), dx);
  }
  if (!stage_.is_first) return;
  kernels::embedding_backward(context, batch.sequences.tokens, dx, shared_.tokens->grad);
}

void ModelPart::forward_cached(Pass& pass, const CachedTokens& tokens, const Rotary& rotary,
                               const LatentCache& cache, const Tensor& x) const {
  if (stage_.is_first) {
    kernels::embedding_forward(pass.context, tokens.sequences.tokens, shared_.tokens->value, x);
  }
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    Arena::Frame frame(pass.keep);
    BlockStash stash;
    blocks_[layer].forward_cached(pass, tokens, rotary,
                                  cache.layer(stage_.first + static_cast<std::int64_t>(layer)),
                                  stash, x);
  }
}

const MoeStash& ModelPart::moe_stash(const PartStash& stash, std::int64_t index) const {
  const Block* wanted = moe_.at(static_cast<std::size_t>(index));
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    if (&blocks_[layer] == wanted) return stash.blocks[layer].moe;
  }
  return stash.mtp.block.moe;
}

}  // namespace tessera
