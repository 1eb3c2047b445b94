// SPDX-License-Identifier: MIT
// The processes of a run with several ranks, started on this machine and ended without a trace.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tessera::app {

/// How the processes ended: the first wait status that is not 0, else 0.
struct RanksEnd {
  int wait_status = 0;
  std::string text() const;  ///< "ended with exit status 1", "killed by signal 9 (Killed)"
};

/// They, and all that they started, end when this object goes, when this program ends in whatever
/// way, or when they are told to.
class RankProcesses {
 public:
  /// `program` with `arguments`, `count` times, connected by mpirun. What they print goes to `log`,
  /// appended. Throws Error with a hint where mpirun is missing.
  static RankProcesses with_mpirun(int count, const std::string& program,
                                   const std::vector<std::string>& arguments,
                                   const std::filesystem::path& log);
  /// The same without mpirun: each has RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR
  /// and MASTER_PORT in its environment.
  static RankProcesses by_variables(int count, const std::string& program,
                                    const std::vector<std::string>& arguments,
                                    const std::filesystem::path& log);
  ~RankProcesses();
  RankProcesses(RankProcesses&& other) noexcept = default;
  RankProcesses& operator=(RankProcesses&&) = delete;

  /// Nothing while they run. Where one of several ends with an error, the others have some seconds
  /// for their last words and are ended then.
  std::optional<RanksEnd> poll();
  /// Asks them to end, and ends what has not within `seconds`.
  RanksEnd end(double seconds);

 private:
  RankProcesses() = default;
  void signal_all(int number) const;

  std::vector<pid_t> running_;  ///< leaders of process groups
  RanksEnd end_;
  bool failed_ = false;
  double failed_at_s_ = 0;
};

}  // namespace tessera::app
