// SPDX-License-Identifier: MIT
// What cannot be written or read is refused with the reason, and nothing is left behind.
#include <limits>

#include "core/gguf/gguf_values.h"
#include "core/gguf/gguf_writer.h"
#include "tests/gguf/gguf_models.h"

namespace tessera {
namespace {

using namespace testing;
using Names = std::vector<std::string>;

std::string export_error(const ModelConfig& shape, GgufType type = GgufType::F32) {
  const TemporaryFolder folder;
  write_model(shape, folder / "a");
  const std::string message = error_of([&] { export_gguf(folder / "a", folder / "m", type); });
  EXPECT_EQ(names_in(folder.path()), Names{"a"}) << message;
  return message;
}

template <class Change>
std::string changed_error(Change&& change) {
  ModelConfig c = gguf_shape();
  change(c);
  return export_error(c);
}

TEST(GgufRefusals, WhatLlamaCppHasHardCoded) {
  for (const std::int64_t layers : {26, 27}) {
    const std::string error = changed_error([&](ModelConfig& c) {
      c.hidden_size = 16;
      c.num_hidden_layers = layers;
      c.q_lora_rank = 16;
    });
    EXPECT_TRUE(contains(error, "expects no query latent, and this model has one of 16"));
  }
  EXPECT_TRUE(contains(changed_error([](ModelConfig& c) { c.n_shared_experts = 0; }),
                       "without a shared one"));
  EXPECT_TRUE(contains(changed_error([](ModelConfig& c) { c.routed_scaling_factor = 0; }),
                       "it takes 0 for 1"));
  const auto groups = [](ModelConfig& c) {
    c.n_group = 4;
    c.topk_group = 2;
  };
  EXPECT_TRUE(contains(changed_error([&](ModelConfig& c) {
                         groups(c);
                         c.scoring_func = kernels::Scoring::Softmax;
                         c.group_score = kernels::GroupScore::Max;
                       }),
                       "group_limited_greedy"));
  EXPECT_TRUE(contains(changed_error([&](ModelConfig& c) {
                         groups(c);
                         c.transformers_group_masking = true;
                       }),
                       "masks experts of dropped groups with 0"));
  EXPECT_TRUE(contains(changed_error([](ModelConfig& c) {
                         c.n_group = 8;
                         c.topk_group = 4;
                       }),
                       "a group of its own"));
}

TEST(GgufRefusals, YarnWhoseScalesDiffer) {
  for (const auto& [mscale, all] :
       {std::pair{1.0, 0.0}, std::pair{1.0, 0.5}, std::pair{0.0, 0.0}}) {
    const std::string error = changed_error([&](ModelConfig& c) {
      c.yarn.factor = 4;
      c.yarn.mscale = mscale;
      c.yarn.mscale_all_dim = all;
    });
    EXPECT_TRUE(contains(error, "computes with equal ones that are not 0"));
  }
}

TEST(GgufRefusals, NumbersThatDoNotFitNameTheirTensor) {
  const TemporaryFolder folder;
  EditableModel model("v3");
  model.config["rope_scaling"] = nullptr;
  const std::string name = "model.layers.1.mlp.experts.3.up_proj.weight";
  const Tensor old = model.at(name);
  const Tensor weight = model.memory().zeros(DType::BF16, {old.size(0), old.size(1)});
  weight.data<bf16>()[2 * weight.size(1) + 5] = bf16(1e20f);
  model.remove(name);
  model.add(name, weight);
  model.write(folder / "a");
  const std::string error =
      error_of([&] { export_gguf(folder / "a", folder / "m.gguf", GgufType::F16); });
  const std::int64_t row = 3 * old.size(0) + 2;
  EXPECT_TRUE(
      contains(error, fmt::format("in row {} of blk.1.ffn_up_exps.weight ({})", row, name)));
  EXPECT_TRUE(contains(error, "does not fit F16"));
  EXPECT_EQ(names_in(folder.path()), Names{"a"});
  export_gguf(folder / "a", folder / "m.gguf", GgufType::BF16);
}

TEST(GgufRefusals, NothingIsOverwritten) {
  const TemporaryFolder folder;
  write_model(gguf_shape(), folder / "a");
  write_file(folder / "m.gguf", "mine");
  const auto error = [&](const fs::path& to) {
    return error_of([&] { export_gguf(folder / "a", to, GgufType::F32); });
  };
  EXPECT_TRUE(contains(error(folder / "m.gguf"), "is there already"));
  EXPECT_TRUE(contains(error(folder / "a"), "is there already"));
  EXPECT_EQ(read_file(folder / "m.gguf"), "mine");
  EXPECT_TRUE(
      contains(error_of([&] { export_gguf(folder / "none", folder / "n.gguf", GgufType::F32); }),
               "there is no such folder"));
  export_gguf(folder / "a", folder / "new" / "n.gguf", GgufType::F32);  // makes the folder
  EXPECT_TRUE(contains(
      error_of([&] { export_gguf(folder / "new" / "n.gguf", folder / "o", GgufType::F32); }),
      "is a GGUF file already"));
  fs::create_directory(folder / "full");
  write_file(folder / "full" / "x", "x");
  EXPECT_TRUE(contains(error_of([&] { import_gguf(folder / "new" / "n.gguf", folder / "full"); }),
                       "not an empty folder"));
}

/// A model's file, with changes.
class EditedFile : public ::testing::Test {
 protected:
  EditedFile() {
    ModelConfig c = gguf_shape();
    write_model(c, folder_ / "a");
    export_gguf(folder_ / "a", folder_ / "m.gguf", GgufType::F32);
  }

  /// Writes the file anew without `without`, with a tensor `with` besides, and its key `key` as
  /// `number`; imports it.
  struct Change {
    std::string without = {}, with = {}, key = {};
    std::uint32_t number = 0;
    bool cut_a_row = false;
  };
  std::string error(const Change& change) {
    write(change);
    const std::string message = error_of([&] { import_gguf(folder_ / "n.gguf", folder_ / "out"); });
    EXPECT_EQ(names_in(folder_.path()), (Names{"a", "m.gguf", "n.gguf"}));
    return message;
  }

  void write(const Change& change) {
    const GgufFile file(folder_ / "m.gguf");
    GgufMetadata metadata;
    for (const auto& [key, value] : file.contents().values) {
      if (key == change.without) continue;
      if (key == change.key) {
        metadata.add(key, change.number);
      } else if (const auto* number = std::get_if<std::uint64_t>(&value)) {
        metadata.add(key, static_cast<std::uint32_t>(*number));
      } else if (const auto* real = std::get_if<double>(&value)) {
        metadata.add(key, static_cast<float>(*real));
      } else if (const auto* flag = std::get_if<bool>(&value)) {
        metadata.add(key, *flag);
      } else {
        metadata.add(key, std::get<std::string_view>(value));
      }
    }
    if (!change.key.empty() && !file.contents().values.contains(change.key)) {
      metadata.add(change.key, change.number);
    }
    std::vector<GgufTensorPlan> plan;
    for (const auto& [name, tensor] : file.contents().tensors) {
      if (name == change.without) continue;
      plan.push_back({name, tensor.type, tensor.shape});
      if (change.cut_a_row && name == change.with) --plan.back().shape.front();
    }
    const bool extra = !change.with.empty() && !change.cut_a_row;
    if (extra) plan.push_back({change.with, GgufType::F32, {8}});
    fs::remove(folder_ / "n.gguf");
    GgufWriter writer(folder_ / "n.gguf", metadata, plan);
    for (const GgufTensorPlan& tensor : plan) {
      const GgufTensor* from = file.find(tensor.name);
      const std::vector<std::byte> zeros(tensor.bytes());
      writer.append(from ? from->bytes.first(tensor.bytes()) : std::span(zeros));
    }
    writer.finish();
  }
  TemporaryFolder folder_;
};

TEST_F(EditedFile, MissingAndSurplusTensorsAreNamed) {
  EXPECT_TRUE(contains(error({.without = "blk.1.attn_v_b.weight"}),
                       "holds no tensor \"blk.1.attn_v_b.weight\""));
  EXPECT_TRUE(contains(error({.without = "output_norm.weight"}), "output_norm.weight"));
  EXPECT_TRUE(contains(error({.with = "blk.0.attn_sinks.weight"}),
                       "\"blk.0.attn_sinks.weight\" (F32(8)) has no place in the model"));
  EXPECT_TRUE(contains(error({.with = "blk.1.ffn_up_exps.weight", .cut_a_row = true}),
                       "expected the shape (8, 32, 64)"));
}

TEST_F(EditedFile, KeysAreChecked) {
  EXPECT_TRUE(contains(error({.without = "general.architecture"}), "of the architecture \"\""));
  EXPECT_TRUE(contains(error({.without = "deepseek2.block_count"}), "has no key deepseek2.block"));
  EXPECT_TRUE(contains(error({.key = "deepseek2.expert_gating_func", .number = 4}),
                       "expert_gating_func is 4, expected 1 or 2"));
  EXPECT_TRUE(contains(error({.key = "deepseek2.block_count", .number = 0xffffffff}),
                       "block_count is 4294967295, expected a whole number from 0 to 512"));
  EXPECT_TRUE(contains(error({.key = "deepseek2.block_count", .number = 0}), "num_hidden_layers"));
  EXPECT_TRUE(contains(error({.key = "deepseek2.rope.scaling.type", .number = 1}),
                       "rope.scaling.type is 1, expected a text"));
  EXPECT_TRUE(contains(error({.key = "tokenizer.ggml.model", .number = 1}), "expected a text"));
  EXPECT_TRUE(
      contains(error({.key = "deepseek2.block_count", .number = 4}), "holds no tensor \"blk.3."));
}

TEST_F(EditedFile, ABiasThatTheFileLacksIsZero) {
  write({.without = "blk.1.exp_probs_b.bias"});
  import_gguf(folder_ / "n.gguf", folder_ / "out", {.dtype = DType::F32});
  const SafetensorsFolder read(folder_ / "out");
  const StoredTensor& bias = read.at("model.layers.1.mlp.gate.e_score_correction_bias");
  for (const std::byte byte : bias.bytes) EXPECT_EQ(byte, std::byte{0});
}

TEST_F(EditedFile, FilesFromBeforeAttentionWasSplitAreRead) {
  const GgufFile file(folder_ / "m.gguf");
  const SafetensorsFolder released(folder_ / "a");
  GgufMetadata metadata;
  for (const auto& [key, value] : file.contents().values) {
    if (key.ends_with("_mla")) continue;
    if (key.ends_with("attention.key_length")) {
      metadata.add(key, std::uint32_t{16 + 8});
    } else if (key.ends_with("attention.value_length")) {
      metadata.add(key, std::uint32_t{24});
    } else if (const auto* number = std::get_if<std::uint64_t>(&value)) {
      metadata.add(key, static_cast<std::uint32_t>(*number));
    } else if (const auto* real = std::get_if<double>(&value)) {
      metadata.add(key, static_cast<float>(*real));
    } else if (const auto* flag = std::get_if<bool>(&value)) {
      metadata.add(key, *flag);
    } else {
      metadata.add(key, std::get<std::string_view>(value));
    }
  }
  std::vector<GgufTensorPlan> plan;
  std::vector<std::span<const std::byte>> bytes;
  for (const auto& [name, tensor] : file.contents().tensors) {
    if (name.ends_with("attn_v_b.weight")) continue;
    if (name.ends_with("attn_k_b.weight")) {
      const std::string layer = name.substr(4, 1);
      const StoredTensor& up = released.at("model.layers." + layer + ".self_attn.kv_b_proj.weight");
      plan.push_back({"blk." + layer + ".attn_kv_b.weight", GgufType::F32, up.shape});
      bytes.push_back(up.bytes);
    } else {
      plan.push_back({name, tensor.type, tensor.shape});
      bytes.push_back(tensor.bytes);
    }
  }
  GgufWriter writer(folder_ / "n.gguf", metadata, plan);
  for (const auto& part : bytes) writer.append(part);
  writer.finish();
  import_gguf(folder_ / "n.gguf", folder_ / "out", {.dtype = DType::F32});
  expect_same_weights(folder_ / "a", folder_ / "out");
}

TEST_F(EditedFile, MtpTensorsArePassedOver) {
  write({.with = "blk.3.nextn.enorm.weight"});
  import_gguf(folder_ / "n.gguf", folder_ / "out", {.dtype = DType::F32});
  expect_same_weights(folder_ / "a", folder_ / "out");
}

TEST(GgufRefusals, RowsOfTheVocabularyAndOtherArchitectures) {
  const TemporaryFolder folder;
  GgufMetadata metadata;
  metadata.add("general.architecture", "llama");
  GgufWriter writer(folder / "m.gguf", metadata, {});
  writer.finish();
  EXPECT_TRUE(contains(error_of([&] { import_gguf(folder / "m.gguf", folder / "out"); }),
                       "holds a model of the architecture \"llama\"; deepseek2 is read"));
}

}  // namespace
}  // namespace tessera
