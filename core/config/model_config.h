// SPDX-License-Identifier: MIT
// The shape of a DeepSeek-V3-family model. Field names follow the released config.json; the fields
// below `moe_` to `yarn` in files are the same words (core/checkpoint/hf_config.h reads them).
#pragma once

#include <cstdint>
#include <string>

#include "kernels/router/router_config.h"

namespace tessera {

/// YaRN length extension (arXiv:2309.00071), applied to the decoupled rotary part.
struct YarnConfig {
  double factor = 1.0;  ///< 1: off
  std::int64_t original_length = 4096;
  double beta_fast = 32.0, beta_slow = 1.0;
  double mscale = 1.0, mscale_all_dim = 1.0;
};

struct ModelConfig {
  std::int64_t vocab_size = 8192;
  std::int64_t hidden_size = 256;
  std::int64_t num_hidden_layers = 6;
  std::int64_t max_position_embeddings = 4096;

  // Multi-head latent attention (report, section 2.1.1).
  std::int64_t num_attention_heads = 4;
  std::int64_t q_lora_rank = 0;  ///< 0: no query latent
  std::int64_t kv_lora_rank = 64;
  std::int64_t qk_nope_head_dim = 32;
  std::int64_t qk_rope_head_dim = 16;
  std::int64_t v_head_dim = 32;
  double rope_theta = 10000.0;
  YarnConfig yarn;

  // Feed-forward: dense in the first layers, then mixture of experts (section 2.1.2).
  std::int64_t first_k_dense_replace = 1;
  std::int64_t intermediate_size = 1024;
  std::int64_t moe_intermediate_size = 128;
  std::int64_t n_routed_experts = 16;
  std::int64_t n_shared_experts = 1;
  std::int64_t num_experts_per_tok = 4;
  std::int64_t n_group = 1;
  std::int64_t topk_group = 1;
  kernels::Scoring scoring_func = kernels::Scoring::Sigmoid;
  kernels::GroupScore group_score = kernels::GroupScore::TopTwoSum;
  bool norm_topk_prob = true;
  double routed_scaling_factor = 1.0;
  bool transformers_group_masking = false;  ///< see kernels/router/router.h
  bool experts_in_turn = false;             ///< likewise: for benchmarks; no key of a spec

  // Multi-token prediction (section 2.2): depth 0 or 1 modules after the last layer.
  std::int64_t num_nextn_predict_layers = 0;

  double rms_norm_eps = 1e-6;
  double initializer_range = 0.006;
  bool tie_word_embeddings = false;

  std::int64_t qk_head_dim() const { return qk_nope_head_dim + qk_rope_head_dim; }
  bool is_moe_layer(std::int64_t layer) const {
    return n_routed_experts > 0 && layer >= first_k_dense_replace;
  }
  kernels::RouterConfig router() const;

  /// Throws Error naming the field, its value and what is expected.
  void validate() const;
};

/// Counts of weights, by formula.
struct ParameterCount {
  std::int64_t total = 0;   ///< main model, embedding and head included, without MTP
  std::int64_t active = 0;  ///< those that one token uses: only top-k and shared experts
  std::int64_t mtp = 0;     ///< what the MTP modules add of their own
};
ParameterCount count_parameters(const ModelConfig& config);

/// Floating-point operations of one trained token, forward and backward:
/// 6 * active weights (without the embedding) + 6 * layers * length * heads * (d_qk + d_v) / 2.
double training_flops_per_token(const ModelConfig& config, std::int64_t sequence_length);

}  // namespace tessera
