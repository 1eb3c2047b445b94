// SPDX-License-Identifier: MIT
// A model of a few thousand weights with every feature on, and a batch for it.
#pragma once

#include "core/base/random.h"
#include "core/model/model.h"

namespace tessera::test {

inline ModelConfig small_config() {
  ModelConfig c;
  c.vocab_size = 37;
  c.hidden_size = 12;
  c.num_hidden_layers = 3;
  c.max_position_embeddings = 64;
  c.num_attention_heads = 2;
  c.q_lora_rank = 7;
  c.kv_lora_rank = 6;
  c.qk_nope_head_dim = 5;
  c.qk_rope_head_dim = 4;
  c.v_head_dim = 3;
  c.first_k_dense_replace = 1;
  c.intermediate_size = 9;
  c.moe_intermediate_size = 5;
  c.n_routed_experts = 8;
  c.n_shared_experts = 1;
  c.num_experts_per_tok = 3;
  c.n_group = 4;
  c.topk_group = 2;
  c.routed_scaling_factor = 1.7;
  c.num_nextn_predict_layers = 1;
  c.initializer_range = 0.3;
  return c;
}

/// The same, where the recipe has products in FP8 with sizes in multiples of 16, as they want them.
inline ModelConfig small_config(Recipe recipe) {
  ModelConfig c = small_config();
  if (!Precision::of(recipe).fp8_forward()) return c;
  c.vocab_size = 48;
  c.hidden_size = 32;
  c.q_lora_rank = 16;
  c.kv_lora_rank = 16;
  c.qk_nope_head_dim = 16;
  c.qk_rope_head_dim = 16;
  c.v_head_dim = 16;
  c.intermediate_size = 32;
  c.moe_intermediate_size = 16;
  return c;
}

/// Two sequences of 9 tokens, the first of two documents, with targets for both heads.
struct SmallBatch {
  std::vector<std::int32_t> tokens, positions, targets, mtp_tokens, mtp_targets,
      starts{0, 4, 9, 18};
  Microbatch batch;

  explicit SmallBatch(std::int64_t vocabulary, std::uint64_t seed = 3) {
    const Random random(seed);
    std::vector<std::int32_t> stream;
    for (std::uint64_t i = 0; i < 22; ++i) {
      stream.push_back(
          static_cast<std::int32_t>(random.below(i, static_cast<std::uint64_t>(vocabulary))));
    }
    for (std::size_t row = 0; row < 2; ++row) {
      for (std::size_t i = 0; i < 9; ++i) {
        const std::size_t at = row * 11 + i;
        tokens.push_back(stream[at]);
        positions.push_back(static_cast<std::int32_t>(i));
        targets.push_back(stream[at + 1]);
        mtp_tokens.push_back(stream[at + 1]);
        mtp_targets.push_back(i == 8 ? -1 : stream[at + 2]);
      }
    }
    const auto view = [](std::vector<std::int32_t>& v) {
      return Tensor(v.data(), DType::I32, {static_cast<std::int64_t>(v.size())});
    };
    batch.sequences = {view(tokens), view(positions), view(starts), 9};
    batch.targets = view(targets);
    batch.mtp_tokens = view(mtp_tokens);
    batch.mtp_targets = view(mtp_targets);
  }
  SmallBatch(const SmallBatch&) = delete;
};

}  // namespace tessera::test
