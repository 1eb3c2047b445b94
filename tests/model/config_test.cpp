// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/model/small_model.h"

namespace tessera {
namespace {

ModelConfig v3() {
  ModelConfig c;
  c.vocab_size = 129280;
  c.hidden_size = 7168;
  c.num_hidden_layers = 61;
  c.num_attention_heads = 128;
  c.q_lora_rank = 1536;
  c.kv_lora_rank = 512;
  c.qk_nope_head_dim = 128;
  c.qk_rope_head_dim = 64;
  c.v_head_dim = 128;
  c.first_k_dense_replace = 3;
  c.intermediate_size = 18432;
  c.moe_intermediate_size = 2048;
  c.n_routed_experts = 256;
  c.n_shared_experts = 1;
  c.num_experts_per_tok = 8;
  c.n_group = 8;
  c.topk_group = 4;
  c.num_nextn_predict_layers = 1;
  return c;
}

TEST(ParameterCount, DeepSeekV3) {
  const ParameterCount count = count_parameters(v3());
  EXPECT_NEAR(static_cast<double>(count.total), 671.03e9, 0.01e9);
  EXPECT_NEAR(static_cast<double>(count.active), 37.5e9, 0.3e9);
  // The released folder's notes say 11.5 B: that is the block; eh_proj adds 0.103 B.
  EXPECT_NEAR(static_cast<double>(count.mtp), 11.507e9 + 2.0 * 7168 * 7168, 0.001e9);
}

TEST(ParameterCount, EqualsWhatIsDeclared) {
  for (const bool latent : {true, false}) {
    ModelConfig c = test::small_config();
    c.q_lora_rank = latent ? 7 : 0;
    c.tie_word_embeddings = latent;
    const Model model(c, {}, false, Device::Cpu);
    std::int64_t declared = 0;
    for (const Parameter& p : model.parameters().all()) declared += p.value.numel();
    const ParameterCount count = count_parameters(c);
    EXPECT_EQ(declared, count.total + count.mtp);
  }
}

TEST(ModelConfig, RefusesWhatCannotBe) {
  ModelConfig c = test::small_config();
  c.num_experts_per_tok = 5;  // two groups of two experts are kept
  EXPECT_THROW(c.validate(), Error);
  c = test::small_config();
  c.qk_rope_head_dim = 3;
  EXPECT_THROW(c.validate(), Error);
  c = test::small_config();
  c.n_routed_experts = 9;
  EXPECT_THROW(c.validate(), Error);
  c = test::small_config();
  c.hidden_size = 0;
  try {
    c.validate();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("hidden_size is 0"), std::string::npos);
  }
}

TEST(Parameters, ReleasedNamesOfStackedWeights) {
  Model model(test::small_config(), {}, false, Device::Cpu);
  model.initialise(1);
  Parameter& p = model.parameters().find("model.layers.1.mlp.experts.gate_up_proj");
  ASSERT_EQ(p.parts.size(), 16u);
  EXPECT_EQ(p.parts[5].released_name, "model.layers.1.mlp.experts.2.up_proj.weight");
  EXPECT_EQ(p.parts[5].value.size(0), 5);
  EXPECT_EQ(p.parts[5].value.data<float>(), p.value.data<float>() + 2 * 10 * 12 + 5 * 12);
}

TEST(Parameters, InitialValuesDependOnSeedAndNameAlone) {
  ModelConfig wide = test::small_config();
  wide.num_hidden_layers = 4;
  Model a(test::small_config(), {}, false, Device::Cpu), b(wide, {}, true, Device::Cpu);
  a.initialise(9);
  b.initialise(9);
  const std::string name = "model.layers.1.self_attn.o_proj.weight";
  const Tensor x = a.parameters().find(name).value, y = b.parameters().find(name).value;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    ASSERT_EQ(x.data<float>()[i], y.data<float>()[i]);
  }
}

}  // namespace
}  // namespace tessera
