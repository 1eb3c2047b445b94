// SPDX-License-Identifier: MIT
// Where a run is started: on this machine, on hosts over ssh, or as a job of Slurm. The window, the
// queue and the terminal say it by the same words, which `tessera launch` takes.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/launch/slurm_profile.h"
#include "core/spec/spec.h"

namespace tessera {

struct LaunchPlace {
  enum class Kind : std::uint8_t { Here, Hosts, Slurm };
  Kind kind = Kind::Here;
  std::string hosts{};    ///< "a:4,node[01-04]:8", as parse_host_list() takes it
  int local = 0;          ///< ranks of this machine, before those of the hosts
  std::string profile{};  ///< name of a profile for Slurm
  std::string script{};   ///< a script for Slurm that was edited, its text; empty: the profile's
  std::string folder{};   ///< where the runs are there; empty: the usual one
  std::string program{};  ///< where tessera is on the hosts; empty: as here, or on the PATH
  std::string ssh{};      ///< the command instead of ssh; empty: what TESSERA_SSH says, or ssh
  bool copy = false;      ///< this program is sent to hosts that do not have it

  bool is_here() const { return kind == Kind::Here; }
  /// Ranks of it train on this machine, so that the machine must be free for it.
  bool needs_here() const { return is_here() || local > 0; }
  /// "this machine", "a:4,b:4", "Slurm (gpu)".
  std::string text() const;
  /// The names of its hosts, without users and numbers of ranks: who has one of them has it for
  /// all. Empty where the list cannot be read.
  std::vector<std::string> host_names() const;
  bool operator==(const LaunchPlace&) const = default;
};

/// The options by which `tessera launch` goes there; none for this machine. A script is not among
/// them: it needs a file.
std::vector<std::string> options_of_place(const LaunchPlace& place);

nlohmann::json to_json(const LaunchPlace& place);
/// Throws Error for a place of a kind that this program does not know.
LaunchPlace place_of_json(const nlohmann::json& o);

/// Throws Error where the spec trains on GPUs and the profile asks for none.
void check_gpus(const RunSpec& spec, const SlurmProfile& profile);

/// How the ranks of a spec lie there.
struct PlaceRanks {
  std::int64_t ranks = 1;
  std::int64_t data = 1;  ///< the value of parallel.data that they give
};
/// Throws Error with the next step where the place is none (a list of hosts that is wrong or names
/// one twice), and where its ranks do not fit to the spec. `profile`: for Slurm alone. `goes_on`:
/// the spec is that of a run which goes on there with its own parallel.data.
PlaceRanks ranks_at_place(const LaunchPlace& place, const RunSpec& spec,
                          const SlurmProfile* profile = nullptr, bool goes_on = false);

}  // namespace tessera
