// SPDX-License-Identifier: MIT
//
// The bulk tensor copy engine (TMA): loads of boxes into shared memory that complete on an
// mbarrier, multicast within a cluster, stores, reductions; and the host side that describes
// tensors to it. Source: PTX ISA, "cp.async.bulk.tensor"; CUDA driver API, cuTensorMapEncodeTiled.
//
// Coordinates count elements, innermost dimension first. What lies outside the tensor is read as
// zeros (and counts in the bytes awaited) and is not written. Boxes in shared memory begin at
// multiples of 128 bytes, of 1024 with the 128-byte swizzle.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "core/base/error.h"

namespace tessera::kernels::cuda::ptx {

__device__ inline void tma_prefetch_map(const CUtensorMap* map) {
  asm volatile("prefetch.tensormap [%0];\n" ::"l"(map) : "memory");
}

// Hints for the L2 cache: keep (operands that other tiles read again), drop first (read once).
// The numbers are the encodings that `createpolicy.fractional` makes for fraction 1.
constexpr uint64_t kCacheNormal = 0x1000000000000000ull;
constexpr uint64_t kCacheEvictFirst = 0x12F0000000000000ull;
constexpr uint64_t kCacheEvictLast = 0x14F0000000000000ull;

__device__ inline void tma_load_2d(uint32_t to, const CUtensorMap* map, uint32_t barrier, int x,
                                   int y, uint64_t cache = kCacheNormal) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%3, %4}], [%2], %5;\n" ::"r"(to),
      "l"(map), "r"(barrier), "r"(x), "r"(y), "l"(cache)
      : "memory");
}
__device__ inline void tma_load_3d(uint32_t to, const CUtensorMap* map, uint32_t barrier, int x,
                                   int y, int z, uint64_t cache = kCacheNormal) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%3, %4, %5}], [%2], %6;\n" ::"r"(to),
      "l"(map), "r"(barrier), "r"(x), "r"(y), "r"(z), "l"(cache)
      : "memory");
}
__device__ inline void tma_load_4d(uint32_t to, const CUtensorMap* map, uint32_t barrier, int x,
                                   int y, int z, int w, uint64_t cache = kCacheNormal) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%3, %4, %5, %6}], [%2], %7;\n" ::"r"(to),
      "l"(map), "r"(barrier), "r"(x), "r"(y), "r"(z), "r"(w), "l"(cache)
      : "memory");
}
__device__ inline void tma_load_5d(uint32_t to, const CUtensorMap* map, uint32_t barrier, int x,
                                   int y, int z, int w, int v, uint64_t cache = kCacheNormal) {
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint "
      "[%0], [%1, {%3, %4, %5, %6, %7}], [%2], %8;\n" ::"r"(to),
      "l"(map), "r"(barrier), "r"(x), "r"(y), "r"(z), "r"(w), "r"(v), "l"(cache)
      : "memory");
}

// Multicast: the box lands at offset `to` in every block of `mask` (bit = rank in the cluster) and
// completes on the barrier at offset `barrier` there.
__device__ inline void tma_multicast_2d(uint32_t to, const CUtensorMap* map, uint32_t barrier,
                                        uint16_t mask, int x, int y,
                                        uint64_t cache = kCacheNormal) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".multicast::cluster.L2::cache_hint [%0], [%1, {%4, %5}], [%2], %3, %6;\n" ::"r"(to),
      "l"(map), "r"(barrier), "h"(mask), "r"(x), "r"(y), "l"(cache)
      : "memory");
}
__device__ inline void tma_multicast_3d(uint32_t to, const CUtensorMap* map, uint32_t barrier,
                                        uint16_t mask, int x, int y, int z,
                                        uint64_t cache = kCacheNormal) {
  asm volatile(
      "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".multicast::cluster.L2::cache_hint [%0], [%1, {%4, %5, %6}], [%2], %3, %7;\n" ::"r"(to),
      "l"(map), "r"(barrier), "h"(mask), "r"(x), "r"(y), "r"(z), "l"(cache)
      : "memory");
}
__device__ inline void tma_multicast_5d(uint32_t to, const CUtensorMap* map, uint32_t barrier,
                                        uint16_t mask, int x, int y, int z, int w, int v,
                                        uint64_t cache = kCacheNormal) {
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes"
      ".multicast::cluster.L2::cache_hint [%0], [%1, {%4, %5, %6, %7, %8}], [%2], %3, %9;\n" ::"r"(
          to),
      "l"(map), "r"(barrier), "h"(mask), "r"(x), "r"(y), "r"(z), "r"(w), "r"(v), "l"(cache)
      : "memory");
}

// NOTE: each thread that wrote the box with ordinary stores calls this, then a barrier, then one
// thread starts the copy.
__device__ inline void fence_writes_for_tma() {
  asm volatile("fence.proxy.async.shared::cta;\n" ::: "memory");
}
__device__ inline void tma_store_2d(const CUtensorMap* map, uint32_t from, int x, int y,
                                    uint64_t cache = kCacheNormal) {
  asm volatile(
      "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group.L2::cache_hint [%0, {%2, %3}], [%1], "
      "%4;\n" ::"l"(map),
      "r"(from), "r"(x), "r"(y), "l"(cache)
      : "memory");
}
__device__ inline void tma_store_3d(const CUtensorMap* map, uint32_t from, int x, int y, int z) {
  asm volatile(
      "cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%0, {%2, %3, %4}], [%1];\n" ::"l"(
          map),
      "r"(from), "r"(x), "r"(y), "r"(z)
      : "memory");
}
// Adds the box to the tensor (the type of the map, FP32 for example).
__device__ inline void tma_add_2d(const CUtensorMap* map, uint32_t from, int x, int y) {
  asm volatile(
      "cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.bulk_group [%0, {%2, %3}], [%1];\n" ::
          "l"(map),
      "r"(from), "r"(x), "r"(y)
      : "memory");
}
__device__ inline void tma_add_3d(const CUtensorMap* map, uint32_t from, int x, int y, int z) {
  asm volatile(
      "cp.reduce.async.bulk.tensor.3d.global.shared::cta.add.bulk_group [%0, {%2, %3, %4}], "
      "[%1];\n" ::"l"(map),
      "r"(from), "r"(x), "r"(y), "r"(z)
      : "memory");
}
__device__ inline void tma_store_commit() {
  asm volatile("cp.async.bulk.commit_group;\n" ::: "memory");
}
// Waits until at most PENDING groups of this thread still read shared memory.
template <int PENDING>
__device__ inline void tma_store_wait_read() {
  asm volatile("cp.async.bulk.wait_group.read %0;\n" ::"n"(PENDING) : "memory");
}
// Waits until at most PENDING groups of this thread are not yet written.
template <int PENDING>
__device__ inline void tma_store_wait() {
  asm volatile("cp.async.bulk.wait_group %0;\n" ::"n"(PENDING) : "memory");
}

// ---- host --------------------------------------------------------------------------------------

// cuTensorMapEncodeTiled of the driver, found at run time so that nothing links against libcuda.
inline auto tensor_map_encoder() {
  using Encode = decltype(&cuTensorMapEncodeTiled);
  static const Encode encode = [] {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult found{};
    const cudaError_t status = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function,
                                                                12000, cudaEnableDefault, &found);
    if (status != cudaSuccess || found != cudaDriverEntryPointSuccess || function == nullptr) {
      throw Error("cuda", "the driver has no cuTensorMapEncodeTiled",
                  "a driver of CUDA 12.0 or newer is needed");
    }
    return reinterpret_cast<Encode>(function);
  }();
  return encode;
}

// Describes a tensor of RANK dimensions, innermost first. `stride_bytes[i]` is the distance of
// neighbours in dimension i + 1, a multiple of 16; `box` is at most 256 per dimension.
template <int RANK>
CUtensorMap make_tensor_map(CUtensorMapDataType type, const void* data,
                            const uint64_t (&size)[RANK], const uint64_t (&stride_bytes)[RANK - 1],
                            const uint32_t (&box)[RANK], CUtensorMapSwizzle swizzle) {
  CUtensorMap map{};
  uint32_t steps[RANK];
  for (uint32_t& step : steps) step = 1;
  const CUresult status =
      tensor_map_encoder()(&map, type, RANK, const_cast<void*>(data), size, stride_bytes, box,
                           steps, CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle,
                           CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  require(status == CUDA_SUCCESS, "cuda",
          "tensor map refused (code {}): {} dimensions, innermost {}, address {}",
          static_cast<int>(status), RANK, size[0], data);
  return map;
}

}  // namespace tessera::kernels::cuda::ptx
