// SPDX-License-Identifier: MIT
// What the programs that need a GPU begin with.
#pragma once

#include <cuda_runtime.h>

#include <cstdio>

/// The exit status that CTest counts as skipped (SKIP_RETURN_CODE).
inline constexpr int kSkipped = 77;

/// False, with a message, where CUDA finds no GPU.
inline bool has_gpu() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return true;
  std::printf("skipped, there is no GPU here: %s\n",
              status == cudaSuccess ? "none is listed" : cudaGetErrorString(status));
  return false;
}
