// SPDX-License-Identifier: MIT
// Failures on request, for tests of what a program does about them (tests/gpu/faults.sh). The
// environment variable TESSERA_CUDA_FAULT, read once, holds one of
//
//   memory N          the N-th allocation of GPU memory finds none left
//   launch NAME N     the N-th launch that checks itself under this name fails
//   gone N            from the N-th launch on nothing on the GPU answers
//
// counted from 1. What follows is the code that a real failure takes. Without the variable each
// call is a comparison.
#pragma once

#include <cuda_runtime.h>

namespace tessera::cuda {

/// What the next allocation returns: cudaErrorMemoryAllocation, or cudaSuccess.
cudaError_t injected_allocation();
/// What the launch just made returns: cudaErrorLaunchFailure, or cudaSuccess.
cudaError_t injected_launch(const char* where);
/// Whether the GPU no longer answers, because a test wants that.
bool gpu_is_made_away_with();

}  // namespace tessera::cuda
