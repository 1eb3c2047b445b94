// SPDX-License-Identifier: MIT
// Keys of other architectures that are near to ours: a model that sets one of them computes
// something else, and would answer nonsense without a word.
#include "core/base/error.h"
#include "core/checkpoint/hf_read.h"

namespace tessera::checkpoint_internal {

using nlohmann::json;

namespace {
struct ChangingKey {
  const char* key;
  const char* neutral;  ///< the value, in JSON, with which the key changes nothing; "": none
  const char* meaning;
};
constexpr ChangingKey kChangingKeys[] = {
    {"attention_bias", "false", "biases in attention"},
    {"qkv_bias", "false", "biases in attention"},
    {"mlp_bias", "false", "biases in the feed-forward layers"},
    {"use_bias", "false", "biases"},
    {"lm_head_bias", "false", "a bias in the output head"},
    {"hidden_act", "\"silu\"", "another activation"},
    {"moe_layer_freq", "1", "dense layers between those with experts"},
    {"decoder_sparse_step", "1", "dense layers between those with experts"},
    {"mlp_only_layers", "[]", "dense layers between those with experts"},
    {"rope_interleave", "true", "rotary pairs of another order"},
    {"partial_rotary_factor", "1.0", "a rotary part of another size"},
    {"rotary_pct", "1.0", "a rotary part of another size"},
    {"index_topk", "", "sparse attention, as DeepSeek-V3.2 has it"},
    {"index_n_heads", "", "sparse attention, as DeepSeek-V3.2 has it"},
    {"index_head_dim", "", "sparse attention, as DeepSeek-V3.2 has it"},
    {"compress_ratios", "[]", "compressed attention, as DeepSeek-V4 has it"},
    {"o_lora_rank", "", "an output latent, as DeepSeek-V4 has it"},
    {"hc_mult", "1", "hyper-connections, as DeepSeek-V4 has them"},
    {"num_hash_layers", "0", "layers that pick experts by a hash"},
    {"linear_attn_config", "", "linear attention, as Kimi-Linear has it"},
    {"use_mla", "true", "attention without latents"},
    {"mla_use_nope", "false", "attention without a rotary part"},
    {"mla_scale_q_lora", "false", "scaled latents, as LongCat has them"},
    {"mla_scale_kv_lora", "false", "scaled latents, as LongCat has them"},
    {"zero_expert_num", "0", "experts that do nothing, as LongCat has them"},
    {"use_qk_norm", "false", "norms of queries and keys"},
    {"qk_layernorm", "false", "norms of queries and keys"},
    {"attn_logit_softcapping", "", "capped attention"},
    {"final_logit_softcapping", "", "capped logits"},
    {"logits_soft_cap", "", "capped logits"},
    {"logit_scale", "1.0", "scaled logits"},
    {"logits_scaling", "1.0", "scaled logits"},
    {"attention_multiplier", "", "another scale of attention"},
    {"query_pre_attn_scalar", "", "another scale of attention"},
    {"embedding_multiplier", "1.0", "scaled embeddings"},
    {"residual_multiplier", "1.0", "a scaled residual stream"},
    {"scale_emb", "1", "scaled embeddings"},
    {"scale_depth", "", "a scaled residual stream"},
    {"dim_model_base", "", "scaled logits"},
    {"swiglu_limit", "", "a limited activation"},
    {"clip_qkv", "", "limited queries and keys"},
    {"use_attention_sinks", "false", "attention sinks"},
    {"is_causal", "true", "attention to later tokens"},
    {"alibi", "false", "positions by ALiBi"},
};

constexpr const char* kHint = "this program computes the models of DeepSeek-V3, V2 and their kin";

[[noreturn]] void refuse(const HfKeys& keys, const char* key, const json& value,
                         const char* expected, const char* meaning) {
  throw Error(keys.where(),
              fmt::format("{}{} is {}, expected {}: a model with {} is not computed here",
                          keys.prefix(), key, value.dump(), expected, meaning),
              kHint);
}

void check_windows(HfKeys& keys) {
  const json* layers = keys.find("layer_types");
  if (layers && layers->is_array()) {
    for (const json& type : *layers) {
      if (type != "full_attention" && type != "attention") {
        refuse(keys, "layer_types", type, "full_attention alone", "attention of another kind");
      }
    }
  }
  const bool used = keys.flag("use_sliding_window", true);
  const json* window = keys.find("sliding_window");
  if (used && window && *window != 0) {
    refuse(keys, "sliding_window", *window, "none", "attention within a window");
  }
  for (const char* key : {"max_window_layers", "sliding_window_pattern"}) keys.ignore(key);
}

}  // namespace

void refuse_other_architectures(HfKeys& keys) {
  for (const ChangingKey& row : kChangingKeys) {
    const json* value = keys.find(row.key);
    if (!value) continue;
    const bool has_neutral = *row.neutral != '\0';
    if (has_neutral ? *value == json::parse(row.neutral) : *value == false) continue;
    refuse(keys, row.key, *value, has_neutral ? row.neutral : "none", row.meaning);
  }
  check_windows(keys);
}

void check_layer_list(HfKeys& keys, const ModelConfig& model) {
  const json* layers = keys.find("mlp_layer_types");
  if (!layers) return;
  json expected = json::array();
  for (std::int64_t layer = 0; layer < model.num_hidden_layers; ++layer) {
    expected.push_back(model.is_moe_layer(layer) ? "sparse" : "dense");
  }
  if (*layers == expected) return;
  throw Error(keys.where(),
              fmt::format("{}mlp_layer_types does not agree with first_k_dense_replace {}: "
                          "dense layers must come first",
                          keys.prefix(), model.first_k_dense_replace),
              kHint);
}

}  // namespace tessera::checkpoint_internal
