// SPDX-License-Identifier: MIT
// This machine as a host of runs: each is a process in a session of its own, which outlives the one
// that started it. A run that is to be elsewhere is brought there by `tessera launch`, likewise a
// process of its own.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/launch/local_runs.h"
#include "core/launch/run_host.h"

namespace tessera {

class LocalHost : public RunHost {
 public:
  struct Paths {
    std::filesystem::path launches;  ///< where files of starts are kept until a run takes them over
    std::function<std::string()> program;  ///< `tessera`; empty: it was not found
    /// The folder of a run by its id. Throws Error.
    std::function<std::filesystem::path(const std::string& run)> folder_of;
    std::function<std::vector<std::filesystem::path>()> roots;  ///< that hold folders of runs
    std::filesystem::path launched{};                           ///< records of launches on hosts
    std::filesystem::path mirrors{};  ///< list of the copies of runs on other hosts
  };
  explicit LocalHost(Paths paths) : paths_(std::move(paths)) {}

  /// Removes files of starts that nobody came back for in two weeks. Throws Error.
  void remove_old_files();

  std::string prepare(const LaunchOrder& order) override;
  void start(const std::string& ticket, const LaunchOrder& order) override;
  bool has_begun(const std::string& ticket) const override;
  bool give_up(const std::string& ticket) override;
  std::string run_of(const std::string& ticket) const override;
  std::vector<LaunchNews> look() override;
  bool watches() const override { return !children_.empty(); }
  bool watches_here() const override;
  bool watches_start(const std::string& ticket) const override;
  std::vector<std::string> taken_hosts() override;
  void cancel(const std::string& tag) override;
  bool is_starting() const override;
  std::string running() override;
  void control(const std::string& run, Control control) override;

 private:
  struct Child {
    pid_t pid = -1;
    LaunchOrder order;
    StartFiles files;
    std::optional<RunFolder> run;
    bool told = false;  ///< that it has begun
    bool cancelled = false;
    std::optional<StartPhase> phase;  ///< that was told last

    bool is_elsewhere() const { return files.is_elsewhere(); }
  };
  /// Looks for what became of a start elsewhere whose program was killed.
  struct Recovery {
    pid_t pid = -1;
    std::chrono::steady_clock::time_point again{};
  };
  std::vector<std::string> arguments_of(const LaunchOrder& order, const StartFiles& files);
  std::vector<std::string> arguments_elsewhere(const LaunchOrder& order, const StartFiles& files);
  LaunchPlace place_of(const LaunchOrder& order);
  bool recover(const StartFiles& files);
  void look_at(Child& child, std::vector<LaunchNews>& news);
  bool look_for_run(Child& child);
  void finish(Child& child, int wait_status, std::vector<LaunchNews>& news);
  void finish_elsewhere(Child& child, int code, std::vector<LaunchNews>& news);
  bool has_ended(const std::string& run);

  Paths paths_;
  std::vector<Child> children_;
  std::map<std::string, Recovery> recoveries_;  ///< by ticket
  LocalRuns local_runs_;
};

}  // namespace tessera
