// SPDX-License-Identifier: MIT
// This machine as a host of runs: each is a process in a session of its own, which outlives the one
// that started it.
#pragma once

#include <filesystem>
#include <functional>
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
  bool is_starting() const override;
  std::string running() override;
  void control(const std::string& run, Control control) override;

 private:
  struct Child {
    pid_t pid = -1;
    LaunchOrder order;
    std::filesystem::path files;  ///< without the suffix: .toml, .log, .id
    std::optional<RunFolder> run;
    bool told = false;  ///< that it has begun
  };
  std::vector<std::string> arguments_of(const LaunchOrder& order,
                                        const std::filesystem::path& files);
  static bool look_for_run(Child& child);
  static void finish(Child& child, int wait_status, std::vector<LaunchNews>& news);

  Paths paths_;
  std::vector<Child> children_;
  LocalRuns local_runs_;
};

}  // namespace tessera
