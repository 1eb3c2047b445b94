// SPDX-License-Identifier: MIT
// Ranks that are processes, started by mpirun or srun and connected by Open MPI: the transport of
// ranks on the CPU. Sums are taken in the order of ranks, as ThreadRanks takes them, so that both
// give the same bits.
#pragma once

#include <memory>
#include <string>

#include "core/base/communicator.h"

namespace tessera {

/// Whether the plugin is here; `looked` gets the places where it is not.
bool has_mpi_plugin(std::string* looked = nullptr);

/// The group of all ranks that were started with this process; to be called once. Tensors lie on
/// the CPU. An error of one rank ends the waiting of all. When the group is gone, this process has
/// left the others. Throws Error with a hint where the plugin or MPI is missing, or where MPI does
/// not find the others.
std::unique_ptr<Communicator> connect_mpi_ranks();

}  // namespace tessera
