// SPDX-License-Identifier: MIT
// Slurm's own commands, called as somebody at a terminal would call them, in an environment without
// what would change their answers. Each call waits for its command, which Slurm may keep waiting
// for some seconds: a window calls them in another thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/launch/slurm_text.h"

namespace tessera {

struct SlurmOptions {
  std::vector<std::string> own_variables;      ///< this process has them, jobs do not get them
  std::chrono::milliseconds patience{30'000};  ///< for each command
};

/// What Slurm says of a job.
struct SlurmSight {
  enum class Kind : std::uint8_t {
    Seen,     ///< `job` says how it stands
    Gone,     ///< Slurm knows no such job any more
    NoAnswer  ///< Slurm could not be asked: `trouble` says why
  };
  Kind kind = Kind::NoAnswer;
  SlurmJob job{};
  std::string trouble{};
};

class Slurm {
 public:
  explicit Slurm(SlurmOptions options) : options_(std::move(options)) {}

  /// Throws Error with the next step where Slurm's commands are not on this machine.
  void require_here() const;
  /// Submits RUN/slurm/job.sh in the folder RUN. Returns the job's number. Throws Error with the
  /// next step where Slurm refuses it.
  std::string submit(const std::filesystem::path& run) const;
  /// How a job stands: from squeue, else from sacct, else from scontrol where the cluster keeps no
  /// accounts. Throws nothing.
  SlurmSight look(const std::string& job) const;
  /// The job of this user's that was submitted in a folder and has not ended; empty: none. Throws
  /// Error where Slurm does not say.
  std::string job_of_folder(const std::filesystem::path& run) const;
  /// Ends a job, which stays out of the queue. Ranks have the cluster's time (KillWait) to save;
  /// with `at_once` they have none. Throws Error where Slurm does not take it.
  void cancel(const std::string& job, bool at_once = false) const;
  /// Sends a signal ("USR2") to the job's script alone. Throws Error where Slurm does not take it.
  void signal_script(const std::string& job, const std::string& signal) const;

 private:
  struct Answer {
    bool is_good = false;
    std::string output{}, trouble{};
  };
  Answer ask(const std::vector<std::string>& words, const std::filesystem::path& folder = {}) const;
  void tell(const std::vector<std::string>& words) const;
  std::vector<std::string> names_of(const std::vector<std::string>& words) const;

  SlurmOptions options_;
};

/// What Slurm's refusal of a job means, with the next step. `said`: what sbatch printed; `script`:
/// what it was given; `partitions`: those that there are, where they are known.
Error explain_sbatch(const std::string& said, const std::string& script,
                     const std::vector<std::string>& partitions);

/// The variables of this environment that would change what Slurm's commands print, or what a
/// script asks for. `environment`: NAME=VALUE texts.
std::vector<std::string> variables_to_clear(const std::vector<std::string>& environment);

}  // namespace tessera
