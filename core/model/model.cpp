// SPDX-License-Identifier: MIT
#include "core/model/model.h"

#include <algorithm>

#include "core/base/error.h"
#include "kernels/few_rows/few_rows.h"

namespace tessera {

Model::Model(const ModelConfig& config, const Precision& precision, const Layout& layout,
             bool for_training, Device device, bool measuring)
    : config_(config),
      precision_(precision),
      layout_(layout),
      device_(device),
      measuring_(measuring) {
  config_.validate();
  SharedWeights shared;
  for (const PipelineStage& stage : layout.stages) {
    if (shared.tokens || !stage.has_token_table(config)) continue;
    shared.tokens =
        &parameters_.declare("model.embed_tokens.weight", {config.vocab_size, config.hidden_size});
    shared.tokens->sharing = Sharing::Ends;
    if (config.tie_word_embeddings) shared.tokens->reads = Parameter::Reads::ValueAndProduct;
  }
  if (shared.tokens) shared.tail = &tail_;
  if (config.tie_word_embeddings) shared.output.weight = shared.tail;
  for (const PipelineStage& stage : layout.stages) {
    parts_.emplace_back().declare(parameters_, config, stage, layout.experts, shared);
  }
  precision_.narrow = device == Device::Cuda && precision.operand == DType::BF16;
  parameters_.allocate(precision_, for_training, device, measuring);
  if (shared.tokens) tail_ = *shared.tokens;
  set_yarn(config.yarn);
}

Parameter* Model::separate_tail() {
  const bool both = layout_.stages.front().is_first && layout_.stages.back().is_last;
  if (!both || (config_.num_nextn_predict_layers == 0 && !config_.tie_word_embeddings)) return {};
  tail_gradient_ = Buffer(tail_.grad.bytes(), device_);
  tail_.grad = tail_gradient_.view(tail_.grad.dtype(), {tail_.shape[0], tail_.shape[1]});
  return &tail_;
}

void Model::set_yarn(const YarnConfig& yarn) {
  config_.yarn = yarn;
  table_.emplace(config_, config_.max_position_embeddings, device_, measuring_);
  scale_ = static_cast<float>(attention_scale(config_));
}

Rotary Model::rotary(const Sequences& sequences) const {
  require(sequences.max_length <= table_->positions(), "model",
          "a sequence of {} tokens is longer than max_position_embeddings {}", sequences.max_length,
          table_->positions());
  return rotary();
}

const ModelPart& Model::only_part() const {
  // Experts may be on other ranks: layers know their way to them, or say that there is none.
  require(parts_.size() == 1 && layout_.stages.front().is_first && layout_.stages.front().is_last,
          "model", "this rank holds a part of the model, not all of it");
  return parts_.front();
}

const ModelPart& Model::part_of_stage(std::int64_t index) const {
  for (const ModelPart& part : parts_) {
    if (part.stage().index == index) return part;
  }
  throw Error("model", fmt::format("this rank does not hold stage {} of the pipeline", index));
}

void Model::forward(Pass& pass, const Sequences& sequences, ModelStash& stash) const {
  only_part().forward(pass, sequences, rotary(sequences), {}, stash);
}

void Model::forward_loss(Pass& pass, const Microbatch& batch, const Objective& objective,
                         ModelStash& stash) const {
  forward_loss(pass, batch, CrossEntropy(batch.targets, batch.weights, objective.loss_scale),
               objective, stash);
}

void Model::forward_loss(Pass& pass, const Microbatch& batch, const LossTerm& term,
                         const Objective& objective, ModelStash& stash) const {
  forward(pass, batch.sequences, stash);
  only_part().losses(pass, batch, rotary(batch.sequences), term, objective, stash);
}

void Model::backward(Pass& pass, const Microbatch& batch, const Objective& objective,
                     const ModelStash& stash, const Tensor& balance_losses) const {
  only_part().backward(pass, batch, rotary(batch.sequences), objective, stash, balance_losses,
                       stash.head.dx);
  parameters_.clear_old_gradients(pass.context);
}

void Model::logits(Pass& pass, const ModelStash& stash, std::int64_t from, std::int64_t to,
                   const Tensor& out) const {
  only_part().head().logits(pass, stash.head, from, to, out);
}

void Model::forward_cached(Pass& pass, const CachedTokens& tokens, const LatentCache& cache,
                           const Tensor& x) const {
  forward_cached(pass, only_part(), tokens, cache, x);
}

void Model::forward_cached(Pass& pass, const ModelPart& part, const CachedTokens& tokens,
                           const LatentCache& cache, const Tensor& x) const {
  part.forward_cached(pass, tokens, rotary(), cache, x);
}

bool Model::takes_few_rows() const {
  if (precision_.fp8_forward() || precision_.packed_weights()) return false;
  if (device_ == Device::Cpu) return precision_.operand == precision_.activation;
  const ModelConfig& c = config_;
  constexpr std::int64_t kPack = 8;
  const std::int64_t sizes[] = {c.hidden_size,       c.q_lora_rank,
                                c.kv_lora_rank,      c.num_attention_heads * c.v_head_dim,
                                c.intermediate_size, c.moe_intermediate_size,
                                c.qk_nope_head_dim};
  return precision_.narrow && std::all_of(std::begin(sizes), std::end(sizes),
                                          [](std::int64_t size) { return size % kPack == 0; });
}

void Model::logits_of(Pass& pass, const Tensor& hidden_rows, const Tensor& out) const {
  Arena::Frame frame(pass.keep);
  HeadStash stash;
  require(parts_.back().stage().is_last, "model", "the head is on another rank");
  const Head& head = parts_.back().head();
  if (pass.few_rows) {
    return kernels::rows_products(pass.context, hidden_rows, head.norm.weight->value,
                                  head.norm.epsilon, {}, {head.output.weight->operand, out}, {});
  }
  head.normalise(pass, hidden_rows, stash);
  head.logits(pass, stash, 0, hidden_rows.size(0), out);
}

std::int64_t Model::moe_blocks() const {
  std::int64_t count = 0;
  for (const ModelPart& part : parts_) count += std::ssize(part.moe_blocks());
  return count;
}

const Moe& Model::moe_block(std::int64_t index) const {
  for (const ModelPart& part : parts_) {
    if (index < std::ssize(part.moe_blocks())) {
      return part.moe_blocks()[static_cast<std::size_t>(index)]->moe();
    }
    index -= std::ssize(part.moe_blocks());
  }
  throw Error("model", "there is no such layer with experts on this rank");
}

}  // namespace tessera
