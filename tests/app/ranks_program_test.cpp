// SPDX-License-Identifier: MIT
// Runs on several processes against runs on several threads of one: the same bits.
#include <omp.h>

#include "distributed/threads/thread_ranks.h"
#include "tests/app/rank_program.h"
#include "tests/train/rank_runs.h"

namespace tessera {
namespace {

class RanksProgram : public RankProgram {
 protected:
  /// The losses of the same spec on ranks that are threads.
  static std::map<std::int64_t, double> losses_on_threads(RunSpec s, int count) {
    s.parallel.data = count;
    const RunFolder folder = workspace_->run(s);
    ThreadRanks ranks(count);
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        omp_set_num_threads(1);
        EXPECT_EQ(train_run(folder, ranks.rank(i), {}), RunState::Finished);
      });
    }
    threads.clear();
    return tiny_run::losses(folder);
  }
};

TEST_F(RanksProgram, TrainsOnProcessesAsOnThreads) {
  for (const int count : {2, 4}) {
    const auto program =
        start({TESSERA_PROGRAM, "train", file_of(spec()), "--ranks", std::to_string(count)});
    ASSERT_EQ(program->wait(), 0) << program->output();
    const RunFolder run = folder();
    EXPECT_EQ(run.spec().parallel.data, count);
    EXPECT_EQ(tiny_run::losses(run), losses_on_threads(spec(), count)) << count;
    EXPECT_EQ(status_of(run).state, RunState::Finished);
    const auto ranks = records(run);
    ASSERT_EQ(std::ssize(ranks), count);
    for (const RankCalls& rank : ranks) {
      EXPECT_EQ(rank.ending, RankCalls::Ending::Well) << rank.failure;
      EXPECT_FALSE(rank.is_there());
      EXPECT_TRUE(std::filesystem::exists(run.log_path(rank.rank)));
    }
  }
}

TEST_F(RanksProgram, StartsAsManyAsTheSpecAsksForAndGoesOnWithOthers) {
  RunSpec s = spec();
  s.parallel.data = 2;
  const auto first = start({TESSERA_PROGRAM, "train", file_of(s), "--most-steps", "5"});
  ASSERT_EQ(first->wait(), 0) << first->output();
  const RunFolder run = folder();
  EXPECT_EQ(records(run).size(), 2u);
  EXPECT_EQ(status_of(run).state, RunState::Stopped);
  const auto second =
      start({TESSERA_PROGRAM, "resume", run.path().string(), "--most-steps", "3", "--ranks", "4"});
  ASSERT_EQ(second->wait(), 0) << second->output();
  EXPECT_EQ(records(run).size(), 4u);
  const auto third = start({TESSERA_PROGRAM, "resume", run.path().string()});
  ASSERT_EQ(third->wait(), 0) << third->output();
  EXPECT_EQ(status_of(run).state, RunState::Finished);
  EXPECT_EQ(tiny_run::losses(run).size(), 12u);
}

/// As a person types it who knows MPI: all ranks share the folder that rank 0 makes.
TEST_F(RanksProgram, TrainsUnderAnMpirunThatSomebodyElseTyped) {
  std::vector<std::string> line;
  std::istringstream words(mpirun(2));
  for (std::string word; words >> word;) line.push_back(word);
  line.insert(line.end(), {TESSERA_PROGRAM, "train", file_of(spec())});
  const auto program = start(line);
  ASSERT_EQ(program->wait(), 0) << program->output();
  EXPECT_EQ(tiny_run::losses(folder()), losses_on_threads(spec(), 2));
  EXPECT_EQ(folder().spec().parallel.data, 2);
  // Rank 0 alone shows the run.
  const std::string shown = program->output();
  const auto at = shown.find("run " + folder().path().string());
  ASSERT_NE(at, std::string::npos) << shown;
  EXPECT_EQ(shown.find("run /", at + 1), std::string::npos) << shown;
}

/// Sequences that two processes share, and a run of one that goes on from them.
TEST_F(RanksProgram, SharesSequencesBetweenProcesses) {
  const auto program = start(
      {TESSERA_PROGRAM, "train", file_of(spec()), "--ranks", "4", "--set", "parallel.context=2"});
  ASSERT_EQ(program->wait(), 0) << program->output();
  const RunFolder run = folder();
  EXPECT_EQ(run.spec().parallel.data, 2);
  EXPECT_EQ(run.spec().parallel.context, 2);
  RunSpec s = spec();
  s.parallel.context = 2;
  s.parallel.data = 2;
  const RunFolder threads = workspace_->run(s);
  EXPECT_EQ(tiny_run::train_on_ranks(4, threads), RunState::Finished);
  EXPECT_EQ(tiny_run::losses(run), tiny_run::losses(threads));
  const auto odd = start(
      {TESSERA_PROGRAM, "train", file_of(spec()), "--ranks", "3", "--set", "parallel.context=2"});
  EXPECT_EQ(odd->wait(), 1);
  EXPECT_NE(odd->output().find("3 ranks for each stage cannot be split into groups of 2"),
            std::string::npos)
      << odd->output();
}

/// What is told can be typed.
TEST_F(RanksProgram, SaysWhichMicroBatchFits) {
  RunSpec s = spec();
  s.parallel.micro_batch_sequences = s.curriculum[0].batch_sequences;
  const auto two = start({TESSERA_PROGRAM, "train", file_of(s), "--ranks", "2"});
  EXPECT_EQ(two->wait(), 1);
  const std::string wanted =
      fmt::format("--set parallel.micro_batch_sequences={}", s.curriculum[0].batch_sequences / 2);
  EXPECT_NE(two->output().find(wanted), std::string::npos) << two->output();
}

TEST_F(RanksProgram, RefusesNumbersThatDoNotFitNamingBoth) {
  RunSpec s = spec();
  s.parallel.data = 2;
  const auto other = start({TESSERA_PROGRAM, "train", file_of(s), "--ranks", "4"});
  EXPECT_EQ(other->wait(), 1);
  EXPECT_NE(other->output().find("4 ranks are not the 2 that parallel.data = 2"), std::string::npos)
      << other->output();
  const auto three = start({TESSERA_PROGRAM, "train", file_of(spec()), "--ranks", "3"});
  EXPECT_EQ(three->wait(), 1);
  EXPECT_NE(three->output().find("3 replicas cannot share batches of 8 sequences"),
            std::string::npos)
      << three->output();
  const auto none = start({TESSERA_PROGRAM, "rank", workspace_->path.string()});
  EXPECT_EQ(none->wait(), 2);  // not with these options, nor by hand
}

/// All ranks save, and all end with the status that was asked for.
TEST_F(RanksProgram, ASignalToOneRankStopsAllOfThem) {
  RunSpec s = spec();
  s.curriculum[0].steps = 100'000;
  std::vector<std::string> line;
  std::istringstream words(mpirun(2));
  for (std::string word; words >> word;) line.push_back(word);
  line.insert(line.end(), {TESSERA_PROGRAM, "train", file_of(s), "--stopped-status", "85"});
  const auto program = start(line);
  const RunFolder run = folder_after(3);
  const auto ranks = records(run);
  ASSERT_EQ(ranks.size(), 2u);
  ::kill(static_cast<pid_t>(ranks[1].pid), SIGUSR1);
  EXPECT_EQ(program->wait(), 85) << program->output();
  EXPECT_EQ(status_of(run).reason, "stopped on request, saved");
  EXPECT_TRUE(find_latest_checkpoint(run.path()));
}

TEST_F(RanksProgram, SavesAndStopsOnASignal) {
  RunSpec s = spec();
  s.curriculum[0].steps = 100'000;
  const auto program = start({TESSERA_PROGRAM, "train", file_of(s), "--ranks", "2"});
  const RunFolder run = folder_after(3);
  ::kill(program->pid(), SIGTERM);
  EXPECT_EQ(program->wait(), 0) << program->output();
  EXPECT_EQ(status_of(run).state, RunState::Stopped);
  EXPECT_EQ(status_of(run).reason, "stopped on request, saved");
  EXPECT_TRUE(find_latest_checkpoint(run.path()));
  for (const RankCalls& rank : records(run)) EXPECT_FALSE(rank.is_there());
}

}  // namespace
}  // namespace tessera
