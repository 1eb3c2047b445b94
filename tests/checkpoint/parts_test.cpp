// SPDX-License-Identifier: MIT
// Checkpoints that several ranks write together.
#include <functional>
#include <set>
#include <thread>

#include "core/base/progress.h"
#include "core/checkpoint/checkpoint.h"
#include "distributed/threads/thread_ranks.h"
#include "tests/checkpoint/checkpoint_contents.h"

namespace tessera {
namespace {

using namespace testing;
using Names = std::vector<std::string>;

/// What each rank threw, else an empty text.
Names on_ranks(int count, const std::function<void(Communicator&)>& work) {
  ThreadRanks ranks(count);
  Names thrown(static_cast<std::size_t>(count));
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      try {
        work(ranks.rank(i));
      } catch (const std::exception& error) {
        thrown[static_cast<std::size_t>(i)] = error.what();
      }
    });
  }
  threads.clear();
  return thrown;
}

/// The part of a small checkpoint that a rank of two stages with two ranks each holds: the first
/// stage the head's row count and all that is not the norm, the last stage the norm and the head.
CheckpointContents held_by(const SmallCheckpoint& small, int rank) {
  CheckpointContents contents = small.contents;
  std::erase_if(contents.weights, [&](const NamedTensor& tensor) {
    return rank < 2 ? tensor.name == "model.norm.weight" : tensor.name == "half";
  });
  std::erase_if(contents.optimiser,
                [&](const NamedTensor& tensor) { return (rank < 2) == (tensor.name == "count"); });
  if (rank != 0) {
    contents.config = {};
    contents.state = {{"of", rank}};
  }
  return contents;
}

fs::path save_by_four(const fs::path& run, std::int64_t step, const SaveOptions& options = {}) {
  const SmallCheckpoint small(step);
  fs::path path;
  const Names thrown = on_ranks(4, [&](Communicator& ranks) {
    CheckpointContents contents = held_by(small, ranks.rank());
    share_out(contents, ranks);
    const SavedCheckpoint saved = save_checkpoint(run, contents, options, &ranks);
    if (ranks.rank() == 0) path = saved.path;
  });
  EXPECT_EQ(thrown, Names(4));
  return path;
}

TEST(CheckpointParts, AreReadAsOneCheckpoint) {
  const TemporaryFolder run;
  const fs::path path = save_by_four(run.path(), 7);
  expect_whole(path, 7);
  EXPECT_EQ(check_checkpoint(path, Verify::Hashes), "");
  EXPECT_EQ(names_in(run / "checkpoints"), Names{"step-7"});
  // Every tensor is in one file, and more than one rank has written.
  std::multiset<std::string> tensors;
  std::size_t weights = 0, states = 0;
  for (const std::string& name : names_in(path)) {
    if (!name.ends_with(".safetensors")) continue;
    (name.starts_with("model-") ? weights : states) += 1;
    const SafetensorsFile file(path / name);
    for (const StoredTensor& tensor : file.tensors()) tensors.insert(tensor.name);
  }
  EXPECT_EQ(tensors,
            (std::multiset<std::string>{"count", "half", "lm_head.weight", "m.lm_head.weight",
                                        "model.norm.weight", "v.lm_head.weight"}));
  EXPECT_GE(weights, 2u);
  EXPECT_GE(states, 2u);
  EXPECT_TRUE(fs::exists(path / "model.safetensors.index.json"));
}

TEST(CheckpointParts, OfOneRankAreTheSameBytesAsBefore) {
  const TemporaryFolder alone, together;
  SmallCheckpoint small(4);
  const fs::path a = save_checkpoint(alone.path(), small.contents);
  on_ranks(1, [&](Communicator& ranks) {
    CheckpointContents contents = small.contents;
    share_out(contents, ranks);
    save_checkpoint(together.path(), contents, {}, &ranks);
  });
  const fs::path b = together / "checkpoints/step-4";
  ASSERT_EQ(names_in(a), names_in(b));
  for (const std::string& name : names_in(a)) {
    EXPECT_EQ(read_file(a / name), read_file(b / name)) << name;
  }
  EXPECT_TRUE(contains(read_file(a / "manifest.json"), "\"format\": 1"));
}

TEST(CheckpointParts, DamageNamesItsFileAndWhatToUseInstead) {
  const TemporaryFolder run;
  save_by_four(run.path(), 1);
  const fs::path path = save_by_four(run.path(), 2);
  EXPECT_TRUE(contains(read_file(path / "manifest.json"), "\"format\": 2"));
  for (const std::string& name : names_in(path)) {
    if (!name.ends_with(".safetensors")) continue;
    const std::string good = read_file(path / name);
    std::string bad = good;
    bad[bad.size() - 3] = static_cast<char>(bad[bad.size() - 3] ^ 1);
    write_file(path / name, bad);
    EXPECT_TRUE(contains(check_checkpoint(path, Verify::Hashes), name));
    const std::string error = error_of([&] { const Checkpoint read(path); });
    EXPECT_TRUE(contains(error, name)) << error;
    EXPECT_TRUE(contains(error, "step-1, which is whole")) << error;
    // Ranks that share out the files find it as well, and one of them names it.
    const Names thrown = on_ranks(3, [&](Communicator& ranks) {
      const auto here = static_cast<std::size_t>(ranks.rank());
      require_whole(path, Verify::Hashes, nullptr, {here, 3});
    });
    EXPECT_EQ(std::ranges::count_if(thrown, [&](const auto& t) { return contains(t, name); }), 1);
    fs::remove(path / name);
    EXPECT_TRUE(contains(check_checkpoint(path, Verify::Sizes), name + " is missing"));
    write_file(path / name, good);
  }
  EXPECT_EQ(check_checkpoint(path, Verify::Hashes), "");
}

TEST(CheckpointParts, WhatFailsOnOneRankLeavesNothingBehind) {
  const TemporaryFolder run;
  save_by_four(run.path(), 1);
  const SmallCheckpoint small(2);
  const auto save_with = [&](const std::function<void()>& problem) {
    return on_ranks(4, [&](Communicator& ranks) {
      CheckpointContents contents = held_by(small, ranks.rank());
      share_out(contents, ranks);
      SaveOptions options;
      if (ranks.rank() == 2) options.between = problem;
      save_checkpoint(run.path(), contents, options, &ranks);
    });
  };
  for (const std::string& text : save_with([] { throw Error("disk", "is full", "buy another"); })) {
    EXPECT_TRUE(contains(text, "is full")) << text;
  }
  for (const std::string& text : save_with([] { throw Stopped("saving"); })) {
    EXPECT_TRUE(contains(text, "stopped on request")) << text;
  }
  EXPECT_EQ(names_in(run / "checkpoints"), Names{"step-1"});
  expect_whole(run / "checkpoints/step-1", 1);
}

/// An array of 100 numbers, the run [first, first + count) of it.
NamedTensor run_of(const Tensor& array, std::int64_t first, std::int64_t count) {
  return {state_name("m.w", first, count, array.numel()), array.slice(0, first, first + count)};
}

TEST(CheckpointParts, RunsOfAStateAreReadInOtherRuns) {
  const TemporaryFolder run;
  Tensors memory;
  const Tensor array = memory.numbers({100}, 3);
  SmallCheckpoint small(5);
  const std::int64_t cuts[] = {0, 10, 60, 61, 100};
  EXPECT_EQ(on_ranks(4,
                     [&](Communicator& ranks) {
                       CheckpointContents contents = small.contents;
                       const auto at = static_cast<std::size_t>(ranks.rank());
                       contents.optimiser = {run_of(array, cuts[at], cuts[at + 1] - cuts[at])};
                       share_out(contents, ranks);
                       save_checkpoint(run.path(), contents, {}, &ranks);
                     }),
            Names(4));
  const Checkpoint read(run / "checkpoints/step-5");
  for (const std::int64_t count : {100, 50, 33, 7, 1}) {
    const Tensor into = memory.zeros(DType::F32, {100});
    for (std::int64_t first = 0; first < 100; first += count) {
      const NamedTensor wanted[] = {run_of(into, first, std::min(count, 100 - first))};
      read.read_optimiser(wanted);
    }
    EXPECT_TRUE(same_bytes(into, array)) << count;
  }
  const NamedTensor longer[] = {{"m.w", memory.zeros(DType::F32, {101})}};
  EXPECT_TRUE(contains(error_of([&] { read.read_optimiser(longer); }),
                       "\"m.w\" has 100 elements of F32, expected 101"));
  const NamedTensor half[] = {{"m.w", memory.zeros(DType::BF16, {100})}};
  EXPECT_TRUE(contains(error_of([&] { read.read_optimiser(half); }), "expected 100 of BF16"));
  const NamedTensor other[] = {{"m.v", memory.zeros(DType::F32, {100})}};
  EXPECT_TRUE(contains(error_of([&] { read.read_optimiser(other); }), "nearest name is \"m.w\""));
}

TEST(CheckpointParts, ARunThatNobodyWroteIsNamed) {
  const TemporaryFolder run;
  Tensors memory;
  const Tensor array = memory.numbers({100}, 3);
  SmallCheckpoint small(5);
  small.contents.optimiser = {run_of(array, 0, 40), run_of(array, 50, 50)};
  const Checkpoint read(save_checkpoint(run.path(), small.contents));
  const NamedTensor whole[] = {{"m.w", memory.zeros(DType::F32, {100})}};
  EXPECT_TRUE(contains(error_of([&] { read.read_optimiser(whole); }),
                       "from 40 to 100 of \"m.w\" are in none"));
  const NamedTensor part[] = {run_of(memory.zeros(DType::F32, {100}), 55, 20)};
  read.read_optimiser(part);
  EXPECT_THROW(state_name("m.w", 90, 20, 100), Error);
}

/// A rank that holds a part of the model leaves to others what it knows that they read.
TEST(CheckpointParts, OthersReadTheRest) {
  const TemporaryFolder run;
  SmallCheckpoint small(5);
  const Checkpoint read(save_by_four(run.path(), 5));
  const std::vector<NamedTensor> norm{small.contents.weights[0]};
  EXPECT_TRUE(contains(error_of([&] { read.read_weights(norm); }), "2 tensors that nobody"));
  const Names others{"lm_head.weight", "half"};
  expect_read_back(norm, [&](auto& into) { read.read_weights(into, nullptr, others); });
  const std::vector<NamedTensor> count{small.contents.optimiser[2]};
  EXPECT_TRUE(contains(error_of([&] { read.read_optimiser(count); }), "2 tensors that nobody"));
  const Names states{"m.lm_head.weight", "v.lm_head.weight"};
  expect_read_back(count, [&](auto& into) { read.read_optimiser(into, nullptr, states); });
}

}  // namespace
}  // namespace tessera
