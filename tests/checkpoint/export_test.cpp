// SPDX-License-Identifier: MIT
#include <nlohmann/json.hpp>

#include "core/checkpoint/checkpoint.h"
#include "tests/checkpoint/checkpoint_contents.h"

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

TEST(Export, ConvertsACheckpoint) {
  const TemporaryFolder run;
  Tensors memory;
  write_file(run / "tokenizer.model", "pieces");
  CheckpointContents contents;
  contents.weights = some_weights(memory);
  contents.state = {{"secret", 1}};
  contents.files = {run / "tokenizer.model"};
  const fs::path from = save_checkpoint(run.path(), contents);
  convert_folder(from, run / "f32", {.dtype = DType::F32});
  EXPECT_EQ(names_in(run / "f32"), (Names{"config.json", "model.safetensors", "tokenizer.model"}));
  const SafetensorsFolder read(run / "f32");
  for (const NamedTensor& weight : contents.weights) {
    EXPECT_TRUE(same_bytes(read.at(weight.name).view(), weight.data));
  }
  flip_bit(from / "model.safetensors", fs::file_size(from / "model.safetensors") - 9, 3);
  EXPECT_TRUE(contains(error_of([&] { convert_folder(from, run / "x"); }), "damaged"));
  EXPECT_FALSE(fs::exists(run / "x"));
}

TEST(Export, MultipliesOutFp8) {
  const fs::path from = reference_folder("tiny-fp8");
  if (from.empty()) GTEST_SKIP() << "the reference cases are not at hand";
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
  Tensors memory;
  const std::vector<NamedTensor> weights{{"large", memory.numbers({5000, 1003}, 1)},
                                         {"stack", memory.numbers({2, 3, 5}, 2)}};
  export_folder(folder / "a", HfConfig{}, weights, {.dtype = DType::F32});
  convert_folder(folder / "a", folder / "b", {.dtype = DType::F32});
  EXPECT_EQ(hash_file(folder / "a" / "model.safetensors").xxh3,
            hash_file(folder / "b" / "model.safetensors").xxh3);
}

}  // namespace
}  // namespace tessera
