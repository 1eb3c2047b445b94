// SPDX-License-Identifier: MIT
// A run leans on nothing outside its folder.
#include "core/train/fork.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/base/error.h"
#include "tests/train/workspace.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using tiny_run::losses, tiny_run::Workspace;

/// Runs that train their vocabulary and build their shards themselves, from text of their own.
class FieldWholeRun : public testing::Test {
 protected:
  RunSpec spec() const {
    RunSpec s = workspace_.spec();
    s.data.shards.clear();
    s.tokenizer.path.clear();
    fs::create_directories(corpus_);
    tiny_run::write_words(corpus_ / "text.jsonl");
    s.data.sources[0].paths = {corpus_.string()};
    return s;
  }
  static CheckpointInfo newest(const RunFolder& run) { return *find_latest_checkpoint(run.path()); }

  Workspace workspace_;
  fs::path corpus_ = workspace_.path / "corpus";
};

TEST_F(FieldWholeRun, GoesOnWhateverBecomesOfItsText) {
  const RunFolder whole = workspace_.run(spec());
  EXPECT_EQ(Workspace::train(whole), RunState::Finished);
  for (const std::string how : {"appended", "renamed", "removed"}) {
    const RunFolder run = workspace_.run(spec());
    EXPECT_EQ(Workspace::train(run, 5), RunState::Stopped);
    if (how == "appended") std::ofstream(corpus_ / "new.txt") << "It came in overnight.\n";
    if (how == "renamed") fs::rename(corpus_, workspace_.path / "elsewhere");
    if (how == "removed") fs::remove_all(corpus_);
    EXPECT_EQ(Workspace::train(run), RunState::Finished) << how;
    EXPECT_EQ(losses(run), losses(whole)) << how;
    fs::remove_all(corpus_);
  }
}

TEST_F(FieldWholeRun, GoesOnAsACopyUnderAnotherPath) {
  const RunFolder whole = workspace_.run(spec());
  EXPECT_EQ(Workspace::train(whole), RunState::Finished);
  const RunFolder run = workspace_.run(spec());
  EXPECT_EQ(Workspace::train(run, 5), RunState::Stopped);
  const fs::path copy = workspace_.path / "another disk" / "a copy";
  fs::create_directories(copy.parent_path());
  fs::copy(run.path(), copy, fs::copy_options::recursive);
  fs::remove_all(run.path());
  fs::remove_all(corpus_);
  EXPECT_EQ(Workspace::train(RunFolder::open(copy)), RunState::Finished);
  EXPECT_EQ(losses(RunFolder::open(copy)), losses(whole));
}

/// A vocabulary and weights that were given by path are wanted at the first start only.
TEST_F(FieldWholeRun, KeepsAVocabularyAndNeedsNoFirstWeightsTwice) {
  const RunFolder first = workspace_.run(spec());
  EXPECT_EQ(Workspace::train(first), RunState::Finished);
  const fs::path given = workspace_.path / "given";
  fs::create_directories(given);
  fs::copy(first.tokenizer_path(), given / "tokenizer.model");
  fs::copy(newest(first).path, given / "weights", fs::copy_options::recursive);
  RunSpec s = spec();
  s.tokenizer.path = (given / "tokenizer.model").string();
  s.checkpoint.start_from = (given / "weights").string();
  const RunFolder run = workspace_.run(s);
  EXPECT_EQ(Workspace::train(run, 5), RunState::Stopped);
  fs::remove_all(given);
  EXPECT_EQ(Workspace::train(run), RunState::Finished);
}

TEST_F(FieldWholeRun, SaysWhichShardsAreGone) {
  const RunFolder first = workspace_.run(spec());
  EXPECT_EQ(Workspace::train(first, 1), RunState::Stopped);
  RunSpec s = spec();
  s.data.shards = (workspace_.path / "shared shards").string();
  fs::rename(first.shards_path(), s.data.shards);
  const RunFolder run = workspace_.run(s);
  EXPECT_EQ(Workspace::train(run, 1), RunState::Stopped);
  fs::remove_all(s.data.shards);
  try {
    Workspace::train(run);
    ADD_FAILURE() << "went on without its shards";
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "data.shards");
    EXPECT_NE(error.what_failed().find(s.data.shards), std::string::npos) << error.what();
  }
  EXPECT_FALSE(fs::exists(s.data.shards)) << "built other shards in their place";
}

class FieldFork : public FieldWholeRun {
 protected:
  FieldFork() : parent_(workspace_.run(spec())) { Workspace::train(parent_, 6); }
  RunFolder fork(RunSpec s) const {
    return fork_run(parent_, newest(parent_), std::move(s), workspace_.path / "runs");
  }
  RunFolder parent_;
};

TEST_F(FieldFork, GoesOnWithoutItsParent) {
  const RunFolder whole = fork(parent_.spec());
  const auto lineage = whole.lineage();
  ASSERT_TRUE(lineage);
  EXPECT_EQ(lineage->parent, parent_.id());
  const RunFolder child = fork(parent_.spec());
  EXPECT_EQ(Workspace::train(whole), RunState::Finished);
  fs::remove_all(parent_.path());
  fs::remove_all(corpus_);
  EXPECT_EQ(Workspace::train(child), RunState::Finished);
  EXPECT_EQ(losses(child), losses(whole));
  EXPECT_EQ(losses(child).begin()->first, 6);
}

/// What a fork deletes as it goes on is still its parent's.
TEST_F(FieldFork, LeavesItsParentWhole) {
  RunSpec s = parent_.spec();
  s.checkpoint.every_steps = 1;
  s.checkpoint.keep = 1;
  pin_checkpoint(newest(parent_).path, true);
  const RunFolder child = fork(s);
  EXPECT_EQ(Workspace::train(child), RunState::Finished);
  EXPECT_EQ(list_checkpoints(child.path()).size(), 1u);
  EXPECT_EQ(check_checkpoint(newest(parent_).path, Verify::Hashes), "");
  EXPECT_EQ(Workspace::train(parent_), RunState::Finished);
}

TEST_F(FieldFork, OfAnEarlierVersionFindsAParentThatMovedWithIt) {
  const RunFolder child = fork(parent_.spec());
  // Earlier versions left the checkpoint with the parent.
  fs::remove_all(child.checkpoints_path());
  fs::create_directory(child.checkpoints_path());
  const fs::path moved = workspace_.path / "moved";
  fs::rename(workspace_.path / "runs", moved);
  const RunFolder there = RunFolder::open(moved / child.id());
  EXPECT_EQ(checkpoint_of(there, *there.lineage()),
            moved / parent_.id() / "checkpoints" / "step-6");
  fs::rename(moved / parent_.id(), moved / "renamed");
  try {
    Workspace::train(there);
    ADD_FAILURE() << "found weights in a run that is gone";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find(there.lineage()->checkpoint), std::string::npos) << text;
    EXPECT_NE(text.find((moved / parent_.id()).string()), std::string::npos) << text;
  }
}

TEST_F(FieldFork, ThatCannotBeMadeLeavesNoFolder) {
  CheckpointInfo missing = newest(parent_);
  missing.path = workspace_.path / "no such checkpoint";
  const fs::path runs = workspace_.path / "forks";
  EXPECT_THROW(fork_run(parent_, missing, parent_.spec(), runs), Error);
  EXPECT_TRUE(fs::is_empty(runs));
}

}  // namespace
}  // namespace tessera
