// SPDX-License-Identifier: MIT
// What a CUDA operation is written with. An operation of kernels/<op>/<op>.cu reads
//
//   #include "core/base/cuda/launch.h"
//   #include "kernels/rope/rope.h"
//
//   namespace tessera::kernels::cuda {
//   namespace {
//   __global__ void rotate(...) { ... }
//   }
//   void rope(Context& context, const Tensor& x, ...) {      // the signature of cpu::rope
//     // the same contract, checked with kernels/arguments.h
//     if (x.numel() == 0) return;                            // a grid of 0 blocks is an error
//     rotate<<<blocks, threads, 0, stream_of(context)>>>(...);
//     check_launch("rope");
//   }
//   TESSERA_CUDA_OPERATION(rope)
//   }
//
// Types: F32, and BF16 where the contract in the operation's header says "on the GPU": in the
// recipe bf16 results of products that are not added to the residual stream stay in BF16 there.
//
// Rules: all work goes to stream_of(context); nothing waits for the host (no cudaMemcpy, no
// cudaMalloc, no synchronisation), so that a step can be captured as a graph; temporaries come from
// workspace(). Tensors of F64 need no support unless the contract names F64 alone (`sum`, ...).
#pragma once

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/base/context.h"
#include "core/base/error.h"

namespace tessera::cuda {

inline cudaStream_t stream_of(const Context& context) {
  return static_cast<cudaStream_t>(context.stream);
}

/// Throws Error naming the operation unless `status` is success.
void check(cudaError_t status, const char* where);

/// After each launch. With TESSERA_CUDA_SYNC=1 in the environment it also waits for the kernel, so
/// that a fault is reported by the operation that made it.
void check_launch(const char* where);

/// Temporary device memory of at least `bytes`, aligned to 256, with anything in it. It is the
/// operation's until the operation's last kernel has run: the next operation gets the same memory,
/// and so does a second call within one operation (ask once, and divide).
/// NOTE: it grows by allocating, which waits for the GPU; a second step of the same shapes does
/// not, and only such a step may be captured.
void* workspace(const Context& context, std::size_t bytes);

/// How many multiprocessors the current GPU has.
int multiprocessors();
struct ComputeCapability {
  int major, minor;  ///< 9, 0 on Hopper
};
ComputeCapability compute_capability();

/// Blocks of `threads` that cover `count`, at most `limit` (for loops that stride over the grid).
inline unsigned blocks_for(std::int64_t count, int threads, std::int64_t limit = 1 << 30) {
  const std::int64_t blocks = (count + threads - 1) / threads;
  return static_cast<unsigned>(blocks < limit ? blocks : limit);
}

/// How a kernel says that a value it was given is wrong, where the CPU would throw: the first one
/// raised becomes an Error(where, what) at the next copy from the GPU to the host.
struct Fault {
  unsigned long long* word;  // device memory: 0, or code << 32 | index
  unsigned code;

#ifdef __CUDACC__
  __device__ void raise(unsigned index) const {
    atomicCAS(word, 0ull, (static_cast<unsigned long long>(code) << 32) | index);
  }
#endif
};

/// `what` holds one {} for the index: "the logits of token {} are not finite". Both texts must live
/// for ever (literals).
Fault fault(const char* where, const char* what);

/// Used by TESSERA_CUDA_OPERATION alone.
struct Registration {
  Registration(const char* name, void* function);
};

}  // namespace tessera::cuda

namespace tessera::kernels::cuda {
using tessera::cuda::blocks_for;
using tessera::cuda::check;
using tessera::cuda::check_launch;
using tessera::cuda::stream_of;
using tessera::cuda::workspace;
}  // namespace tessera::kernels::cuda

/// Once per operation, in namespace tessera::kernels::cuda after the function. `name` is that of
/// the Op and of the function in kernels::cpu, whose type it must have.
#define TESSERA_CUDA_OPERATION(name)                                                         \
  static_assert(std::is_same_v<decltype(&::tessera::kernels::cuda::name),                    \
                               decltype(&::tessera::kernels::cpu::name)>,                    \
                "kernels::cuda::" #name " must have the signature of kernels::cpu::" #name); \
  static const ::tessera::cuda::Registration registration_of_##name(                         \
      #name, reinterpret_cast<void*>(&::tessera::kernels::cuda::name));
