// SPDX-License-Identifier: MIT
// A run as a job of Slurm, as the terminal has it: submitted, followed, stopped.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/start_report.h"
#include "core/launch/slurm_record.h"
#include "core/run/run_folder.h"

namespace tessera::app {

struct SlurmLaunch {
  std::string profile;        ///< its name
  std::string start_files{};  ///< as StartReport takes it
  std::string spec, resume;   ///< one of them
  std::string script;         ///< a file to submit instead of what the profile gives; may be empty
  std::string runs;           ///< folder of runs; empty: the profile's, else the usual one
  std::vector<std::string> settings;
  std::map<std::string, std::string> variables;
  std::int64_t most_steps = 0;
  bool show = false, edit = false, detach = false;
};
/// Makes the run's folder and its script, submits it, and follows it.
void launch_on_slurm(const SlurmLaunch& asked);

/// The folder of this run where it has a job in Slurm. `runs` empty: the usual folder of runs.
std::optional<RunFolder> run_on_slurm(const std::string& name, const std::string& runs);
/// For a start of a program that was killed: finds the job that it has submitted, if it had come to
/// that. Throws Exit{kNothingWasStarted} where it had not, and Error where Slurm does not say.
void find_slurm_start(const RunFolder& folder, const StartReport& report);
/// Its job in Slurm has not ended, as far as is known, and the run is not one of this machine's
/// own.
bool has_slurm_job(const RunFolder& folder);
/// Shows a run and its job to the end of the job.
void follow_slurm_run(const RunFolder& folder);
/// A job that waits is cancelled, and a run that trains saves and stops; `now`: all ends, unsaved.
/// True where the run was asked to stop and does it by itself now; false where nothing is left to
/// wait for. Throws Error where the job is over.
bool stop_slurm_run(const RunFolder& folder, bool now);

/// Asks Slurm how the job stands, unless it has ended, and keeps the answer in the run's folder.
/// `trouble`, where it is given, gets why Slurm has no answer.
SlurmRecord look_at_slurm_job(const RunFolder& folder, SlurmRecord record,
                              std::string* trouble = nullptr);

}  // namespace tessera::app
