// SPDX-License-Identifier: MIT
// Writing config.json.
#include <nlohmann/json.hpp>

#include "core/checkpoint/hf_config.h"
#include "core/checkpoint/hf_read.h"

namespace tessera {

using checkpoint_internal::DTypeName;
using checkpoint_internal::kDTypeNames;
using kernels::GroupScore;
using kernels::Scoring;
using nlohmann::json;

namespace {
const char* method_of(const ModelConfig& c) {
  if (c.group_score == GroupScore::TopTwoSum) return "noaux_tc";
  return c.n_group > 1 ? "group_limited_greedy" : "greedy";
}

json optional_token(const std::optional<std::int64_t>& id) {
  return id ? json(*id) : json(nullptr);
}

/// One end is a number, several are a list, as released.
json ends_of(const std::vector<std::int64_t>& ids) {
  if (ids.empty()) return nullptr;
  return ids.size() == 1 ? json(ids.front()) : json(ids);
}

json rope_scaling_of(const YarnConfig& yarn) {
  if (yarn.factor <= 1.0) return nullptr;
  return {{"type", "yarn"},
          {"rope_type", "yarn"},  // the newer name of the same
          {"factor", yarn.factor},
          {"original_max_position_embeddings", yarn.original_length},
          {"beta_fast", yarn.beta_fast},
          {"beta_slow", yarn.beta_slow},
          {"mscale", yarn.mscale},
          {"mscale_all_dim", yarn.mscale_all_dim}};
}

void write_experts(const ModelConfig& c, json& out) {
  // NOTE: transformers makes a layer dense by first_k_dense_replace only.
  const bool dense = c.n_routed_experts == 0;
  out["first_k_dense_replace"] = dense ? c.num_hidden_layers : c.first_k_dense_replace;
  out["intermediate_size"] = c.intermediate_size;
  out["moe_intermediate_size"] = c.moe_intermediate_size;
  out["moe_layer_freq"] = 1;
  out["n_routed_experts"] = c.n_routed_experts;
  out["n_shared_experts"] = c.n_shared_experts;
  out["num_experts_per_tok"] = c.num_experts_per_tok;
  out["n_group"] = c.n_group;
  out["topk_group"] = c.topk_group;
  out["scoring_func"] = c.scoring_func == Scoring::Softmax ? "softmax" : "sigmoid";
  out["topk_method"] = method_of(c);
  out["norm_topk_prob"] = c.norm_topk_prob;
  out["routed_scaling_factor"] = c.routed_scaling_factor;
}
}  // namespace

json hf_config_json(const HfConfig& config) {
  const ModelConfig& c = config.model;
  const bool v2 = c.scoring_func == Scoring::Softmax;
  json out = {{"architectures", {v2 ? "DeepseekV2ForCausalLM" : "DeepseekV3ForCausalLM"}},
              {"model_type", v2 ? "deepseek_v2" : "deepseek_v3"},
              {"vocab_size", c.vocab_size},
              {"hidden_size", c.hidden_size},
              {"hidden_act", "silu"},
              {"num_hidden_layers", c.num_hidden_layers},
              {"num_nextn_predict_layers", std::max(config.mtp_layers, c.num_nextn_predict_layers)},
              {"max_position_embeddings", c.max_position_embeddings},
              {"num_attention_heads", c.num_attention_heads},
              {"num_key_value_heads", c.num_attention_heads},
              {"q_lora_rank", c.q_lora_rank > 0 ? json(c.q_lora_rank) : json(nullptr)},
              {"kv_lora_rank", c.kv_lora_rank},
              {"qk_nope_head_dim", c.qk_nope_head_dim},
              {"qk_rope_head_dim", c.qk_rope_head_dim},
              {"v_head_dim", c.v_head_dim},
              {"attention_bias", false},
              {"attention_dropout", 0.0},
              {"rope_theta", c.rope_theta},
              {"rope_scaling", rope_scaling_of(c.yarn)},
              {"rms_norm_eps", c.rms_norm_eps},
              {"initializer_range", c.initializer_range},
              {"tie_word_embeddings", c.tie_word_embeddings},
              {"use_cache", true},
              {"bos_token_id", optional_token(config.bos_token_id)},
              {"eos_token_id", ends_of(config.eos_token_ids)},
              {"pad_token_id", optional_token(config.pad_token_id)}};
  write_experts(c, out);
  for (const DTypeName& row : kDTypeNames) {
    if (row.dtype == config.dtype) out["torch_dtype"] = row.name;
  }
  if (c.transformers_group_masking) out["tessera"]["transformers_group_masking"] = true;
  if (checkpoint_internal::scales_normalised_v2(c)) out["tessera"]["scale_normalised"] = true;
  return out;
}

}  // namespace tessera
