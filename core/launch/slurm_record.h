// SPDX-License-Identifier: MIT
// What a run folder keeps of its job in Slurm, in slurm/: the script, the script as its profile
// gave it, the job's number, what Slurm said of it last and when, and what the job has printed.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/launch/slurm.h"
#include "core/launch/slurm_script.h"
#include "core/launch/slurm_text.h"

namespace tessera {

/// The files of a run's job.
struct SlurmFiles {
  std::filesystem::path run;

  std::filesystem::path folder() const { return run / "slurm"; }
  std::filesystem::path script() const { return folder() / "job.sh"; }
  std::filesystem::path from_profile() const { return folder() / "job.from-profile.sh"; }
  std::filesystem::path record() const { return folder() / "job.json"; }
  std::filesystem::path output(const std::string& job) const;
  /// The script's own exit status is here once it has ended by itself.
  std::filesystem::path end(const std::string& job) const;
};

struct SlurmRecord {
  std::string profile;               ///< its name; empty: the script was somebody's own
  std::string job;                   ///< empty: not submitted yet
  std::vector<std::string> earlier;  ///< jobs of this run before this one
  double submitted = 0;              ///< seconds since 1970
  SlurmJob last;                     ///< what Slurm said last
  double heard = 0;                  ///< when it said that, seconds since 1970; 0: never
  bool gone = false;                 ///< Slurm does not know the job any more

  /// Not submitted yet, or its number could not be written down any more.
  bool is_new() const { return job.empty(); }
  /// It was submitted and has not ended, as far as is known.
  bool is_open() const { return !is_new() && !gone && !is_over(last); }
  /// What Slurm says now; what it could not say changes nothing. True where the job stands
  /// otherwise than before.
  bool take(const SlurmSight& sight, double now);
  /// "job 123 runs on n1 for 5:02 (Slurm said so 3 min ago)".
  std::string text(double now) const;
  /// Throws Error when it cannot be written.
  void save(const SlurmFiles& files) const;
};
/// What was written down before a submission that has failed is taken back: the record is `before`
/// again, or none. Throws Error when it cannot be written.
void take_back_submission(const SlurmFiles& files, const std::optional<SlurmRecord>& before);
/// Nothing where this run has no job. Throws Error where the record is damaged.
std::optional<SlurmRecord> slurm_record_of(const std::filesystem::path& run);

/// The script of a run, brought up to its profile.
struct SlurmScript {
  std::string text;
  bool edited = false;          ///< by hand, and so it stayed as it is
  ScriptDifference difference;  ///< from what the profile gives now; empty where it is the same
};
/// A script that nobody has edited becomes what the profile gives now. One that was edited stays.
/// Throws Error where it cannot be read or written.
SlurmScript place_slurm_script(const SlurmFiles& files, const std::string& from_profile);
/// The same without writing anything.
SlurmScript look_at_slurm_script(const SlurmFiles& files, const std::string& from_profile);
/// Puts a script in that somebody has edited.
void edit_slurm_script(const SlurmFiles& files, const std::string& text);

}  // namespace tessera
