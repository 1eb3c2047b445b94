// SPDX-License-Identifier: MIT
#include "distributed/nccl/nccl_library.h"

#include <mutex>

#include "core/base/error.h"
#include "core/base/plugin.h"

namespace tessera {

namespace {
const NcclLibrary* open_library() {
  std::string looked;
  const auto path =
      find_plugin({"libtessera_nccl.so", "TESSERA_NCCL_PLUGIN", "distributed"}, &looked);
  if (path.empty()) {
    throw Error("nccl", fmt::format("there is no plugin for several GPUs ({})", looked),
                "build where NCCL is installed, or name the plugin in TESSERA_NCCL_PLUGIN");
  }
  const auto entry = reinterpret_cast<NcclLibraryEntry>(
      open_plugin(path, "nccl", kNcclLibraryEntry,
                  "libnccl.so.2 must be where the loader looks (LD_LIBRARY_PATH)"));
  const NcclLibrary* found = entry();
  const NcclLibrary ours;
  if (!found || found->abi != ours.abi || found->tensor_bytes != ours.tensor_bytes ||
      found->communication_bytes != ours.communication_bytes) {
    throw Error("nccl", fmt::format("{} belongs to another version of tessera", path.string()),
                "install program and plugin from the same build");
  }
  return found;
}
}  // namespace

const NcclLibrary& load_nccl_library() {
  static std::mutex loading;
  static const NcclLibrary* library = nullptr;
  const std::lock_guard lock(loading);
  if (!library) library = open_library();
  return *library;
}

}  // namespace tessera
