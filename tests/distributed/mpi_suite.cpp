// SPDX-License-Identifier: MIT
// One rank of a group over MPI, started by mpi_ranks_test through mpirun: runs the cases that must
// succeed, or the one case that is named, and prints a line for each.
#include <fmt/format.h>

#include <cstdio>

#include "core/base/error.h"
#include "distributed/mpi/mpi_ranks.h"
#include "tests/distributed/communicator_cases.h"

int main(int argc, char** argv) {
  using namespace tessera;
  const std::string name = argc > 1 ? argv[1] : "";
  try {
    const auto ranks = connect_mpi_ranks();
    bool ok = true;
    for (const CommunicatorCase& one : communicator_cases()) {
      if (name.empty() ? one.message != nullptr : one.name != name) continue;
      const std::string problem = run_case(one, *ranks);
      const std::string told = problem.empty() ? "ok" : problem;
      std::printf("rank %d %s: %s\n", ranks->rank(), one.name.c_str(), told.c_str());
      std::fflush(stdout);
      if (problem.empty()) continue;
      ok = false;
      break;
    }
    return ok ? 0 : 1;
  } catch (const std::exception& error) {
    std::printf("no ranks: %s\n", error.what());
    return 1;
  }
}
