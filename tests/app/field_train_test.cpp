// SPDX-License-Identifier: MIT
// `tessera train` as people and clusters run it: signals, closed terminals and pipes, quotas.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "core/run/run_folder.h"
#include "tests/build_paths.h"
#include "tests/train/tiny_run.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

template <class Done>
bool wait_until(const Done& done) {
  for (int i = 0; i < 1200; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

/// The program with its output in a file, or in the writing end of a pipe.
class Program {
 public:
  Program(const std::vector<std::string>& arguments, const fs::path& output, int pipe = -1) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    const int out = pipe >= 0 ? pipe : ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::close(out);
    ::unsetenv("OMP_WAIT_POLICY");  // so that it chooses how its threads wait
    std::vector<char*> argv{const_cast<char*>(TESSERA_PROGRAM)};
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execv(TESSERA_PROGRAM, argv.data());
    ::_exit(127);
  }
  ~Program() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
  }
  void send(int number) const { ::kill(pid_, number); }
  pid_t pid() const { return pid_; }
  /// Its exit status, or 128 and the signal that ended it.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
};

class FieldTrain : public testing::Test {
 protected:
  FieldTrain() {
    std::string name = (fs::temp_directory_path() / "tessera-field-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
    ::setenv("TESSERA_HOME", (path_ / "home").c_str(), 1);
    tiny_run::write_words(path_ / "text.jsonl");
  }
  ~FieldTrain() override {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  std::vector<std::string> train(std::int64_t steps) const {
    RunSpec s = tiny_run::tiny_spec(path_ / "text.jsonl");
    CurriculumStage stage;
    stage.steps = steps;
    stage.sequence_length = 32;
    stage.batch_sequences = 4;
    stage.learning_rate = {{.kind = RateKind::Constant, .to = 1e-3}};
    s.curriculum = {stage};
    s.checkpoint.every_steps = 0;
    s.validation.every_steps = 0;
    std::ofstream(path_ / "spec.toml") << write_spec(s);
    return {"train", path_ / "spec.toml", "--runs", path_ / "runs", "--id-file", path_ / "id"};
  }
  /// The run's folder, once the program has written its name.
  RunFolder folder() const {
    std::string name;
    wait_until([&] { return std::getline(std::ifstream(path_ / "id"), name) && !name.empty(); });
    return RunFolder::open(name);
  }
  static bool has_stepped(const RunFolder& folder) { return status_of(folder).step >= 0; }

  fs::path path_;
};

TEST_F(FieldTrain, EverySignalThatAsksToStopSavesFirst) {
  for (const int number : {SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT}) {
    fs::remove(path_ / "id");
    Program program(train(100'000), path_ / "out");
    const RunFolder run = folder();
    ASSERT_TRUE(wait_until([&] { return has_stepped(run); })) << text_of(path_ / "out");
    program.send(number);
    EXPECT_EQ(program.wait(), 0) << number;
    const RunStatus status = status_of(run);
    EXPECT_EQ(status.state, RunState::Stopped) << number;
    EXPECT_EQ(status.reason, "stopped on request, saved") << number;
    EXPECT_TRUE(status.can_resume) << number;
    EXPECT_NE(text_of(path_ / "out").find("tessera resume"), std::string::npos);
  }
}

/// A cluster that takes the processors away puts the job back; one that somebody stops is done.
TEST_F(FieldTrain, StoppedStatusTellsASignalFromARequest) {
  for (const bool by_signal : {true, false}) {
    fs::remove(path_ / "id");
    std::vector<std::string> line = train(100'000);
    line.insert(line.end(), {"--stopped-status", "85"});
    Program program(line, path_ / "out");
    const RunFolder run = folder();
    ASSERT_TRUE(wait_until([&] { return has_stepped(run); })) << text_of(path_ / "out");
    if (by_signal) {
      program.send(SIGUSR1);
    } else {
      request_control(run, Control::StopSaving);
    }
    EXPECT_EQ(program.wait(), by_signal ? 85 : 0);
    EXPECT_EQ(status_of(run).reason, "stopped on request, saved");
    Program wrong({"resume", run.path(), "--stopped-status", "256"}, path_ / "said");
    EXPECT_EQ(wrong.wait(), 2);
  }
}

/// A run that comes to its end is done, whatever is asked of it.
TEST_F(FieldTrain, StoppedStatusIsForRunsThatAreToGoOn) {
  std::vector<std::string> line = train(5);
  line.insert(line.end(), {"--stopped-status", "85"});
  Program program(line, path_ / "out");
  EXPECT_EQ(program.wait(), 0);
  line.insert(line.end(), {"--most-steps", "2"});
  Program part(line, path_ / "out");
  EXPECT_EQ(part.wait(), 0);
}

/// `nohup tessera train` and `tessera train &` in a script that is interrupted.
TEST_F(FieldTrain, WhatIsIgnoredAtTheStartStaysIgnored) {
  ::signal(SIGHUP, SIG_IGN);
  Program program(train(100'000), path_ / "out");
  ::signal(SIGHUP, SIG_DFL);
  const RunFolder run = folder();
  ASSERT_TRUE(wait_until([&] { return has_stepped(run); }));
  program.send(SIGHUP);
  const std::int64_t step = status_of(run).step;
  EXPECT_TRUE(wait_until([&] { return status_of(run).step > step + 20; }));
  EXPECT_EQ(status_of(run).state, RunState::Running);
  program.send(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
}

/// `tessera train SPEC | head -1`
TEST_F(FieldTrain, AReaderThatGoesAwayEndsNothing) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  Program program(train(30), {}, ends[1]);
  ::close(ends[1]);
  char first = 0;
  ASSERT_EQ(::read(ends[0], &first, 1), 1);
  ::close(ends[0]);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_EQ(status_of(folder()).state, RunState::Finished);
}

/// `tessera watch RUN | head -1` ends, although the run goes on.
TEST_F(FieldTrain, WatchEndsWithItsReader) {
  Program program(train(100'000), path_ / "out");
  const RunFolder run = folder();
  ASSERT_TRUE(wait_until([&] { return has_stepped(run); }));
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  Program watch({"watch", run.path(), "--json"}, {}, ends[1]);
  ::close(ends[1]);
  char first = 0;
  ASSERT_EQ(::read(ends[0], &first, 1), 1);
  ::close(ends[0]);
  const pid_t pid = watch.pid();
  EXPECT_TRUE(wait_until([&] { return ::waitpid(pid, nullptr, WNOHANG) != 0; }));
  program.send(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(FieldTrain, ControlOfARunThatDoesNotRunSaysSo) {
  Program program(train(5), path_ / "out");
  EXPECT_EQ(program.wait(), 0);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"stop"}, {"control", "pause"}}) {
    std::vector<std::string> arguments = words;
    arguments.push_back(folder().path());
    Program control(arguments, path_ / "said");
    EXPECT_EQ(control.wait(), 1);
    EXPECT_NE(text_of(path_ / "said").find("is not running: it is finished"), std::string::npos)
        << text_of(path_ / "said");
  }
}

// ---- Threads ------------------------------------------------------------------------------------

/// Threads wait for each other by spinning for a short time only: libgomp reads it from the
/// environment.
TEST_F(FieldTrain, SpinsForAShortTimeOnly) {
  Program program(train(100'000), path_ / "out");
  ASSERT_TRUE(wait_until([&] { return has_stepped(folder()); }));
  const std::string environment =
      text_of(fs::path("/proc") / std::to_string(program.pid()) / "environ");
  const auto at = environment.find("GOMP_SPINCOUNT=");
  ASSERT_NE(at, std::string::npos);
  EXPECT_GT(std::atol(environment.c_str() + at + 15), 0);
  EXPECT_LT(std::atol(environment.c_str() + at + 15), 300'000);
  program.send(SIGTERM);
  EXPECT_EQ(program.wait(), 0);
}

/// A control group whose quota is one processor, for as long as it lives; empty where this test has
/// no right to make one.
class QuotaOfOne {
 public:
  QuotaOfOne() {
    for (const char* top : {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup"}) {
      const fs::path group = fs::path(top) / ("tessera-test-" + std::to_string(::getpid()));
      std::error_code error;
      if (!fs::create_directory(group, error)) continue;
      path = group;
      if (std::ofstream(group / "cpu.max") << "100000 100000" << std::flush) return;
      if (std::ofstream(group / "cpu.cfs_quota_us") << "100000" << std::flush) return;
      ::rmdir(group.c_str());
      path.clear();
    }
  }
  ~QuotaOfOne() {
    if (!path.empty()) ::rmdir(path.c_str());
  }
  fs::path path;
};

TEST_F(FieldTrain, AQuotaOfOneProcessorMeansOneThread) {
  const QuotaOfOne group;
  if (group.path.empty()) GTEST_SKIP() << "no right to make a control group";
  // The backslashes leave the number to the inner shell, which becomes the program.
  const std::string line = "echo \\$\\$ > " + (group.path / "cgroup.procs").string() +
                           " && exec '" + TESSERA_PROGRAM + "' devices > " +
                           (path_ / "out").string();
  ASSERT_EQ(std::system(("env -u OMP_WAIT_POLICY sh -c \"" + line + "\"").c_str()), 0);
  EXPECT_TRUE(text_of(path_ / "out").starts_with("CPU: 1 thread")) << text_of(path_ / "out");
}

TEST_F(FieldTrain, AffinityCounts) {
  cpu_set_t before, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
    if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
  }
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  Program program({"devices"}, path_ / "out");
  EXPECT_EQ(::sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(program.wait(), 0);
  EXPECT_TRUE(text_of(path_ / "out").starts_with("CPU: 1 thread")) << text_of(path_ / "out");
}

}  // namespace
}  // namespace tessera
