// SPDX-License-Identifier: MIT
// The script that sbatch gets: made from a profile, readable, and free to be edited. It does not
// name the run's folder, which is where sbatch is called, so that one script fits any run.
//
// What it does: it starts the ranks, which resume the run of the folder. When Slurm warns of the
// time limit (SIGUSR1) or takes the nodes away (SIGTERM), it asks the ranks to save and stop; they
// end with kSlurmRequeueStatus then, and the script puts the job back into the queue. SIGUSR2 asks
// the ranks to save and stop for good.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/launch/slurm_profile.h"

namespace tessera {

/// What ranks end with where a signal stopped them before the end of the run, and they have saved.
/// A cluster whose slurm.conf has RequeueExit=85 puts such a job back by itself.
inline constexpr int kSlurmRequeueStatus = 85;

/// What of a run stands in its script.
struct SlurmRun {
  std::string name;                                ///< names the job
  std::string program;                             ///< where the profile names none
  std::map<std::string, std::string> variables{};  ///< for the ranks
  std::int64_t most_steps = 0;                     ///< 0: to the end of the run
};

/// Throws Error where the profile is wrong.
std::string slurm_script(const SlurmProfile& profile, const SlurmRun& run);

/// In which lines an edited script differs from the one that its profile gives.
struct ScriptDifference {
  std::vector<int> lines;    ///< lines of the edited script, from 1, that the profile does not give
  std::vector<int> missing;  ///< what the profile gives and is not there, before these lines

  bool empty() const { return lines.empty() && missing.empty(); }
  /// "differs from the profile in lines 4, 17-19; 2 of the profile's lines are left out, at line 9"
  std::string text() const;
};
ScriptDifference compare_scripts(std::string_view from_profile, std::string_view edited);

/// What of an edited script would not do what somebody meant.
struct ScriptProblem {
  int line = 0;  ///< from 1; 0: of the whole
  std::string text, hint;
  bool is_error = false;  ///< sbatch would refuse it
};
std::vector<ScriptProblem> check_slurm_script(std::string_view script);

}  // namespace tessera
