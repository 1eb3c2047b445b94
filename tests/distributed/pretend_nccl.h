// SPDX-License-Identifier: MIT
// An NCCL for tests: GPUs whose memory is the host's and which work on their streams in threads of
// their own, after the host has gone on.
#pragma once

#include "distributed/nccl/nccl_library.h"

namespace tessera::pretend {

/// Ranks of it are threads of one process.
const NcclLibrary& nccl();
/// From now on tensors of Device::Cuda lie in host memory.
void have_gpu_memory();
/// Calls that are enqueued from now on are never done, until their group is aborted.
void hang(bool on);
/// How many groups were aborted so far.
int aborted();

}  // namespace tessera::pretend
