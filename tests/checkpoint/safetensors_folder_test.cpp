// SPDX-License-Identifier: MIT
#include <nlohmann/json.hpp>

#include "core/checkpoint/safetensors.h"
#include "tests/checkpoint/golden_models.h"

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
  EXPECT_TRUE(contains(error(), "00001-of-00003.safetensors] holds no tensor \"t.0\", which"));
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

TEST_F(BrokenFolder, AllMissingShardsAreCounted) {
  fs::remove(folder_ / "model-00002-of-00003.safetensors");
  fs::remove(folder_ / "model-00003-of-00003.safetensors");
  EXPECT_TRUE(contains(error(), "2 shards are missing: model-00002-of-00003.safetensors, model-"));
}

TEST_F(BrokenFolder, ShardsAreFoundWithoutTheirIndex) {
  fs::remove(index_);
  EXPECT_EQ(SafetensorsFolder(folder_.path()).names().size(), 10u);
  fs::remove(folder_ / "model-00002-of-00003.safetensors");
  EXPECT_TRUE(contains(error(), "the shard model-00002-of-00003.safetensors is missing"));
}

TEST_F(BrokenFolder, ShardsOfTwoSetsAreNotMixed) {
  fs::remove(index_);
  write_safetensors(folder_ / "model-00001-of-00002.safetensors",
                    std::vector<NamedTensor>{{"t.0", memory_.numbers({2}, 1)}});
  EXPECT_TRUE(contains(error(), "holds shards of two sets"));
}

TEST_F(BrokenFolder, ATensorInTwoShardsIsTakenWhenEqual) {
  const std::string shard = "model-00003-of-00003.safetensors";  // t.1 and t.0
  const SafetensorsFolder whole(folder_.path());
  const Tensor same = whole.at("t.9").view(), other = memory_.numbers({10, 10}, 99);
  const auto rewrite = [&](const Tensor& t9) {
    const std::vector<NamedTensor> tensors{
        {"t.1", whole.at("t.1").view()}, {"t.0", whole.at("t.0").view()}, {"t.9", t9}};
    write_safetensors(folder_ / "new", tensors);
    fs::rename(folder_ / "new", folder_ / shard);  // the old one stays mapped
  };
  rewrite(same);
  EXPECT_EQ(SafetensorsFolder(folder_.path()).names().size(), 10u);
  rewrite(other);
  EXPECT_TRUE(contains(error(),
                       "the tensor \"t.9\" is in model-00003-of-00003.safetensors and in "
                       "another shard, and the two differ"));
  fs::remove(index_);
  EXPECT_TRUE(contains(error(), "\"t.9\""));
}

TEST_F(BrokenFolder, WhatIsNotReadIsNoted) {
  point_at("model-00003-of-00003.safetensors");  // which holds t.1 as well
  write_safetensors(folder_ / "model.safetensors",
                    std::vector<NamedTensor>{{"t.0", memory_.numbers({2}, 1)}});
  const SafetensorsFolder read(folder_.path());
  ASSERT_EQ(read.notes().size(), 2u);
  EXPECT_TRUE(
      contains(read.notes()[0], "1 tensors of model-00003-of-00003.safetensors are not in"));
  EXPECT_TRUE(contains(read.notes()[0], "t.1"));
  EXPECT_TRUE(contains(read.notes()[1], "model.safetensors is not read"));
}

TEST_F(BrokenFolder, LinksToNothingAreNamed) {
  const auto dangle = [&](const std::string& name) {
    fs::remove(folder_ / name);
    fs::create_symlink("../blobs/gone", folder_ / name);
    return error();
  };
  EXPECT_TRUE(contains(dangle("model-00002-of-00003.safetensors"),
                       "model-00002-of-00003.safetensors] is a link to ../blobs/gone"));
  EXPECT_TRUE(contains(dangle("model.safetensors.index.json"),
                       "index.json] is a link to ../blobs/gone, which is not there"));
  fs::remove(index_);
  EXPECT_TRUE(contains(error(), "model-00002-of-00003.safetensors] is a link"));
  EXPECT_TRUE(contains(dangle("model.safetensors"), "model.safetensors] is a link"));
}

TEST_F(BrokenFolder, PointersAndPagesAreToldAsSuch) {
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 135232\n";
  write_file(folder_ / "model-00002-of-00003.safetensors", pointer);
  EXPECT_TRUE(contains(error(), "model-00002-of-00003.safetensors] is a Git LFS pointer"));
  EXPECT_TRUE(contains(error(), "git lfs pull"));
  write_file(folder_ / "model-00002-of-00003.safetensors", "<!DOCTYPE html><html>");
  EXPECT_TRUE(contains(error(), "is a web page"));
  write_file(index_, pointer);
  EXPECT_TRUE(contains(error(), "index.json] is a Git LFS pointer"));
}

TEST_F(BrokenFolder, AShardThatIsCutShortIsToldAsSuch) {
  const fs::path shard = folder_ / "model-00002-of-00003.safetensors";
  fs::resize_file(shard, fs::file_size(shard) - 100);
  EXPECT_TRUE(contains(error(), "is cut short: it has"));
}

struct OtherFolder {
  const char* file;
  const char* message;
};
class OtherFolders : public ::testing::TestWithParam<OtherFolder> {};

TEST_P(OtherFolders, SayWhatTheyHold) {
  const TemporaryFolder folder;
  write_file(folder / GetParam().file, "x");
  const std::string message = error_of([&] { SafetensorsFolder opened(folder.path()); });
  EXPECT_TRUE(contains(message, GetParam().file));
  EXPECT_TRUE(contains(message, GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, OtherFolders,
    ::testing::Values(OtherFolder{"pytorch_model.bin", "save_pretrained()"},
                      OtherFolder{"consolidated.00.pth", "save_pretrained()"},
                      OtherFolder{"model.Q4_K_M.gguf", "tessera import FILE NEW_FOLDER"},
                      OtherFolder{"model-00001-of-00002.safetensors.incomplete", "has not ended"},
                      OtherFolder{"weights.safetensors", "rename it to model.safetensors"}));

TEST(SafetensorsFolder, AnAdapterIsNoModel) {
  const TemporaryFolder folder;
  write_file(folder / "adapter_config.json", "{}");
  write_file(folder / "adapter_model.safetensors", "x");
  EXPECT_TRUE(
      contains(error_of([&] { SafetensorsFolder opened(folder.path()); }), "it is a LoRA adapter"));
}

TEST(SafetensorsFolder, ReadsTheGoldenModels) {
  for (const char* name : {"v3", "moonlight", "fp8"}) {
    const SafetensorsFolder model(golden_models() / name);
    EXPECT_NE(model.find("model.embed_tokens.weight"), nullptr);
    EXPECT_GT(model.total_bytes(), 0u);
    EXPECT_TRUE(model.notes().empty());
    const SafetensorsFile reference(golden_models() / name / "reference.safetensors");
    EXPECT_EQ(reference.at("input_ids").dtype, DType::I64);
    EXPECT_EQ(reference.at("logits").view().size(-1), 96);
  }
}

}  // namespace
}  // namespace tessera
