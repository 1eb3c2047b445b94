// SPDX-License-Identifier: MIT
// Small models of random weights in the released format, and what tests do with their GGUF files.
#pragma once

#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/model_io.h"
#include "core/gguf/gguf_export.h"
#include "core/gguf/gguf_file.h"
#include "core/gguf/gguf_import.h"
#include "core/model/model.h"
#include "tests/checkpoint/checkpoint_contents.h"
#include "tests/checkpoint/golden_models.h"

namespace tessera::testing {

inline ModelConfig gguf_shape() {
  ModelConfig c;
  c.vocab_size = 96;
  c.hidden_size = 64;
  c.num_hidden_layers = 3;
  c.num_attention_heads = 4;
  c.kv_lora_rank = 32;
  c.qk_nope_head_dim = 16;
  c.qk_rope_head_dim = 8;
  c.v_head_dim = 24;
  c.n_routed_experts = 8;
  c.num_experts_per_tok = 3;
  c.moe_intermediate_size = 32;
  c.intermediate_size = 96;
  c.max_position_embeddings = 512;
  c.routed_scaling_factor = 2.5;
  return c;
}

inline HfConfig write_model(const ModelConfig& shape, const fs::path& folder,
                            DType dtype = DType::F32, std::int64_t bos = 0, std::int64_t eos = 1) {
  Model model(shape, Precision{}, false, Device::Cpu);
  model.initialise(11);
  HfConfig config;
  config.model = shape;
  config.bos_token_id = bos;
  config.eos_token_ids = {eos};
  config.mtp_layers = shape.num_nextn_predict_layers;
  // Initial norms are ones and biases zeros: other numbers show where they go.
  for (const NamedTensor& weight : named_weights(model)) {
    const bool bias = weight.name.ends_with("e_score_correction_bias");
    if (weight.data.rank() != 1 || (bias && shape.group_score == kernels::GroupScore::Max))
      continue;
    for (std::int64_t i = 0; i < weight.data.numel(); ++i) {
      weight.data.data<float>()[i] += 0.0625f * static_cast<float>(i % 7);
    }
  }
  export_folder(folder, config, released_weights(model), {.dtype = dtype});
  return read_hf_config(folder);
}

/// Names and bytes of all tensors are the same.
inline void expect_same_weights(const fs::path& a, const fs::path& b) {
  const SafetensorsFolder first(a), second(b);
  EXPECT_EQ(first.names(), second.names());
  for (const std::string& name : first.names()) {
    if (!second.find(name)) continue;
    EXPECT_EQ(first.at(name).describe(), second.at(name).describe()) << name;
    EXPECT_TRUE(std::ranges::equal(first.at(name).bytes, second.at(name).bytes)) << name;
  }
}

}  // namespace tessera::testing
