// SPDX-License-Identifier: MIT
// Ranks that are processes with a GPU each, over NCCL.
//
// Tensors on the GPU go through NCCL on the Context's stream. Tensors on the host, which are orders
// and counts between steps, go through the store of rank 0 (distributed/store): it needs no place
// on a GPU that is busy, works while one hangs, and knows who is lost.
//
// A rank that ends, with an error or without a word, is told to all within a second or so; NCCL's
// communicators are then aborted, so that nothing on a GPU waits any longer, and calls throw Error
// with the rank and its reason. A process that does not come to such a call ends by itself.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "core/base/communicator.h"

namespace tessera {

struct NcclLibrary;

/// Which rank this process is, and where rank 0 serves its store.
struct NcclPlace {
  int rank = 0, size = 1;
  std::string master_address = "127.0.0.1";
  int master_port = 29500;
};

struct NcclOptions {
  /// How long ranks may come after each other to a call, and a GPU may take for one.
  std::chrono::milliseconds hang_limit = std::chrono::minutes(10);
  /// How long ranks may come after each other to the start.
  std::chrono::milliseconds join_limit = std::chrono::minutes(5);
  /// A process whose rank waits on for what will not come ends after this time; 0: never.
  std::chrono::milliseconds end_after = std::chrono::seconds(12);
  const NcclLibrary* library = nullptr;  ///< null: the plugin
};

/// To be called before anything asks for the GPU: of those that this process may see it leaves the
/// one of the rank's number on its host (CUDA_VISIBLE_DEVICES). Where there is one already, that is
/// it.
void see_gpu_of_rank(int local_rank);
/// What it sets the variable to, from what it was ("" where it was not set).
std::string gpu_of_rank(const std::string& visible, int local_rank);

/// Where the store listens: at MASTER_PORT, or at the port behind it where a store of torchrun's
/// own has that (TORCHELASTIC_USE_AGENT_STORE).
int store_port(int master_port);

/// A collective call of all ranks; rank 0 serves the store. Throws Error where ranks do not come,
/// naming them, or have another NCCL.
std::unique_ptr<Communicator> make_nccl_ranks(const NcclPlace& place,
                                              const NcclOptions& options = {});

}  // namespace tessera
