// SPDX-License-Identifier: MIT
// Looks after a launch on several hosts: hears all its agents, passes on what is asked, and says in
// the end how it went and which rank was the cause.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/launch/agent_line.h"

namespace tessera {

/// A word with the host that it comes from.
struct HostWord {
  const HostSlots& host;
  const AgentWord& word;
  bool is_new = true;  ///< false while an attached desk hears what was said before it came
};

/// How all ranks together ended.
struct LaunchEnd {
  int exit_status = 0;  ///< the worst of all ranks
  std::string cause;    ///< "rank 3 on host b (process 7) was killed by signal 9"; empty: all well
};

/// The end of a rank, as its agent tells it. `time` is of the desk's clock.
struct RankEnd {
  int rank = -1, status = 0;
  std::string host{};
  std::int64_t process = 0;
  double time = 0;
  bool was_told = false;
};
/// The worst exit status of all, and the rank that caused it: one that was killed before those that
/// failed, then the one that ended first; what was told to end, ended for another's sake.
/// `lost_agents`: hosts whose agent has died.
LaunchEnd judge_ends(const std::vector<RankEnd>& ends, const std::vector<std::string>& lost_agents);

class LaunchWatch {
 public:
  struct Options {
    std::function<void(const HostWord&)> tell{};
    /// What a person should know: a line that breaks, one that is back.
    std::function<void(const std::string&)> note{};
    std::function<void(const std::string& run)> run_known{};
    /// Once set, the run is asked to save and stop. Where there is no run yet a few seconds later,
    /// all ranks are told to end.
    const std::atomic<bool>* stop = nullptr;
    bool only_until_begun = false;  ///< comes back once all ranks were started, and
                                    ///< the run is known or 15 s have passed
    bool ends_all = false;          ///< all ranks are told to end at once
  };

  LaunchWatch(std::vector<std::unique_ptr<AgentLine>> lines, Options options);

  /// To the end of all ranks. Throws Error where an agent cannot be started; the others are told to
  /// end then. One that cannot be found again counts as lost. Nothing where it came back earlier,
  /// as its options say.
  std::optional<LaunchEnd> run();

 private:
  struct Told {
    bool caught_up = false, begun = false;
    AgentLine::State state = AgentLine::State::Begins;
    double silent_since_s = 0;
    int ranks_begun = 0;
  };
  void hear(std::size_t at);
  void take(std::size_t at, const AgentWord& word);
  void lose(std::size_t at);
  void tell_of_line(std::size_t at);
  void pass_on();
  void ask_all(const std::string& what, std::size_t but);
  bool is_over() const;
  bool all_begun() const;
  bool has_begun();
  [[noreturn]] void give_up(std::size_t at);
  void wait() const;

  std::vector<std::unique_ptr<AgentLine>> lines_;
  Options options_;
  bool run_is_known_ = false;
  double all_begun_at_s_ = 0;
  std::vector<Told> told_;
  std::vector<RankEnd> ends_;    ///< by the clocks of their hosts
  std::vector<std::size_t> at_;  ///< the line that each of them came over
  std::vector<std::string> lost_;
  double failed_at_s_ = 0;
  bool asked_stop_ = false, asked_end_ = false;
  double asked_stop_at_s_ = 0;
};

}  // namespace tessera
