// SPDX-License-Identifier: MIT
// Programmatic dependent launch: a kernel that is launched with
// cudaLaunchAttributeProgrammaticStreamSerialization may start while the one before it in its
// stream still runs. Before sm_90 nothing starts early, and neither call does anything.
#pragma once

namespace tessera::kernels::cuda::ptx {

/// The next kernel may start when each block of this grid has been here or has ended. NOTE: of
/// what this grid writes the next one may know nothing before its wait_for_grid_before().
__device__ inline void launch_dependents() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;\n");
#endif
}

/// Until the grid before has ended and what it wrote can be read. No block may end without it: the
/// kernel after the next waits for the next alone.
__device__ inline void wait_for_grid_before() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n" ::: "memory");
#endif
}

}  // namespace tessera::kernels::cuda::ptx
