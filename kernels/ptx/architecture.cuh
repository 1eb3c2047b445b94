// SPDX-License-Identifier: MIT
// Which code a kernel is compiled into. Instructions of Hopper alone (wgmma, setmaxnreg, TMA with
// clusters) exist in code for sm_90a; kernels that use them have no body elsewhere, where
// kernels/capability.h keeps the host from launching them:
//
//   __global__ void kernel(...) {
//   #ifdef TESSERA_SM90A_CODE
//     ...
//   #else
//     ptx::not_in_this_code();
//   #endif
//   }
#pragma once

#if !defined(__CUDA_ARCH__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define TESSERA_SM90A_CODE
#endif

namespace tessera::kernels::cuda::ptx {

/// A launch that should not have been is an error of CUDA, and never a result that nobody wrote.
__device__ inline void not_in_this_code() {
  __trap();
}

}  // namespace tessera::kernels::cuda::ptx
