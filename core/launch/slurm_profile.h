// SPDX-License-Identifier: MIT
// Profiles for Slurm: what a user asks a cluster for, under a name. Each is a TOML file of its own
// in the user's folder, so that one with a slip in it does not take the others along.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tessera {

struct SlurmProfile {
  std::string name{};  ///< the file's, without its ending
  std::string partition{}, account{}, qos{};
  std::int64_t nodes = 1;
  std::int64_t ranks_per_node = 1;
  std::int64_t gpus_per_node = 0;
  std::string gpu_type{};
  std::int64_t cpus_per_rank = 0;  ///< 0: what the cluster gives by itself
  std::string memory{};        ///< memory of a node: "64G"; empty: what the cluster gives by itself
  std::string time{};          ///< as Slurm writes it: "24:00:00"; empty: the partition's own
  std::int64_t warn_s = 120;   ///< the run saves this long before its time is over; 0: never
  std::string start = "srun";  ///< what starts the ranks: srun, pmix or mpirun
  std::vector<std::string> modules{};
  std::string program{};              ///< tessera on the nodes; empty: where it is on this machine
  std::string container{};            ///< an image that holds it; empty: none
  std::string container_with{};       ///< what runs a program in an image; empty: apptainer exec
  std::string runs{};                 ///< folder of runs that all nodes see; empty: the usual one
  std::vector<std::string> sbatch{};  ///< further options of sbatch: "--exclusive"
  std::vector<std::string> srun{};    ///< further options of what starts the ranks
  std::vector<std::string> commands{};  ///< lines of shell before the ranks start

  std::int64_t ranks() const { return nodes * ranks_per_node; }
  bool operator==(const SlurmProfile&) const = default;
};

/// One key of a profile, for reading, writing, the command line and forms.
struct SlurmProfileKey {
  using Member = std::variant<std::string SlurmProfile::*, std::int64_t SlurmProfile::*,
                              std::vector<std::string> SlurmProfile::*>;
  const char* name;
  Member member;
  const char* help;
  std::int64_t least = 0, most = 0;  ///< bounds of a number
};
const std::vector<SlurmProfileKey>& slurm_profile_keys();

/// Throws Error with all that is wrong, each with its line: text that is no TOML, unknown keys with
/// the nearest one, values of another kind or out of range. `file` is for messages.
SlurmProfile parse_slurm_profile(std::string_view toml, const std::string& name,
                                 const std::string& file);
/// Every key with its help; those that have their default value as a comment. Reading it back gives
/// the same profile.
std::string write_slurm_profile(const SlurmProfile& profile);
/// Throws Error with all values that no cluster would take.
void check_slurm_profile(const SlurmProfile& profile);

/// TESSERA_HOME/slurm, or where the user's own files are.
std::filesystem::path slurm_profiles_folder();
/// In alphabetical order.
std::vector<std::string> list_slurm_profiles(const std::filesystem::path& folder);
/// Throws Error naming the nearest one where there is none of this name.
SlurmProfile load_slurm_profile(const std::filesystem::path& folder, const std::string& name);
/// Throws Error where the profile is wrong, where there is one of this name and `replace` is not
/// set, and where it cannot be written. Returns its file.
std::filesystem::path save_slurm_profile(const std::filesystem::path& folder,
                                         const SlurmProfile& profile, bool replace);
/// Throws Error naming the nearest one where there is none of this name.
void remove_slurm_profile(const std::filesystem::path& folder, const std::string& name);

}  // namespace tessera
