// SPDX-License-Identifier: MIT
// What becomes of a run on several processes when one of them is lost.
#include "tests/app/rank_program.h"

namespace tessera {
namespace {

class RankFaults : public RankProgram {
 protected:
  static RunSpec long_spec() {
    RunSpec s = spec();
    s.curriculum[0].steps = 100'000;
    s.checkpoint.every_steps = 5;
    s.checkpoint.keep = 0;
    return s;
  }

  /// Nothing is left of the ranks, the run says what happened, and its checkpoints are whole.
  static void expect_failed(const RunFolder& run, Started& program,
                            const std::vector<std::string>& parts) {
    EXPECT_EQ(program.wait(), 1) << program.output();
    const std::string reason = status_of(run).reason;
    EXPECT_EQ(status_of(run).state, RunState::Failed);
    for (const std::string& part : parts) {
      EXPECT_NE(program.output().find(part), std::string::npos) << part << "\n" << program.output();
      EXPECT_NE(reason.find(part), std::string::npos) << part << "\n" << reason;
    }
    EXPECT_TRUE(wait_until([&] {
      const auto ranks = records(run);
      return std::none_of(ranks.begin(), ranks.end(),
                          [](const RankCalls& rank) { return rank.is_there(); });
    }));
    for (const CheckpointInfo& checkpoint : list_checkpoints(run.path())) {
      EXPECT_EQ(checkpoint.damage, "") << checkpoint.path;
    }
  }
};

TEST_F(RankFaults, AKilledRankIsNamedWithItsHostAndItsCall) {
  const auto program = start({TESSERA_PROGRAM, "train", file_of(long_spec()), "--ranks", "2"});
  const RunFolder run = folder_after(8);
  ::kill(static_cast<pid_t>(records(run).at(1).pid), SIGKILL);
  expect_failed(run, *program,
                {"rank 1 on host " + host_name(), " of the world group", "killed by signal 9"});
}

TEST_F(RankFaults, TheFirstRankIsNamedToo) {
  const auto program = start({TESSERA_PROGRAM, "train", file_of(long_spec()), "--ranks", "2"});
  const RunFolder run = folder_after(3);
  ::kill(static_cast<pid_t>(records(run).at(0).pid), SIGKILL);
  expect_failed(run, *program, {"rank 0 on host " + host_name(), "killed by signal 9"});
}

TEST_F(RankFaults, AStoppedRankIsNamedAndEnded) {
  for (const std::size_t stopped : {1u, 0u}) {
    RunSpec s = long_spec();
    s.host.hang_limit_s = 2;
    const auto program = start({TESSERA_PROGRAM, "train", file_of(s), "--ranks", "2"});
    const RunFolder run = folder_after(3);
    ::kill(static_cast<pid_t>(records(run).at(stopped).pid), SIGSTOP);
    expect_failed(run, *program, {"rank " + std::to_string(stopped) + " on host " + host_name()});
  }
}

/// A pause is no hang, whoever waits for how long.
TEST_F(RankFaults, APausedRunIsLeftAlone) {
  RunSpec s = long_spec();
  s.host.hang_limit_s = 1;
  const auto program = start({TESSERA_PROGRAM, "train", file_of(s), "--ranks", "2"});
  const RunFolder run = folder_after(3);
  request_control(run, Control::Pause);
  ASSERT_TRUE(wait_until([&] { return status_of(run).state == RunState::Paused; }));
  std::this_thread::sleep_for(std::chrono::seconds(6));
  EXPECT_EQ(status_of(run).state, RunState::Paused);
  request_control(run, Control::StopSaving);
  EXPECT_EQ(program->wait(), 0) << program->output();
  EXPECT_EQ(status_of(run).state, RunState::Stopped);
}

TEST_F(RankFaults, ARankThatFailsIsNamedWithItsReason) {
  // A loss that leaves the numbers: rank 0 fails.
  RunSpec s = long_spec();
  s.curriculum[0].learning_rate = {{.kind = RateKind::Constant, .to = 10}};
  s.optimiser.weight_decay = 1;
  s.checkpoint.every_steps = 0;
  const auto program = start({TESSERA_PROGRAM, "train", file_of(s), "--ranks", "2"});
  ASSERT_TRUE(wait_until([] { return std::filesystem::exists(id_file()); }));
  const RunFolder run = folder();
  expect_failed(run, *program, {"nothing was saved yet"});
}

TEST_F(RankFaults, ARankThatCannotBeginIsNamedWithItsReason) {
  const RunFolder run = workspace_->run(spec());
  std::filesystem::create_directory(run.log_path(1));  // where its log should be
  const auto program = start({TESSERA_PROGRAM, "resume", run.path().string(), "--ranks", "2"});
  expect_failed(run, *program, {"rank 1 on host " + host_name(), "cannot open the log file"});
}

TEST_F(RankFaults, AKilledLauncherLeavesNoRank) {
  const auto program = start({TESSERA_PROGRAM, "train", file_of(long_spec()), "--ranks", "2"});
  const RunFolder run = folder_after(3);
  ::kill(program->pid(), SIGKILL);
  EXPECT_EQ(program->wait(), 128 + SIGKILL);
  EXPECT_TRUE(wait_until([&] {
    const auto ranks = records(run);
    return std::none_of(ranks.begin(), ranks.end(),
                        [](const RankCalls& rank) { return rank.is_there(); });
  }));
  EXPECT_EQ(status_of(run).state, RunState::Failed);
}

TEST_F(RankFaults, RestartsFromTheLastCheckpointWithTheSameLosses) {
  RunSpec s = spec();
  s.curriculum[0].steps = 400;
  s.curriculum[0].learning_rate = {{.kind = RateKind::Constant, .to = 1e-3}};
  s.checkpoint.every_steps = 50;
  s.host.restart = 2;
  const auto whole = start({TESSERA_PROGRAM, "train", file_of(s), "--ranks", "2"});
  ASSERT_EQ(whole->wait(), 0) << whole->output();
  const auto wanted = tiny_run::losses(folder());

  const auto program = start({TESSERA_PROGRAM, "train", file_of(s), "--ranks", "2"});
  const RunFolder run = folder_after(60);
  const std::int64_t killed = records(run).at(1).pid;
  ::kill(static_cast<pid_t>(killed), SIGKILL);
  // And once more, after it has gone on.
  ASSERT_TRUE(wait_until([&] {
    const auto ranks = records(run);
    return ranks.size() == 2 && ranks[1].pid != killed && ranks[1].last &&
           ranks[1].last->serial > 100;
  }));
  ::kill(static_cast<pid_t>(records(run).at(0).pid), SIGKILL);
  EXPECT_EQ(program->wait(), 0) << program->output();
  EXPECT_EQ(status_of(run).state, RunState::Finished);
  EXPECT_EQ(tiny_run::losses(run), wanted);
  EXPECT_NE(program->output().find("restart 2 of 2"), std::string::npos) << program->output();
}

}  // namespace
}  // namespace tessera
