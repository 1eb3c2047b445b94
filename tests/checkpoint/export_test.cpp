// SPDX-License-Identifier: MIT
#include <nlohmann/json.hpp>

#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/model_io.h"
#include "core/model/model.h"
#include "tests/checkpoint/checkpoint_contents.h"
#include "tests/checkpoint/golden_models.h"

namespace tessera {
namespace {

using namespace testing;
using Names = std::vector<std::string>;

const std::string kBias = "model.layers.1.mlp.gate.e_score_correction_bias";

std::vector<NamedTensor> some_weights(Tensors& memory) {
  return {{"lm_head.weight", memory.numbers({50, 64}, 1)},
          {kBias, memory.numbers({16}, 2)},
          {"model.norm.weight", memory.numbers({64}, 3)}};
}

TEST(Export, RoundsToBf16AndKeepsTheBias) {
  const TemporaryFolder folder;
  Tensors memory;
  const auto weights = some_weights(memory);
  write_file(folder / "tokenizer.model", "pieces");
  export_folder(folder / "out", HfConfig{}, weights,
                {.shard_bytes = 5000, .files = {folder / "tokenizer.model"}});
  EXPECT_EQ(names_in(folder / "out"), (Names{"config.json", "model-00001-of-00002.safetensors",
                                             "model-00002-of-00002.safetensors",
                                             "model.safetensors.index.json", "tokenizer.model"}));
  const SafetensorsFolder read(folder / "out");
  EXPECT_EQ(read.at("lm_head.weight").dtype, DType::BF16);
  EXPECT_TRUE(same_bytes(read.at(kBias).view(), weights[1].data));
  for (std::int64_t i = 0; i < 64; ++i) {
    EXPECT_EQ(read.at("model.norm.weight").view().data<bf16>()[i].bits,
              bf16(weights[2].data.data<float>()[i]).bits);
  }
  EXPECT_EQ(read_hf_config(folder / "out").dtype, DType::BF16);
  EXPECT_EQ(names_in(folder.path()), (Names{"out", "tokenizer.model"}));
}

TEST(Export, F32IsBitExact) {
  const TemporaryFolder folder;
  Tensors memory;
  const auto weights = some_weights(memory);
  fs::create_directory(folder / "out");  // an empty folder may be there
  export_folder(folder / "out/", HfConfig{}, weights, {.dtype = DType::F32});
  const SafetensorsFolder read(folder / "out");
  for (const NamedTensor& weight : weights) {
    EXPECT_TRUE(same_bytes(read.at(weight.name).view(), weight.data));
  }
}

TEST(Export, NeverOverwrites) {
  const TemporaryFolder folder;
  Tensors memory;
  const auto weights = some_weights(memory);
  fs::create_directory(folder / "out");
  write_file(folder / "out" / "mine", "x");
  const auto error = [&](const fs::path& to, DType dtype) {
    return error_of([&] { export_folder(to, HfConfig{}, weights, {.dtype = dtype}); });
  };
  EXPECT_TRUE(contains(error(folder / "out", DType::F32), "not an empty folder"));
  EXPECT_TRUE(contains(error(folder / "out" / "mine", DType::F32), "is there already"));
  EXPECT_TRUE(contains(error(folder / "new", DType::F16), "as F32 or BF16, not as F16"));
  EXPECT_EQ(names_in(folder.path()), Names{"out"});
  EXPECT_EQ(names_in(folder / "out"), Names{"mine"});
}

/// A whole model, as convert_folder() wants to see it.
struct WholeModel {
  HfConfig config;
  Model model;

  explicit WholeModel(const ModelConfig& shape = shape_of())
      : model(shape, Precision{}, false, Device::Cpu) {
    config.model = shape;
    model.initialise(3);
  }
  static ModelConfig shape_of() {
    ModelConfig c;
    c.vocab_size = 50;
    c.hidden_size = 16;
    c.num_hidden_layers = 2;
    c.kv_lora_rank = 8;
    c.n_routed_experts = 4;
    c.num_experts_per_tok = 2;
    c.moe_intermediate_size = 8;
    c.intermediate_size = 24;
    return c;
  }
  std::vector<NamedTensor> weights() const { return released_weights(model); }
  void export_to(const fs::path& folder, std::uint64_t shard_bytes = kShardBytes) const {
    export_folder(folder, config, weights(), {.dtype = DType::F32, .shard_bytes = shard_bytes});
  }
};

TEST(Export, ConvertsACheckpoint) {
  const TemporaryFolder run;
  const WholeModel whole;
  write_file(run / "tokenizer.model", "pieces");
  CheckpointContents contents;
  contents.config = whole.config;
  contents.config.eos_token_ids = {1, 30};
  contents.weights = whole.weights();
  contents.state = {{"secret", 1}};
  contents.files = {run / "tokenizer.model"};
  const fs::path from = save_checkpoint(run.path(), contents);
  convert_folder(from, run / "f32", {.dtype = DType::F32});
  EXPECT_EQ(names_in(run / "f32"), (Names{"config.json", "model.safetensors", "tokenizer.model"}));
  EXPECT_EQ(read_hf_config(run / "f32").eos_token_ids, (std::vector<std::int64_t>{1, 30}));
  const SafetensorsFolder read(run / "f32");
  for (const NamedTensor& weight : contents.weights) {
    EXPECT_TRUE(same_bytes(read.at(weight.name).view(), weight.data));
  }
  flip_bit(from / "model.safetensors", fs::file_size(from / "model.safetensors") - 9, 3);
  EXPECT_TRUE(contains(error_of([&] { convert_folder(from, run / "x"); }), "damaged"));
  EXPECT_FALSE(fs::exists(run / "x"));
}

TEST(Export, MultipliesOutFp8) {
  const fs::path from = golden_models() / "fp8";
  const TemporaryFolder folder;
  convert_folder(from, folder / "out", {.dtype = DType::F32, .shard_bytes = 200'000});
  EXPECT_FALSE(read_hf_config(folder / "out").fp8);
  WeightSource source(from);
  const SafetensorsFolder read(folder / "out");
  Tensors memory;
  for (const std::string& name : read.names()) {
    const auto& shape = source.shape(name);
    const Tensor direct = shape.size() == 1 ? memory.zeros(DType::F32, {shape[0]})
                                            : memory.zeros(DType::F32, {shape[0], shape[1]});
    source.read(name, direct);
    EXPECT_TRUE(same_bytes(read.at(name).view(), direct)) << name;
  }
  EXPECT_TRUE(source.unused().empty()) << "every tensor came along";
}

TEST(Export, StreamsTensorsLargerThanItsBuffer) {
  const TemporaryFolder folder;
  ModelConfig shape = WholeModel::shape_of();
  shape.hidden_size = 1004;
  shape.vocab_size = 5000;  // the embedding has 20 MB
  const WholeModel whole(shape);
  whole.export_to(folder / "a");
  convert_folder(folder / "a", folder / "b", {.dtype = DType::F32});
  EXPECT_EQ(hash_file(folder / "a" / "model.safetensors").xxh3,
            hash_file(folder / "b" / "model.safetensors").xxh3);
}

TEST(Export, SplitsExpertsThatAreInOneTensor) {
  const TemporaryFolder folder;
  EditableModel split("v3"), fused("v3");
  for (int layer : {1, 2}) fused.fuse_experts(layer, 8);
  split.write(folder / "split");
  fused.write(folder / "fused");
  convert_folder(folder / "split", folder / "a");
  convert_folder(folder / "fused", folder / "b");
  EXPECT_EQ(hash_file(folder / "a" / "model.safetensors").xxh3,
            hash_file(folder / "b" / "model.safetensors").xxh3);
}

TEST(Export, KeepsMtpLayersThatTheFolderHolds) {
  const TemporaryFolder folder;
  ModelConfig shape = WholeModel::shape_of();
  shape.num_nextn_predict_layers = 1;
  const WholeModel whole(shape);
  whole.export_to(folder / "a");
  convert_folder(folder / "a", folder / "b", {.dtype = DType::F32});
  EXPECT_EQ(SafetensorsFolder(folder / "a").names(), SafetensorsFolder(folder / "b").names());
  EXPECT_EQ(read_hf_config(folder / "b").mtp_layers, 1);
}

TEST(Export, WritesWhatTheFolderHoldsIntoItsConfig) {
  const TemporaryFolder folder;
  EditableModel model("v3");
  model.config["num_nextn_predict_layers"] = 2;
  model.config["tie_word_embeddings"] = true;  // and the head is not the embedding
  model.config["eos_token_id"] = {1, 30};
  model.write(folder / "a");
  convert_folder(folder / "a", folder / "b");
  const HfConfig config = read_hf_config(folder / "b");
  EXPECT_EQ(config.mtp_layers, 0);
  EXPECT_FALSE(config.model.tie_word_embeddings);
  EXPECT_NE(SafetensorsFolder(folder / "b").find("lm_head.weight"), nullptr);
  EXPECT_EQ(config.eos_token_ids, (std::vector<std::int64_t>{1, 30}));
}

TEST(Export, LeavesOutBiasesOfZerosWhereTheGateHasNone) {
  const TemporaryFolder folder;
  ModelConfig shape = WholeModel::shape_of();
  shape.scoring_func = kernels::Scoring::Softmax;
  shape.group_score = kernels::GroupScore::Max;
  const WholeModel whole(shape);
  whole.export_to(folder / "a");
  convert_folder(folder / "a", folder / "b", {.dtype = DType::F32});
  const std::string bias = "model.layers.1.mlp.gate.e_score_correction_bias";
  EXPECT_NE(SafetensorsFolder(folder / "a").find(bias), nullptr);
  EXPECT_EQ(SafetensorsFolder(folder / "b").find(bias), nullptr);
  convert_folder(folder / "b", folder / "c");
}

/// Folders that are not a whole model: nothing is written, not even in part.
class NotWhole : public ::testing::Test {
 protected:
  std::string error(EditableModel& model) {
    model.write(folder_ / "model");
    const std::string message =
        error_of([&] { convert_folder(folder_ / "model", folder_ / "out"); });
    EXPECT_EQ(names_in(folder_.path()), Names{"model"});
    return message;
  }
  TemporaryFolder folder_;
};

TEST_F(NotWhole, MissingTensorIsNamed) {
  EditableModel model("v3");
  model.remove("model.layers.1.self_attn.kv_b_proj.weight");
  EXPECT_TRUE(
      contains(error(model), "holds no tensor \"model.layers.1.self_attn.kv_b_proj.weight\""));
}

TEST_F(NotWhole, ManyMissingTensorsAreCounted) {
  EditableModel model("v3");
  model.remove_if([](const std::string& name) { return name.find("experts.7.") < name.size(); });
  EXPECT_TRUE(contains(error(model), "lacks 6 tensors of the model"));
}

TEST_F(NotWhole, TensorOfAnotherShapeIsNamed) {
  EditableModel model("v3");
  model.remove("model.norm.weight");
  model.add("model.norm.weight", model.memory().numbers({31}, 1));
  EXPECT_TRUE(contains(error(model), "\"model.norm.weight\" is F32(31), expected the shape (32)"));
}

TEST_F(NotWhole, SurplusTensorIsNamed) {
  EditableModel model("v3");
  model.add("model.layers.0.self_attn.o_proj.bias", model.memory().numbers({32}, 1));
  EXPECT_TRUE(contains(error(model),
                       "holds a tensor that the model of config.json has no place "
                       "for: \"model.layers.0.self_attn.o_proj.bias\""));
}

TEST_F(NotWhole, MissingScalesAreNoticedBeforeAnythingIsWritten) {
  EditableModel model("fp8");
  model.remove("model.layers.1.self_attn.o_proj.weight_scale_inv");
  EXPECT_TRUE(contains(error(model), "o_proj.weight_scale_inv\" are missing"));
}

TEST_F(NotWhole, ScalesOfWeightsThatAreNotQuantisedAreSurplus) {
  EditableModel model("v3");
  model.add("model.layers.0.self_attn.o_proj.weight_scale_inv", model.memory().numbers({1, 1}, 1));
  EXPECT_TRUE(contains(error(model), "o_proj.weight_scale_inv"));
}

TEST_F(NotWhole, MissingHeadSaysHowATiedOneIsWritten) {
  EditableModel model("v3");
  model.remove("lm_head.weight");
  EXPECT_TRUE(contains(error(model), "tie_word_embeddings true"));
}

TEST_F(NotWhole, HalfAnMtpLayerIsAnError) {
  EditableModel model("v3");
  model.config["num_nextn_predict_layers"] = 1;
  model.add("model.layers.3.enorm.weight", model.memory().numbers({32}, 1));
  EXPECT_TRUE(contains(error(model), "the MTP layer is incomplete"));
}

TEST_F(NotWhole, APointerInsteadOfTheVocabularyIsNoticed) {
  EditableModel model("v3");
  fs::create_directory(folder_ / "model");
  write_file(folder_ / "model" / "tokenizer.json", "version https://git-lfs.github.com/spec/v1\n");
  EXPECT_TRUE(contains(error(model), "tokenizer.json] is a Git LFS pointer"));
}

TEST_F(NotWhole, ADanglingVocabularyIsNoticed) {
  EditableModel model("v3");
  fs::create_directory(folder_ / "model");
  fs::create_symlink("../blobs/gone", folder_ / "model" / "tokenizer.model");
  EXPECT_TRUE(contains(error(model), "tokenizer.model] is a link to ../blobs/gone"));
}

}  // namespace
}  // namespace tessera
