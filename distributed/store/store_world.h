// SPDX-License-Identifier: MIT
// Ranks on the CPU that need nothing but the network: no MPI, no account from host to host. All
// parts of a call go through rank 0, so it is for a few ranks and models of some million
// parameters: to try a run on several hosts. Ranks that are GPUs take NCCL, those of one machine
// MPI.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "core/base/communicator.h"

namespace tessera {

struct StorePlace {
  int rank = 0, size = 1;
  std::string master_address = "127.0.0.1";
  int master_port = 29500;
  /// How long ranks may come after each other to a call, and to the start.
  std::chrono::milliseconds hang_limit = std::chrono::minutes(10);
  std::chrono::milliseconds join_limit = std::chrono::minutes(5);
};

/// A collective call of all ranks; rank 0 serves the store. Throws Error where the port is taken,
/// and where ranks do not come, with each address that was tried.
std::unique_ptr<Communicator> make_store_ranks(const StorePlace& place);

}  // namespace tessera
