// SPDX-License-Identifier: MIT
// No thread of the program may run a signal handler: see app/signals.h.
#include "app/signals.h"

#include <gtest/gtest.h>
#include <omp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "tests/build_paths.h"

namespace tessera {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

unsigned long long watched_mask() {
  unsigned long long mask = 0;
  for (const int number : kSignals) mask |= 1ull << (number - 1);
  return mask;
}

/// A mask of /proc/PID/task/TASK/status: "SigBlk", "SigCgt".
unsigned long long mask(const std::filesystem::path& task, const std::string& name) {
  std::ifstream file(task / "status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":")) return std::stoull(line.substr(name.size() + 1), nullptr, 16);
  }
  return 0;
}

template <class Done>
bool wait_until(const Done& done) {
  for (int i = 0; i < 600; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return false;
}

/// Runs `body` in a process of its own, which ends with what it returns.
template <class Body>
int status_of(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(Signals, NoThreadOfTheProgramCatchesOne) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(TESSERA_PROGRAM, TESSERA_PROGRAM, "bench", "kernels", "--op", "attention_backward",
            nullptr);
    ::_exit(127);
  }
  const std::filesystem::path tasks = "/proc/" + std::to_string(child) + "/task";
  std::error_code gone;
  const auto threads = [&] {
    return std::distance(std::filesystem::directory_iterator(tasks, gone), {});
  };
  // The one that waits for signals, and where there are processors for it a team of OpenMP.
  const long wanted = omp_get_num_procs() > 1 ? 3 : 2;
  ASSERT_TRUE(wait_until([&] { return threads() >= wanted; }));
  const unsigned long long all = watched_mask();
  int open_to_them = 0;  // the one that waits for them: Linux takes what is waited for off the mask
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    EXPECT_EQ(mask(task, "SigCgt") & all, 0u) << task;
    open_to_them += (mask(task, "SigBlk") & all) != all ? 1 : 0;
  }
  EXPECT_EQ(open_to_them, 1);
  ::kill(child, SIGTERM);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM) << status;
}

TEST(Signals, SetTheFlagOfACommandThatAsksForIt) {
  for (const int number : kSignals) {
    const int status = status_of([&] {
      const std::atomic<bool>& stop = app::stop_on_signals();
      ::kill(::getpid(), number);
      return wait_until([&] { return stop.load(); }) ? 0 : 1;
    });
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << number << ": " << status;
  }
}

/// As `nohup` starts a program. The ignored signal is sent first and has had its time when the
/// other one is heard.
TEST(Signals, WhatIsIgnoredAtTheStartStaysIgnored) {
  const int status = status_of([&] {
    ::signal(SIGHUP, SIG_IGN);
    const std::atomic<bool>& stop = app::stop_on_signals();
    ::kill(::getpid(), SIGHUP);
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    if (stop.load()) return 1;
    ::kill(::getpid(), SIGTERM);
    return wait_until([&] { return stop.load(); }) ? 0 : 2;
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(Signals, WritingIntoAClosedPipeIsAnErrorOfTheWrite) {
  const int status = status_of([&] {
    app::stop_on_signals();
    int ends[2];
    if (::pipe(ends) != 0) return 1;
    ::close(ends[0]);
    return ::write(ends[1], "x", 1) == -1 && errno == EPIPE ? 0 : 2;
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(Signals, ASecondInterruptEndsTheProgram) {
  const int status = status_of([&] {
    const std::atomic<bool>& stop = app::stop_on_signals();
    ::kill(::getpid(), SIGINT);
    if (!wait_until([&] { return stop.load(); })) return 1;
    ::kill(::getpid(), SIGINT);
    std::this_thread::sleep_for(std::chrono::seconds(60));
    return 2;
  });
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 130) << status;
}

}  // namespace
}  // namespace tessera
