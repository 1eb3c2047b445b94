// SPDX-License-Identifier: MIT
#include <nlohmann/json.hpp>

#include "core/checkpoint/safetensors.h"
#include "tests/checkpoint/checkpoint_testing.h"

namespace tessera {
namespace {

using namespace testing;

std::vector<NamedTensor> ten_tensors(Tensors& memory) {
  std::vector<NamedTensor> tensors;
  for (std::uint64_t i = 0; i < 10; ++i) {
    tensors.push_back({fmt::format("t.{}", 9 - i), memory.numbers({10, 10}, i)});
  }
  return tensors;
}

TEST(SafetensorsFolder, ShardsBySizeAndReadsThemBack) {
  Tensors memory;
  const std::vector<NamedTensor> tensors = ten_tensors(memory);
  for (std::uint64_t shard_bytes :
       {std::uint64_t{1}, std::uint64_t{1000}, std::uint64_t{4000}, kShardBytes}) {
    const TemporaryFolder folder;
    const auto files = write_safetensors_folder(folder.path(), tensors, shard_bytes);
    std::uint64_t bytes = 0;
    for (const FolderFile& file : files) {
      EXPECT_EQ(file.written.bytes, fs::file_size(folder / file.name));
      EXPECT_EQ(file.written.xxh3, hash_file(folder / file.name).xxh3);
      bytes += file.written.bytes;
    }
    EXPECT_EQ(bytes, plan_shards(plan_of(tensors), shard_bytes).total_bytes);
    const SafetensorsFolder read(folder.path());
    EXPECT_EQ(read.names().size(), 10u);
    EXPECT_EQ(read.names().front(), "t.0");
    EXPECT_EQ(read.total_bytes(), 4000u);
    for (const NamedTensor& tensor : tensors) {
      EXPECT_TRUE(same_bytes(read.at(tensor.name).view(), tensor.data));
    }
  }
}

TEST(SafetensorsFolder, NamesShardsAsTheReleasedModelsDo) {
  const TemporaryFolder folder;
  Tensors memory;
  const auto files = write_safetensors_folder(folder.path(), ten_tensors(memory), 1600);
  ASSERT_EQ(files.size(), 4u);  // 4 + 4 + 2 tensors of 400 bytes, and the index
  EXPECT_EQ(files[0].name, "model-00001-of-00003.safetensors");
  EXPECT_EQ(files[2].name, "model-00003-of-00003.safetensors");
  EXPECT_EQ(files[3].name, "model.safetensors.index.json");
  const auto index = nlohmann::json::parse(read_file(folder / files[3].name));
  EXPECT_EQ(index["metadata"]["total_size"], 4000);
  EXPECT_EQ(index["weight_map"]["t.9"], files[0].name);
  EXPECT_EQ(index["weight_map"]["t.0"], files[2].name);
}

TEST(SafetensorsFolder, TakesOneFileToo) {
  const TemporaryFolder folder;
  Tensors memory;
  write_safetensors(folder / "any.safetensors", ten_tensors(memory));
  EXPECT_EQ(SafetensorsFolder(folder / "any.safetensors").names().size(), 10u);
}

class BrokenFolder : public ::testing::Test {
 protected:
  void SetUp() override { write_safetensors_folder(folder_.path(), ten_tensors(memory_), 1600); }
  std::string error() {
    return error_of([&] { SafetensorsFolder folder(folder_.path()); });
  }
  /// Writes an index that puts one tensor into `shard`.
  void point_at(const nlohmann::json& shard) {
    write_file(index_, nlohmann::json{{"weight_map", {{"t.0", shard}}}}.dump());
  }
  TemporaryFolder folder_;
  Tensors memory_;
  const fs::path index_ = folder_ / "model.safetensors.index.json";
};

TEST_F(BrokenFolder, MissingShardIsNamed) {
  fs::remove(folder_ / "model-00002-of-00003.safetensors");
  EXPECT_TRUE(contains(error(), "the shard model-00002-of-00003.safetensors is missing"));
}

TEST_F(BrokenFolder, TensorMissingInItsShardIsNamed) {
  point_at("model-00001-of-00003.safetensors");
  EXPECT_TRUE(contains(error(), "00001-of-00003.safetensors] holds no tensor \"t.0\""));
}

TEST_F(BrokenFolder, ShardsAreFilesOfTheFolder) {
  for (const char* name : {"../other.safetensors", "/etc/passwd", "..", ".", "", "a\\b"}) {
    point_at(name);
    EXPECT_TRUE(contains(error(), "is not the name of a file beside the index")) << name;
  }
  point_at(7);
  EXPECT_TRUE(contains(error(), "is not the name of a file"));
}

TEST_F(BrokenFolder, IndexMustBeOne) {
  for (const char* text : {"", "{", "[]", "{}", R"({"weight_map":[]})"}) {
    write_file(index_, text);
    EXPECT_TRUE(contains(error(), "is not a safetensors index")) << text;
  }
}

TEST_F(BrokenFolder, FolderWithoutAModelSaysSo) {
  const TemporaryFolder empty;
  EXPECT_TRUE(contains(error_of([&] { SafetensorsFolder folder(empty.path()); }),
                       "holds neither model.safetensors nor model.safetensors.index.json"));
  EXPECT_TRUE(contains(error_of([&] { SafetensorsFolder folder(empty / "none"); }),
                       "there is no such folder"));
}

TEST(SafetensorsFolder, ReadsTheReferenceCases) {
  if (reference_folder("tiny").empty()) GTEST_SKIP() << "the reference cases are not at hand";
  for (const char* name : {"tiny", "tiny-noqlora", "tiny-fp8"}) {
    const SafetensorsFolder model(reference_folder(name));
    EXPECT_NE(model.find("model.embed_tokens.weight"), nullptr);
    EXPECT_GT(model.total_bytes(), 0u);
    const SafetensorsFile reference(reference_folder(name) / "reference.safetensors");
    EXPECT_EQ(reference.at("input_ids").dtype, DType::I64);
    EXPECT_EQ(reference.at("logits").view().size(-1), 512);
  }
}

}  // namespace
}  // namespace tessera
