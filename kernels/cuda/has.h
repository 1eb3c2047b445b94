// SPDX-License-Identifier: MIT
// The table of kernels/capability.h for the current GPU.
#pragma once

#include "core/base/cuda/launch.h"
#include "kernels/capability.h"

namespace tessera::kernels::cuda {

/// Whether the current GPU takes the fast kernel.
inline bool has(Feature feature) {
  static const Generation generation = [] {
    const tessera::cuda::ComputeCapability c = tessera::cuda::compute_capability();
    return generation_of(c.major, c.minor);
  }();
  return capability(feature, generation).fast;
}

}  // namespace tessera::kernels::cuda
