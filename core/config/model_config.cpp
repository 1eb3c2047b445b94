// SPDX-License-Identifier: MIT
#include "core/config/model_config.h"

#include "core/base/error.h"

namespace tessera {

kernels::RouterConfig ModelConfig::router() const {
  return {.scoring = scoring_func,
          .group_score = group_score,
          .groups = static_cast<int>(n_group),
          .kept_groups = static_cast<int>(topk_group),
          .top_k = static_cast<int>(num_experts_per_tok),
          .normalise = norm_topk_prob,
          .scale = static_cast<float>(routed_scaling_factor),
          .transformers_masking = transformers_group_masking,
          .in_turn = experts_in_turn};
}

namespace {
void positive(std::int64_t value, const char* field) {
  if (value <= 0) throw Error("model", fmt::format("{} is {}, expected more than 0", field, value));
}

void check_experts(const ModelConfig& c) {
  positive(c.moe_intermediate_size, "moe_intermediate_size");
  positive(c.n_group, "n_group");
  positive(c.topk_group, "topk_group");
  positive(c.num_experts_per_tok, "num_experts_per_tok");
  require(c.n_shared_experts >= 0, "model", "n_shared_experts is {}, expected 0 or more",
          c.n_shared_experts);
  require(c.n_routed_experts % c.n_group == 0, "model",
          "n_routed_experts {} is not a multiple of n_group {}", c.n_routed_experts, c.n_group);
  require(c.topk_group <= c.n_group, "model", "topk_group {} is more than n_group {}", c.topk_group,
          c.n_group);
  const std::int64_t reachable = c.n_routed_experts / c.n_group * c.topk_group;
  require(c.num_experts_per_tok <= reachable, "model",
          "num_experts_per_tok {} is more than the {} experts of the kept groups",
          c.num_experts_per_tok, reachable);
}
}  // namespace

void ModelConfig::validate() const {
  positive(vocab_size, "vocab_size");
  positive(hidden_size, "hidden_size");
  positive(num_hidden_layers, "num_hidden_layers");
  positive(max_position_embeddings, "max_position_embeddings");
  positive(num_attention_heads, "num_attention_heads");
  positive(kv_lora_rank, "kv_lora_rank");
  positive(qk_nope_head_dim, "qk_nope_head_dim");
  positive(qk_rope_head_dim, "qk_rope_head_dim");
  positive(v_head_dim, "v_head_dim");
  require(q_lora_rank >= 0, "model", "q_lora_rank is {}, expected 0 (none) or more", q_lora_rank);
  require(qk_rope_head_dim % 2 == 0, "model", "qk_rope_head_dim is {}, expected an even number",
          qk_rope_head_dim);
  require(rope_theta > 0 && rms_norm_eps > 0 && initializer_range >= 0, "model",
          "rope_theta {}, rms_norm_eps {} and initializer_range {} must not be negative or zero",
          rope_theta, rms_norm_eps, initializer_range);
  require(yarn.factor >= 1 && yarn.original_length > 0, "model",
          "YaRN factor {} must be at least 1 and its original length {} positive", yarn.factor,
          yarn.original_length);
  require(first_k_dense_replace >= 0, "model", "first_k_dense_replace is {}",
          first_k_dense_replace);
  if (first_k_dense_replace > 0 || n_routed_experts == 0) {
    positive(intermediate_size, "intermediate_size");
  }
  require(n_routed_experts >= 0, "model", "n_routed_experts is {}", n_routed_experts);
  if (is_moe_layer(num_hidden_layers)) check_experts(*this);
  require(num_nextn_predict_layers >= 0 && num_nextn_predict_layers <= 1, "model",
          "num_nextn_predict_layers is {}, expected 0 or 1", num_nextn_predict_layers);
}

namespace {
std::int64_t attention_parameters(const ModelConfig& c) {
  const std::int64_t h = c.hidden_size, heads = c.num_attention_heads;
  const std::int64_t query = c.q_lora_rank > 0 ? h * c.q_lora_rank + c.q_lora_rank +
                                                     c.q_lora_rank * heads * c.qk_head_dim()
                                               : h * heads * c.qk_head_dim();
  const std::int64_t latent = h * (c.kv_lora_rank + c.qk_rope_head_dim) + c.kv_lora_rank;
  const std::int64_t up = c.kv_lora_rank * heads * (c.qk_nope_head_dim + c.v_head_dim);
  return query + latent + up + heads * c.v_head_dim * h + 2 * h;  // and the block's two norms
}

/// Counts the parameters of one block. The selection bias counts as a weight of the gate, as it
/// does in released models.
ParameterCount block_parameters(const ModelConfig& c, std::int64_t layer) {
  ParameterCount count;
  count.total = count.active = attention_parameters(c);
  if (!c.is_moe_layer(layer)) {
    count.total += 3 * c.hidden_size * c.intermediate_size;
    count.active = count.total;
    return count;
  }
  const std::int64_t expert = 3 * c.hidden_size * c.moe_intermediate_size;
  const std::int64_t always =
      c.n_routed_experts * (c.hidden_size + 1) + c.n_shared_experts * expert;
  count.total += always + c.n_routed_experts * expert;
  count.active += always + c.num_experts_per_tok * expert;
  return count;
}
}  // namespace

ParameterCount count_parameters(const ModelConfig& c) {
  ParameterCount sum;
  for (std::int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
    const ParameterCount block = block_parameters(c, layer);
    sum.total += block.total;
    sum.active += block.active;
  }
  const std::int64_t table = c.vocab_size * c.hidden_size;
  const std::int64_t outside = table * (c.tie_word_embeddings ? 1 : 2) + c.hidden_size;
  sum.total += outside;
  sum.active += outside;
  // A module shares embedding and head: its own are a block, two norms in, one out, and eh_proj.
  const std::int64_t module = block_parameters(c, c.num_hidden_layers).total + 3 * c.hidden_size +
                              2 * c.hidden_size * c.hidden_size;
  sum.mtp = c.num_nextn_predict_layers * module;
  return sum;
}

double training_flops_per_token(const ModelConfig& c, std::int64_t sequence_length) {
  const ParameterCount count = count_parameters(c);
  const std::int64_t embedding = c.tie_word_embeddings ? 0 : c.vocab_size * c.hidden_size;
  const auto weights = static_cast<double>(count.active - embedding);
  const auto attention =
      static_cast<double>(c.num_hidden_layers * sequence_length * c.num_attention_heads *
                          (c.qk_head_dim() + c.v_head_dim));
  return 6.0 * weights + 6.0 * attention / 2.0;
}

}  // namespace tessera
