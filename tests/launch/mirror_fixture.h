// SPDX-License-Identifier: MIT
// A host for tests of mirrors: this machine, reached through a script in the place of ssh, which
// can be told to fail, or to die after a number of bytes. The far end of a line is this very
// program.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/launch/run_mirror.h"
#include "core/run/run_folder.h"
#include "tests/run/run_test_helpers.h"

namespace tessera::test {

inline constexpr const char* kMirrorSsh = R"sh(#!/bin/bash
folder=$(dirname "$0")
for word in "$@"; do [ "$word" = "-O" ] && exit 0; done
while [ "$1" != "--" ]; do shift; done
if [ -e "$folder/cut" ]; then
  echo "ssh: connect to host $2 port 22: No route to host" >&2; exit 255
fi
echo "Welcome to $2"
echo $$ >> "$folder/lines"
if [ -e "$folder/bytes" ]; then
  sh -c "$3" | stdbuf -o0 head -c "$(cat "$folder/bytes")"
  echo "Connection to $2 closed by remote host." >&2; exit 255
fi
exec sh -c "$3"
)sh";

inline bool wait_until(const std::function<bool()>& is_true, double seconds = 60) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!is_true()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

inline std::string mirror_error(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

class MirrorTest : public testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    fs::create_directories(there());
    fs::create_directories(here());
    fs::create_directories(ssh_folder());
    write_bytes(ssh_folder() / "ssh", kMirrorSsh);
    fs::permissions(ssh_folder() / "ssh", fs::perms::owner_all);
  }
  fs::path there() const { return folder_.path() / "there"; }
  fs::path here() const { return folder_.path() / "here"; }
  fs::path ssh_folder() const { return folder_.path() / "ssh"; }
  std::string ssh_command() const { return (ssh_folder() / "ssh").string(); }

  void cut(bool is_cut) const {
    if (is_cut) {
      write_bytes(ssh_folder() / "cut", "");
    } else {
      fs::remove(ssh_folder() / "cut");
    }
  }
  /// Every line from now on dies after so many bytes; 0: none does.
  void die_after(std::size_t bytes) const {
    if (bytes > 0) {
      write_bytes(ssh_folder() / "bytes", std::to_string(bytes));
    } else {
      fs::remove(ssh_folder() / "bytes");
    }
  }
  int lines() const {
    const std::string text = read_bytes(ssh_folder() / "lines");
    return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }

  /// As a network that is gone: the lines end here without a word.
  void kill_lines() const {
    std::istringstream numbers(read_bytes(ssh_folder() / "lines"));
    for (int number; numbers >> number;) {
      const std::string words = read_bytes(fmt::format("/proc/{}/cmdline", number));
      if (words.find("agent") != words.npos) ::kill(number, SIGKILL);
    }
  }

  RunFolder make_run(const std::string& name = "far") const {
    return RunFolder::create(there(), small_spec(name));
  }
  MirrorNote source_of(const std::string& run) const {
    MirrorNote note;
    note.host = "h1";
    note.run = run;
    note.runs = there().string();
    note.ssh = ssh_command();
    note.program = {fs::read_symlink("/proc/self/exe").string()};
    return note;
  }
  static RunMirror::Options quick(bool follow = true) {
    RunMirror::Options options;
    options.follow = follow;
    options.longest_pause = std::chrono::milliseconds(20);
    options.note_every_s = 0;
    return options;
  }
  /// Looks until it is over, or `enough` says so.
  static bool look_until(RunMirror& mirror, const std::function<bool()>& enough) {
    return wait_until([&] {
      mirror.look();
      return enough() || mirror.state() == RunMirror::State::Over;
    });
  }
  static bool look_to_end(RunMirror& mirror) {
    return look_until(mirror, [] { return false; });
  }
  /// A copy of what is there now; the folder here.
  fs::path copy_once(const std::string& run) {
    RunMirror mirror(ssh(), pulses_, source_of(run), here(), quick(false));
    EXPECT_TRUE(look_to_end(mirror));
    return mirror.folder();
  }
  Ssh& ssh() {
    if (!ssh_) ssh_ = std::make_unique<Ssh>(ssh_command());
    return *ssh_;
  }

  static void append_steps(EventWriter& log, int from, int to) {
    for (int step = from; step < to; ++step) {
      log.append(StepEvent{.step = step, .tokens = 64 * (step + 1), .loss = 5.0 - 0.01 * step});
    }
  }
  static void expect_same_files(const fs::path& there, const fs::path& here) {
    EXPECT_EQ(read_bytes(there / "events.log"), read_bytes(here / "events.log"));
    EXPECT_EQ(read_bytes(there / "run.toml"), read_bytes(here / "run.toml"));
    for (const auto& entry : fs::directory_iterator(there / "log")) {
      EXPECT_EQ(read_bytes(entry.path()), read_bytes(here / "log" / entry.path().filename()));
    }
  }

  TemporaryFolder folder_;
  std::unique_ptr<Ssh> ssh_;
  HostPulses pulses_;
};

}  // namespace tessera::test
