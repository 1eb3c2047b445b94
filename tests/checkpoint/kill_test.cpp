// SPDX-License-Identifier: MIT
// A trainer that is killed at any moment of its saving: what was reported as saved is found again.
#include <fcntl.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "tests/checkpoint/checkpoint_contents.h"

namespace tessera {
namespace {

using namespace testing;

constexpr std::int64_t kRows = 2000;

/// Saves steps from `first` on until it is killed, and writes each step to `report` after its save.
[[noreturn]] void save_forever(const fs::path& run, std::int64_t first, int report) {
  try {
    for (std::int64_t step = first;; ++step) {
      // Every step twice: the second replaces the first.
      const SmallCheckpoint small(step, kRows);
      save_checkpoint(run, small.contents, {.keep_last = 2});
      if (::write(report, &step, sizeof(step)) != sizeof(step)) ::_exit(1);
      save_checkpoint(run, small.contents, {.keep_last = 2});
    }
  } catch (...) {
    ::_exit(2);
  }
}

/// A child that saves, until it is killed at a random moment of one of its next saves. Returns the
/// last step that it reported.
std::int64_t run_and_kill(const fs::path& run, std::int64_t before, double fraction) {
  using Clock = std::chrono::steady_clock;
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Clock::time_point start = Clock::now();
  const pid_t child = ::fork();
  if (child == 0) save_forever(run, before + 1, ends[1]);
  ::close(ends[1]);
  std::int64_t last = before, step = 0;
  if (::read(ends[0], &step, sizeof(step)) == sizeof(step)) last = step;  // waits for one save
  std::this_thread::sleep_for((Clock::now() - start) * 3 * fraction);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the child stopped by itself: " << WEXITSTATUS(status);
  while (::read(ends[0], &step, sizeof(step)) == sizeof(step)) last = step;
  ::close(ends[0]);
  return last;
}

TEST(Kill, NothingThatWasSavedIsLost) {
  // In memory where possible: it is the process that dies here, not the machine.
  const fs::path memory = "/dev/shm";
  const TemporaryFolder run(::access(memory.c_str(), W_OK) == 0 ? memory
                                                                : fs::temp_directory_path());
  const Random random(2026);
  std::int64_t last = 0;
  int torn = 0;
  for (std::uint64_t round = 0; round < 30; ++round) {
    const std::int64_t saved = run_and_kill(run.path(), last, random.uniform(round));
    ASSERT_GT(saved, last);
    for (const std::string& name : names_in(run / "checkpoints")) torn += name.starts_with(".tmp");
    const auto latest = find_latest_checkpoint(run.path(), Verify::Hashes);
    ASSERT_TRUE(latest.has_value());
    ASSERT_GE(latest->step, saved);
    ASSERT_LE(latest->step, saved + 1) << "at most the one whose report was cut off";
    expect_whole(latest->path, latest->step, kRows);
    for (const CheckpointInfo& info : list_checkpoints(run.path(), Verify::Hashes)) {
      ASSERT_EQ(info.damage, "") << info.path;
    }
    last = latest->step;
  }
  EXPECT_GT(torn, 0) << "no kill fell into a save";
  save_checkpoint(run.path(), SmallCheckpoint(last + 1, kRows).contents);
  for (const std::string& name : names_in(run / "checkpoints")) {
    EXPECT_TRUE(name.starts_with("step-")) << name;
  }
}

}  // namespace
}  // namespace tessera
