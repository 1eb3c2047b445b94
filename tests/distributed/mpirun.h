// SPDX-License-Identifier: MIT
// How tests start ranks through mpirun, also as root in a container with two cores.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <string>

#include "distributed/mpi/mpi_ranks.h"

namespace tessera {

/// Why tests with mpirun cannot run here; empty where they can.
inline std::string why_no_mpirun() {
  if (!has_mpi_plugin()) return "built without Open MPI (libopenmpi-dev)";
  if (std::system("command -v mpirun >/dev/null 2>&1") != 0) {
    return "mpirun is not installed (openmpi-bin)";
  }
  return {};
}

inline std::string mpirun(int ranks) {
  const std::string root = ::geteuid() == 0 ? " --allow-run-as-root" : "";
  return "mpirun -q --oversubscribe --bind-to none" + root + " -n " + std::to_string(ranks);
}

}  // namespace tessera
