// SPDX-License-Identifier: MIT
// `tessera` with several ranks as a person starts it, and a run for it that takes milliseconds a
// step.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <thread>

#include "core/base/call_record.h"
#include "core/base/files.h"
#include "core/checkpoint/checkpoint.h"
#include "core/run/run_folder.h"
#include "tests/build_paths.h"
#include "tests/distributed/mpirun.h"
#include "tests/train/workspace.h"

namespace tessera {

/// True once `holds` does; false when it does not in two minutes.
inline bool wait_until(const std::function<bool()>& holds) {
  const auto start = std::chrono::steady_clock::now();
  while (std::chrono::steady_clock::now() - start < std::chrono::minutes(2)) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return holds();
}

/// A program that runs, and what it prints.
class Started {
 public:
  Started(const std::vector<std::string>& line, const std::filesystem::path& output)
      : output_(output) {
    pid_ = ::fork();
    if (pid_ == 0) {
      const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
      ::dup2(out, 1);
      ::dup2(out, 2);
      std::vector<char*> argv;
      for (const std::string& word : line) argv.push_back(const_cast<char*>(word.c_str()));
      argv.push_back(nullptr);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
  }
  ~Started() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;

  pid_t pid() const { return pid_; }
  /// Its exit status, or 128 and the signal; -1 where it does not end.
  int wait() {
    int status = -1;
    const bool ended = wait_until([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
    if (!ended) return -1;
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  std::string output() const { return read_file(output_); }

 private:
  std::filesystem::path output_;
  pid_t pid_ = -1;
};

/// A workspace of tiny runs, and the program in it.
class RankProgram : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    workspace_ = new tiny_run::Workspace;
    workspace_->build();
  }
  static void TearDownTestSuite() { delete workspace_; }
  void SetUp() override {
    if (const std::string why = why_no_mpirun(); !why.empty()) GTEST_SKIP() << why;
  }

  /// One thread a rank, so that bits do not depend on the machine.
  static RunSpec spec() {
    RunSpec s = workspace_->spec();
    s.parallel.micro_batch_sequences = 2;
    s.host.threads = 1;
    return s;
  }
  static std::string file_of(const RunSpec& s) {
    const auto path = workspace_->path / "spec.toml";
    std::ofstream(path) << write_spec(s);
    return path.string();
  }
  /// The words before --runs: {"tessera", "train", ...}.
  static std::unique_ptr<Started> start(std::vector<std::string> line) {
    std::filesystem::remove(id_file());
    line.insert(line.end(),
                {"--runs", (workspace_->path / "runs").string(), "--id-file", id_file().string()});
    return std::make_unique<Started>(line, workspace_->path / "output");
  }
  static std::filesystem::path id_file() { return workspace_->path / "id"; }
  static RunFolder folder() {
    std::string path = read_file(id_file());
    while (path.ends_with('\n')) path.pop_back();
    return RunFolder::open(path);
  }
  /// The run that start() has begun, once it has trained so many steps.
  static RunFolder folder_after(std::int64_t steps) {
    EXPECT_TRUE(wait_until([&] {
      return std::filesystem::exists(id_file()) && std::ssize(tiny_run::losses(folder())) >= steps;
    }));
    return folder();
  }
  static std::vector<RankCalls> records(const RunFolder& folder) {
    return read_all_calls(folder.path() / "ranks");
  }

  static tiny_run::Workspace* workspace_;
};
inline tiny_run::Workspace* RankProgram::workspace_ = nullptr;

}  // namespace tessera
