// SPDX-License-Identifier: MIT
// A run that goes on from a checkpoint of another one. It holds all it needs: the files are linked
// into its folder (or copied where they cannot be), so that its parent may be renamed, moved or
// deleted.
#pragma once

#include <filesystem>

#include "core/checkpoint/checkpoint.h"
#include "core/run/run_folder.h"

namespace tessera {

/// Makes a folder in `runs` for a run of `spec` from `checkpoint` of `parent`. Where the spec names
/// no shards, those of the parent are used. Throws Error, with no folder left behind, when the
/// files can be neither linked nor copied.
RunFolder fork_run(const RunFolder& parent, const CheckpointInfo& checkpoint, RunSpec spec,
                   const std::filesystem::path& runs);

/// The checkpoint that a fork without one of its own begins with: where it was then, or else in a
/// run of the parent's name beside the fork. Throws Error naming both.
std::filesystem::path checkpoint_of(const RunFolder& fork, const Lineage& lineage);

}  // namespace tessera
