// SPDX-License-Identifier: MIT
// Models out to GGUF and back.
#include "core/gguf/gguf_export.h"

#include <cmath>

#include "core/gguf/blocks.h"
#include "core/gguf/gguf_values.h"
#include "tests/gguf/gguf_models.h"

namespace tessera {
namespace {

using namespace testing;
using Names = std::vector<std::string>;

/// config.json without what GGUF has no key for.
nlohmann::json comparable(const fs::path& folder) {
  nlohmann::json config = nlohmann::json::parse(read_file(folder / "config.json"));
  config.erase("initializer_range");
  config.erase("num_nextn_predict_layers");
  return config;
}

struct Shape {
  const char* name;
  ModelConfig config;
};

std::vector<Shape> shapes() {
  std::vector<Shape> all;
  const auto add = [&](const char* name, auto change) {
    ModelConfig c = gguf_shape();
    change(c);
    all.push_back({name, c});
  };
  add("V3", [](ModelConfig& c) { c.q_lora_rank = 48; });
  add("no query latent", [](ModelConfig&) {});
  add("groups", [](ModelConfig& c) {
    c.n_group = 4;
    c.topk_group = 2;
  });
  add("V2", [](ModelConfig& c) {
    c.scoring_func = kernels::Scoring::Softmax;
    c.group_score = kernels::GroupScore::Max;
    c.norm_topk_prob = false;
    c.routed_scaling_factor = 1.0;
    c.n_shared_experts = 2;
  });
  add("tied", [](ModelConfig& c) { c.tie_word_embeddings = true; });
  add("YaRN", [](ModelConfig& c) {
    c.yarn.factor = 40;
    c.yarn.original_length = 128;
    c.yarn.mscale = c.yarn.mscale_all_dim = 0.707;
  });
  add("dense", [](ModelConfig& c) {
    c.n_routed_experts = 0;
    c.first_k_dense_replace = c.num_hidden_layers;
    c.n_shared_experts = 0;
    c.moe_intermediate_size = 128;
    c.num_experts_per_tok = 4;
    c.routed_scaling_factor = 1.0;
  });
  add("experts from the first layer", [](ModelConfig& c) { c.first_k_dense_replace = 0; });
  add("Lite", [](ModelConfig& c) {
    c.num_hidden_layers = 27;
    c.hidden_size = 32;
  });
  return all;
}

TEST(GgufExport, F32AndBf16ComeBackBitForBit) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(shape.name);
    for (const DType dtype : {DType::F32, DType::BF16}) {
      const TemporaryFolder folder;
      write_model(shape.config, folder / "a", dtype);
      export_gguf(folder / "a", folder / "m.gguf",
                  dtype == DType::F32 ? GgufType::F32 : GgufType::BF16);
      import_gguf(folder / "m.gguf", folder / "b", {.dtype = dtype});
      convert_folder(folder / "a", folder / "c", {.dtype = dtype});  // biases as releases have them
      expect_same_weights(folder / "c", folder / "b");
      EXPECT_EQ(comparable(folder / "c"), comparable(folder / "b"));
      EXPECT_EQ(names_in(folder.path()), (Names{"a", "b", "c", "m.gguf"}));
    }
  }
}

TEST(GgufExport, TensorsLieAsLlamaCppReadsThem) {
  const TemporaryFolder folder;
  ModelConfig c = gguf_shape();
  write_model(c, folder / "a");
  export_gguf(folder / "a", folder / "m.gguf", GgufType::F32);
  const GgufFile file(folder / "m.gguf");
  const SafetensorsFolder released(folder / "a");
  const Tensor up = released.at("model.layers.1.self_attn.kv_b_proj.weight").view();
  const GgufTensor &keys = file.at("blk.1.attn_k_b.weight"),
                   &values = file.at("blk.1.attn_v_b.weight");
  EXPECT_EQ(keys.shape, (std::vector<std::int64_t>{4, 32, 16}));
  EXPECT_EQ(values.shape, (std::vector<std::int64_t>{4, 24, 32}));
  const auto released_at = [&](std::int64_t head, std::int64_t row, std::int64_t column) {
    return up.data<float>()[(head * (16 + 24) + row) * 32 + column];
  };
  std::vector<float> row(32);
  for (std::int64_t head = 0; head < 4; ++head) {
    for (std::int64_t latent = 0; latent < 32; ++latent) {
      keys.read_rows(head * 32 + latent, 1, row.data());
      for (std::int64_t i = 0; i < 16; ++i) {
        ASSERT_EQ(row[static_cast<std::size_t>(i)], released_at(head, i, latent));
      }
    }
    for (std::int64_t v = 0; v < 24; ++v) {
      values.read_rows(head * 24 + v, 1, row.data());
      for (std::int64_t i = 0; i < 32; ++i) {
        ASSERT_EQ(row[static_cast<std::size_t>(i)], released_at(head, 16 + v, i));
      }
    }
  }
  const GgufTensor& experts = file.at("blk.2.ffn_down_exps.weight");
  EXPECT_EQ(experts.shape, (std::vector<std::int64_t>{8, 64, 32}));
  experts.read_rows(5 * 64 + 3, 1, row.data());
  const Tensor fifth = released.at("model.layers.2.mlp.experts.5.down_proj.weight").view();
  for (std::int64_t i = 0; i < 32; ++i) {
    ASSERT_EQ(row[static_cast<std::size_t>(i)], fifth.data<float>()[3 * 32 + i]);
  }
}

TEST(GgufExport, KeysSayWhatLlamaCppAsksFor) {
  const TemporaryFolder folder;
  ModelConfig c = gguf_shape();
  c.n_group = 4;
  c.topk_group = 2;
  write_model(c, folder / "a");
  export_gguf(folder / "a", folder / "m.gguf", GgufType::BF16);
  const GgufFile file(folder / "m.gguf");
  const GgufValues values(file);
  EXPECT_EQ(values.text("general.architecture"), "deepseek2");
  EXPECT_EQ(values.integer("general.file_type"), 32);
  EXPECT_EQ(values.integer("deepseek2.attention.head_count_kv"), 1);
  EXPECT_EQ(values.integer("deepseek2.attention.q_lora_rank"), 0) << "the key is asked for";
  EXPECT_EQ(values.integer("deepseek2.attention.key_length"), 32 + 8);
  EXPECT_EQ(values.integer("deepseek2.attention.value_length"), 32);
  EXPECT_EQ(values.integer("deepseek2.attention.key_length_mla"), 16 + 8);
  EXPECT_EQ(values.integer("deepseek2.attention.value_length_mla"), 24);
  EXPECT_EQ(values.integer("deepseek2.expert_gating_func"), 2);
  EXPECT_EQ(values.flag("deepseek2.expert_weights_norm"), true);
  EXPECT_EQ(values.number("deepseek2.expert_weights_scale"), 2.5);
  EXPECT_EQ(values.integer("deepseek2.expert_group_count"), 4);
  EXPECT_EQ(values.integer("deepseek2.expert_group_used_count"), 2);
  EXPECT_EQ(values.text("tokenizer.ggml.model"), "no_vocab");
  for (const auto& [name, tensor] : file.contents().tensors) {
    const bool kept = tensor.shape.size() == 1 || name.ends_with("ffn_gate_inp.weight");
    EXPECT_EQ(tensor.type, kept ? GgufType::F32 : GgufType::BF16) << name;
  }
  c.topk_group = 4;  // no limit: llama.cpp stops at these keys
  write_model(c, folder / "b");
  export_gguf(folder / "b", folder / "n.gguf", GgufType::F32);
  const GgufFile all(folder / "n.gguf");
  EXPECT_FALSE(GgufValues(all).has("deepseek2.expert_group_count"));
}

/// Numbers that came through a type, beside the ones that went in.
double relative_error(const fs::path& from, const fs::path& to) {
  const SafetensorsFolder a(from), b(to);
  double error = 0, size = 0;
  for (const std::string& name : a.names()) {
    const Tensor x = a.at(name).view(), y = b.at(name).view();
    if (x.rank() == 1) continue;
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      error += std::pow(double{x.data<float>()[i]} - y.data<float>()[i], 2);
      size += std::pow(double{x.data<float>()[i]}, 2);
    }
  }
  return std::sqrt(error / size);
}

TEST(GgufExport, QuantisedTypesAreAsNearAsTheirBits) {
  const TemporaryFolder folder;
  ModelConfig c = gguf_shape();
  c.hidden_size = 256;
  c.q_lora_rank = 256;
  write_model(c, folder / "a");
  const auto error = [&](GgufType type, const std::string& name) {
    export_gguf(folder / "a", folder / (name + ".gguf"), type);
    import_gguf(folder / (name + ".gguf"), folder / name, {.dtype = DType::F32});
    return relative_error(folder / "a", folder / name);
  };
  EXPECT_LT(error(GgufType::F16, "f16"), 3e-4);
  EXPECT_LT(error(GgufType::Q8_0, "q8_0"), 6e-3);
  const double q4_k = error(GgufType::Q4_K, "q4_k"), q4_0 = error(GgufType::Q4_0, "q4_0");
  EXPECT_LT(q4_0, 0.1);
  EXPECT_LT(q4_k, q4_0);
  EXPECT_GT(q4_k, 0.03) << "four bits are not more";
}

TEST(GgufExport, RowsThatAreNoWholeBlocksFallBack) {
  const TemporaryFolder folder;
  ModelConfig c = gguf_shape();
  c.hidden_size = 256;
  c.moe_intermediate_size = 20;
  write_model(c, folder / "a");
  const GgufExport k = export_gguf(folder / "a", folder / "k.gguf", GgufType::Q4_K);
  const GgufFile file(folder / "k.gguf");
  EXPECT_EQ(file.at("token_embd.weight").type, GgufType::Q8_0);
  EXPECT_EQ(file.at("output.weight").type, GgufType::Q8_0);
  EXPECT_EQ(file.at("blk.1.ffn_gate_exps.weight").type, GgufType::Q4_K);
  EXPECT_EQ(file.at("blk.1.ffn_down_exps.weight").type, GgufType::F16);  // rows of 20
  EXPECT_EQ(file.at("blk.1.attn_v_b.weight").type, GgufType::Q5_0);      // rows of 32
  EXPECT_EQ(file.at("blk.1.attn_k_b.weight").type, GgufType::F16);       // rows of 16
  EXPECT_EQ(k.tensors.at("Q8_0"), 2);
  EXPECT_EQ(k.bytes, fs::file_size(folder / "k.gguf"));
}

TEST(GgufExport, MtpLayersAreLeftOutAndTold) {
  const TemporaryFolder folder;
  ModelConfig c = gguf_shape();
  c.q_lora_rank = 48;
  c.num_nextn_predict_layers = 1;
  write_model(c, folder / "a");
  const GgufExport done = export_gguf(folder / "a", folder / "m.gguf", GgufType::F32);
  ASSERT_EQ(done.notes.size(), 2u);
  EXPECT_TRUE(contains(done.notes[0], "the MTP layer is left out"));
  EXPECT_TRUE(contains(done.notes[1], "has no vocabulary"));
  const GgufFile file(folder / "m.gguf");
  EXPECT_EQ(file.find("blk.3.attn_norm.weight"), nullptr);
  EXPECT_FALSE(GgufValues(file).has("deepseek2.nextn_predict_layers"));
}

TEST(GgufExport, ReadsEveryFormOfFolders) {
  const TemporaryFolder folder;
  EditableModel split("v3"), fused("v3");
  for (int layer : {1, 2}) fused.fuse_experts(layer, 8);
  split.config["rope_scaling"] = nullptr;
  fused.config["rope_scaling"] = nullptr;
  split.config["num_nextn_predict_layers"] = fused.config["num_nextn_predict_layers"] = 0;
  split.write(folder / "split");
  fused.write(folder / "fused");
  export_gguf(folder / "split", folder / "a.gguf", GgufType::Q8_0);
  export_gguf(folder / "fused", folder / "b.gguf", GgufType::Q8_0);
  const GgufFile a(folder / "a.gguf"), b(folder / "b.gguf");
  for (const auto& [name, tensor] : a.contents().tensors) {
    EXPECT_TRUE(std::ranges::equal(tensor.bytes, b.at(name).bytes)) << name;
  }
  export_gguf(golden_models() / "fp8", folder / "fp8.gguf", GgufType::F32);
  import_gguf(folder / "fp8.gguf", folder / "c", {.dtype = DType::F32});
  convert_folder(golden_models() / "fp8", folder / "d", {.dtype = DType::F32});
  expect_same_weights(folder / "d", folder / "c");
}

TEST(GgufExport, StreamsTensorsLargerThanItsBuffer) {
  const TemporaryFolder folder;
  ModelConfig c = gguf_shape();
  c.vocab_size = 70000;  // 4.5 million numbers
  write_model(c, folder / "a");
  export_gguf(folder / "a", folder / "m.gguf", GgufType::F32);
  import_gguf(folder / "m.gguf", folder / "b", {.dtype = DType::F32, .shard_bytes = 1'000'000});
  convert_folder(folder / "a", folder / "c", {.dtype = DType::F32, .shard_bytes = 1'000'000});
  expect_same_weights(folder / "c", folder / "b");
}

TEST(GgufExport, ACheckpointOfARunIsVerifiedFirst) {
  const TemporaryFolder run;
  Model model(gguf_shape(), Precision{}, false, Device::Cpu);
  model.initialise(3);
  CheckpointContents contents;
  contents.config.model = gguf_shape();
  contents.weights = released_weights(model);
  contents.state = {{"step", 1}};
  const fs::path from = save_checkpoint(run.path(), contents);
  export_gguf(from, run / "a.gguf", GgufType::F32);
  flip_bit(from / "model.safetensors", fs::file_size(from / "model.safetensors") - 9, 3);
  EXPECT_TRUE(
      contains(error_of([&] { export_gguf(from, run / "b.gguf", GgufType::F32); }), "damaged"));
  EXPECT_FALSE(fs::exists(run / "b.gguf"));
}

}  // namespace
}  // namespace tessera
