// SPDX-License-Identifier: MIT
#include "core/checkpoint/checkpoint.h"

#include <algorithm>

#include "tests/checkpoint/checkpoint_contents.h"

namespace tessera {
namespace {

using namespace testing;
using Names = std::vector<std::string>;
using Steps = std::vector<std::int64_t>;

TEST(CheckpointFolder, ComesBackBitForBit) {
  const TemporaryFolder run;
  write_file(run / "tokenizer.model", std::string("pieces\0\n", 8));
  SmallCheckpoint small(12);
  small.contents.files = {run / "tokenizer.model"};
  const fs::path path = save_checkpoint(run.path(), small.contents);
  EXPECT_EQ(path, run / "checkpoints" / "step-12");
  EXPECT_EQ(names_in(path), (Names{"config.json", "manifest.json", "model.safetensors",
                                   "optimiser.safetensors", "state.json", "tokenizer.model"}));
  expect_whole(path, 12);
  EXPECT_EQ(read_file(path / "tokenizer.model"), std::string("pieces\0\n", 8));
  EXPECT_EQ(check_checkpoint(path, Verify::Hashes), "");
  EXPECT_EQ(names_in(run / "checkpoints"), Names{"step-12"});
  const auto bytes = list_checkpoints(run.path()).at(0).bytes;
  EXPECT_GE(checkpoint_bytes(small.contents), bytes);
  EXPECT_LE(checkpoint_bytes(small.contents), bytes + (200u << 10));
}

TEST(CheckpointFolder, ShardsAndWorksWithoutAnOptimiser) {
  const TemporaryFolder run;
  SmallCheckpoint small(3);
  small.contents.optimiser.clear();
  const fs::path path = save_checkpoint(run.path(), small.contents, {.shard_bytes = 1000});
  EXPECT_TRUE(fs::exists(path / "model.safetensors.index.json"));
  const Checkpoint read(path);
  EXPECT_FALSE(read.has_optimiser());
  EXPECT_TRUE(contains(error_of([&] { read.read_optimiser({}); }), "no optimiser state"));
  expect_read_back(small.contents.weights, [&](auto& into) { read.read_weights(into); });
}

TEST(CheckpointFolder, ReadingIntoAnotherModelIsAnError) {
  const TemporaryFolder run;
  const Checkpoint read(save_step(run.path(), 1));
  SmallCheckpoint other(1);
  auto& weights = other.contents.weights;
  const auto error = [&] { return error_of([&] { read.read_weights(weights); }); };
  weights[0].data = weights[0].data.slice(0, 0, 5);
  EXPECT_TRUE(contains(error(), "\"model.norm.weight\" is F32(37), expected F32(5)"));
  weights[0].data = other.memory.zeros(DType::BF16, {37});
  EXPECT_TRUE(contains(error(), "expected BF16(37)"));
  weights.erase(weights.begin());
  EXPECT_TRUE(contains(error(), "1 tensors that nobody asked for, such as \"model.norm.weight\""));
  weights.push_back({"model.norm.weigth", other.memory.zeros(DType::F32, {37})});
  EXPECT_TRUE(contains(error(), "nearest name is \"model.norm.weight\""));
}

TEST(CheckpointFolder, LatestIsTheLargestStep) {
  const TemporaryFolder run;
  EXPECT_FALSE(find_latest_checkpoint(run.path()).has_value());
  EXPECT_TRUE(list_checkpoints(run.path()).empty());
  for (std::int64_t step : {9, 100, 20}) save_step(run.path(), step);
  EXPECT_EQ(find_latest_checkpoint(run.path())->step, 100);
  EXPECT_EQ(steps_of(run.path()), (Steps{9, 20, 100}));
  remove_checkpoint(run / "checkpoints" / "step-100");
  EXPECT_EQ(find_latest_checkpoint(run.path())->step, 20);
  EXPECT_TRUE(contains(error_of([&] { remove_checkpoint(run / "none"); }), "no such checkpoint"));
}

/// Checkpoints 1 and 2; each test tears 2.
class TornCheckpoint : public ::testing::Test {
 protected:
  void SetUp() override {
    save_step(run_.path(), 1);
    torn_ = save_step(run_.path(), 2);
  }
  /// By sizes alone, 1 must be picked, and loading 2 must say what is wrong and what to use.
  void expect_passed_over(const std::string& damage) {
    ASSERT_TRUE(find_latest_checkpoint(run_.path()).has_value());
    EXPECT_EQ(find_latest_checkpoint(run_.path())->step, 1);
    const auto list = list_checkpoints(run_.path());
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list[0].damage, "");
    EXPECT_TRUE(contains(list[1].damage, damage));
    const std::string message = error_of([&] { Checkpoint read(torn_); });
    EXPECT_TRUE(contains(message, damage));
    EXPECT_TRUE(contains(message, "step-1, which is whole"));
  }
  TemporaryFolder run_;
  fs::path torn_;
};

TEST_F(TornCheckpoint, EveryMissingOrCutFileIsSeen) {
  for (const std::string& name : names_in(torn_)) {
    const std::string whole = read_file(torn_ / name);
    fs::remove(torn_ / name);
    expect_passed_over(name);
    if (name != "manifest.json") {
      write_file(torn_ / name, whole.substr(0, whole.size() - 1));
      expect_passed_over(name);
      write_file(torn_ / name, whole + "x");
      expect_passed_over(name);
    }
    write_file(torn_ / name, whole);
    EXPECT_EQ(find_latest_checkpoint(run_.path(), Verify::Hashes)->step, 2);
  }
}

TEST_F(TornCheckpoint, EveryTruncationOfTheManifestIsSeen) {
  const std::string whole = read_file(torn_ / "manifest.json");
  // Its last byte is a line end, which the JSON can spare.
  for (std::size_t length = 0; length + 1 < whole.size(); ++length) {
    write_file(torn_ / "manifest.json", whole.substr(0, length));
    ASSERT_EQ(find_latest_checkpoint(run_.path())->step, 1) << length;
  }
}

TEST_F(TornCheckpoint, ManifestOfAnotherFormIsSeen) {
  for (const char* text :
       {"{}", "[]", "7", R"({"format":1,"step":2})", R"({"format":1,"step":2,"files":[]})",
        R"({"format":1,"step":2,"files":[{"name":"a"}]})",
        R"({"format":1,"step":2,"files":[{"name":"../a","bytes":1,"xxh3":"0"}]})",
        R"({"format":1,"step":2,"files":[{"name":"a","bytes":1,"xxh3":"q"}]})"}) {
    write_file(torn_ / "manifest.json", text);
    expect_passed_over("");
  }
  write_file(torn_ / "manifest.json", R"({"format":3})");
  expect_passed_over("written by a newer version");
}

TEST_F(TornCheckpoint, BitFlipsAreCaughtByTheHash) {
  for (const std::string& name : names_in(torn_)) {
    if (name == "manifest.json") continue;
    const std::size_t bytes = fs::file_size(torn_ / name);
    for (std::size_t byte : {std::size_t{0}, bytes / 3, bytes / 2, bytes - 1}) {
      flip_bit(torn_ / name, byte, static_cast<int>(byte % 8));
      EXPECT_EQ(find_latest_checkpoint(run_.path(), Verify::Sizes)->step, 2);
      EXPECT_EQ(find_latest_checkpoint(run_.path(), Verify::Hashes)->step, 1);
      const std::string message = error_of([&] { Checkpoint read(torn_); });
      EXPECT_TRUE(contains(message, name + " does not hold the bytes that were written"));
      EXPECT_TRUE(contains(message, "step-1, which is whole"));
      flip_bit(torn_ / name, byte, static_cast<int>(byte % 8));
    }
  }
  expect_whole(torn_, 2);
}

TEST_F(TornCheckpoint, TemporaryAndForeignNamesAreNotPicked) {
  for (const char* name : {".tmp-step-99-1", "step-", "step-9x", "step--9", "xstep-9",
                           "step-99999999999999999999", "stop-5"}) {
    fs::copy(torn_, run_ / "checkpoints" / name);
  }
  write_file(run_ / "checkpoints" / "step-77", "a file, not a folder");
  EXPECT_EQ(find_latest_checkpoint(run_.path())->step, 2);
  EXPECT_EQ(steps_of(run_.path()), (Steps{1, 2}));
}

TEST(CheckpointFolder, StaleTemporaryFoldersGoAtTheNextSave) {
  const TemporaryFolder run;
  save_step(run.path(), 1);
  fs::copy(run / "checkpoints" / "step-1", run / "checkpoints" / ".tmp-step-2-4711");
  save_step(run.path(), 3);
  EXPECT_EQ(names_in(run / "checkpoints"), (Names{"step-1", "step-3"}));
}

TEST(CheckpointFolder, SavingAStepAgainReplacesIt) {
  const TemporaryFolder run;
  SmallCheckpoint first(5), second(5);
  second.contents.state["again"] = true;
  save_checkpoint(run.path(), first.contents, {.pin = true});
  const fs::path path = save_checkpoint(run.path(), second.contents);
  EXPECT_TRUE(list_checkpoints(run.path()).at(0).pinned);
  EXPECT_EQ(Checkpoint(path).state(), second.contents.state);
  EXPECT_EQ(names_in(run / "checkpoints"), Names{"step-5"});
}

TEST(CheckpointFolder, OneThatWasBeingReplacedIsNotLost) {
  // What a crash between two renames leaves on a file system that cannot exchange names.
  const TemporaryFolder run;
  const fs::path path = save_step(run.path(), 5), old = run / "checkpoints" / ".old-step-5-4711";
  save_step(run.path(), 4);
  fs::rename(path, old);
  ASSERT_EQ(find_latest_checkpoint(run.path())->step, 5);
  expect_whole(find_latest_checkpoint(run.path())->path, 5);
  save_step(run.path(), 6);
  EXPECT_EQ(names_in(run / "checkpoints"), (Names{"step-4", "step-5", "step-6"}));
  fs::copy(path, old);  // and the same, killed after the second rename
  EXPECT_EQ(steps_of(run.path()), (Steps{4, 5, 6}));
  save_step(run.path(), 7);
  EXPECT_EQ(names_in(run / "checkpoints"), (Names{"step-4", "step-5", "step-6", "step-7"}));
}

TEST(CheckpointFolder, KeepsTheLastAndThePinned) {
  const TemporaryFolder run;
  save_step(run.path(), 1, {.keep_last = 2});
  save_step(run.path(), 2, {.keep_last = 2, .pin = true});
  save_step(run.path(), 3, {.keep_last = 2});
  save_step(run.path(), 4, {.keep_last = 2});
  save_step(run.path(), 5, {.keep_last = 2});
  EXPECT_EQ(steps_of(run.path()), (Steps{2, 4, 5}));
  EXPECT_TRUE(list_checkpoints(run.path())[0].pinned);
  pin_checkpoint(run / "checkpoints" / "step-2", false);
  pin_checkpoint(run / "checkpoints" / "step-4", true);
  save_step(run.path(), 6, {.keep_last = 1});
  EXPECT_EQ(steps_of(run.path()), (Steps{4, 6}));
  // A step that is older than others is what was asked for now: it stays.
  save_step(run.path(), 3, {.keep_last = 1});
  EXPECT_EQ(steps_of(run.path()), (Steps{3, 4}));
}

TEST(CheckpointFolder, MistakesOfTheCallerLeaveNothingBehind) {
  const TemporaryFolder run;
  save_step(run.path(), 1);
  const auto error = [&](CheckpointContents contents) {
    return error_of([&] { save_checkpoint(run.path(), contents); });
  };
  SmallCheckpoint small(2);
  CheckpointContents contents = small.contents;
  contents.files = {run / "none.model"};
  EXPECT_TRUE(contains(error(contents), "no such file"));
  write_file(run / "state.json", "{}");
  contents.files = {run / "state.json"};
  EXPECT_TRUE(contains(error(contents), "has its own file \"state.json\""));
  contents = small.contents;
  contents.weights.push_back(contents.weights[0]);
  EXPECT_TRUE(contains(error(contents), "two tensors have the name"));
  contents = small.contents;
  contents.optimiser.push_back({"absent", Tensor()});
  EXPECT_TRUE(contains(error(contents), "\"absent\" is absent"));
  EXPECT_TRUE(contains(error_of([&] { save_step(run / "no-run", 2); }), "there is no such run"));
  EXPECT_EQ(names_in(run / "checkpoints"), Names{"step-1"});
}

}  // namespace
}  // namespace tessera
