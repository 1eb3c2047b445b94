// SPDX-License-Identifier: MIT
// Where the program and libtessera_mpi.so meet. The plugin alone knows MPI, so that one build of
// the program runs with and without it.
#pragma once

#include <cstdint>
#include <memory>

#include "core/base/communicator.h"

namespace tessera {

struct MpiPlugin {
  /// Raised whenever a type that crosses the border changes in meaning; sizes are compared too.
  static constexpr std::uint32_t kAbi = 1;

  std::uint32_t abi = kAbi;
  std::uint32_t communicator_bytes = sizeof(Communicator);
  std::uint32_t communication_bytes = sizeof(Communication), context_bytes = sizeof(Context);
  /// The group of all ranks. To be called once in a process. Throws Error.
  std::unique_ptr<Communicator> (*connect)() = nullptr;
  const char* (*version)() = nullptr;  ///< "Open MPI v4.1.4, ..."
};

using MpiPluginEntry = const MpiPlugin* (*)();
inline constexpr const char* kMpiPluginEntry = "tessera_mpi_plugin";

}  // namespace tessera
