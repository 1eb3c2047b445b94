// SPDX-License-Identifier: MIT
// Whether this process was started as one of many, and as which: what mpirun, srun, and wrappers in
// the style of torchrun leave in the environment.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tessera {

/// A process among those that were started together.
struct RankEnvironment {
  enum class Starter { OpenMpi, Slurm, Variables };
  Starter starter = Starter::Variables;
  int rank = 0, size = 1;
  int local_rank = 0, local_size = 1;  ///< among those on this host
  /// Where rank 0 can be reached by others; empty where the starter does not say.
  std::string master_address{};
  int master_port = 0;  ///< 0: the starter does not say
};

/// The value of a variable; null where there is none.
using GetVariable = std::function<const char*(const char* name)>;

/// Nothing where this process was started alone. RANK and WORLD_SIZE come first (LOCAL_RANK,
/// LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT belong to them), then those of Open MPI, then
/// those of a task of `srun`. Throws Error naming the variable that is no number or out of its
/// range, and both variables where two starters contradict each other.
std::optional<RankEnvironment> rank_environment(const GetVariable& get);
/// The same from the environment of this process.
std::optional<RankEnvironment> rank_environment();

/// The first host of a list as Slurm writes it: "gpu[03-05,9],login" is "gpu03".
std::string first_host(std::string_view list);
/// How many tasks node `node` has in a list as Slurm writes it: "2(x3),1" is 2, 2, 2, 1. 0 where
/// the list has no such node.
int tasks_on_node(std::string_view list, int node);

}  // namespace tessera
