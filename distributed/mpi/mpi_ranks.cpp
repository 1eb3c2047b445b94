// SPDX-License-Identifier: MIT
#include "distributed/mpi/mpi_ranks.h"

#include "core/base/error.h"
#include "core/base/plugin.h"
#include "distributed/mpi/mpi_plugin.h"

namespace tessera {

namespace {
constexpr PluginFile kPlugin{"libtessera_mpi.so", "TESSERA_MPI_PLUGIN", "distributed"};

const MpiPlugin& open_mpi_plugin() {
  std::string looked;
  const std::filesystem::path path = find_plugin(kPlugin, &looked);
  if (path.empty()) {
    throw Error("mpi", fmt::format("there is no plugin for ranks over MPI ({})", looked),
                "install openmpi-bin and libopenmpi-dev, and build anew; or train on one rank");
  }
  const auto entry = reinterpret_cast<MpiPluginEntry>(
      open_plugin(path, "mpi", kMpiPluginEntry, "install Open MPI: apt-get install openmpi-bin"));
  const MpiPlugin* plugin = entry();
  const MpiPlugin ours;
  if (!plugin || plugin->abi != ours.abi || plugin->communicator_bytes != ours.communicator_bytes ||
      plugin->communication_bytes != ours.communication_bytes ||
      plugin->context_bytes != ours.context_bytes) {
    throw Error("mpi", fmt::format("{} belongs to another version of tessera", path.string()),
                "install program and plugin from the same build");
  }
  return *plugin;
}
}  // namespace

bool has_mpi_plugin(std::string* looked) {
  return !find_plugin(kPlugin, looked).empty();
}

std::unique_ptr<Communicator> connect_mpi_ranks() {
  return open_mpi_plugin().connect();
}

}  // namespace tessera
