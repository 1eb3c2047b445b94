// SPDX-License-Identifier: MIT
// Packs: neighbouring elements that one instruction of up to 16 bytes moves, and the host's
// decision whether tensors allow them. A kernel takes the pack's size N as a template argument and
// is the same code for N = 1, the path for odd sizes and free strides.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "core/base/cuda/element.cuh"
#include "core/base/cuda/launch.h"
#include "kernels/arguments.h"

namespace tessera::kernels::cuda {

/// N * sizeof(T) is at most 16, and the address a multiple of it.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T values[N];
};

/// Elements per pack, so that the widest of these types moves 16 bytes.
template <class... T>
inline constexpr int kPack = 16 / static_cast<int>(std::max({sizeof(T)...}));

template <int N, class T>
__device__ inline Pack<T, N> load_pack(const T* from) {
  return *reinterpret_cast<const Pack<T, N>*>(from);
}
template <int N, class T>
__device__ inline void store_pack(T* to, const Pack<T, N>& pack) {
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

template <int N, class T>
__device__ inline void load(const T* from, float (&to)[N]) {
  const Pack<T, N> pack = load_pack<N>(from);
#pragma unroll
  for (int i = 0; i < N; ++i) to[i] = to_float(pack.values[i]);
}
template <int N, class T>
__device__ inline void save(T* to, const float (&from)[N]) {
  Pack<T, N> pack;
#pragma unroll
  for (int i = 0; i < N; ++i) store(pack.values[i], from[i]);
  store_pack<N>(to, pack);
}

/// Whether packs of `n` elements lie at multiples of their size in all rows of all tensors. Absent
/// tensors allow everything.
inline bool allows_packs(int n, std::initializer_list<const Tensor*> tensors) {
  for (const Tensor* t : tensors) {
    if (!*t) continue;
    const std::size_t bytes = static_cast<std::size_t>(n) * size_of(t->dtype());
    if (reinterpret_cast<std::uintptr_t>(t->raw()) % bytes != 0) return false;
    if (t->size(-1) % n != 0) return false;
    for (int dim = 0; dim + 1 < t->rank(); ++dim) {
      if (t->size(dim) > 1 && t->stride(dim) % n != 0) return false;
    }
  }
  return true;
}

template <int N>
using PackSize = std::integral_constant<int, N>;

/// Calls body(PackSize<N>{}) where `tensors` allow packs of N elements, else body(PackSize<1>{}).
template <int N, class Body>
void with_packs(std::initializer_list<const Tensor*> tensors, Body&& body) {
  if (allows_packs(N, tensors)) {
    body(PackSize<N>{});
  } else {
    body(PackSize<1>{});
  }
}

/// Calls body(T{}) with T = float for F32, bf16 for BF16. Throws Error for other types.
template <class Body>
void with_real(const char* where, const char* name, const Tensor& tensor, Body&& body) {
  if (tensor.dtype() == DType::F32) return body(float{});
  if (tensor.dtype() == DType::BF16) return body(bf16{});
  throw Error(where,
              fmt::format("expected {} of type F32 or BF16, got {}", name, tensor.describe()));
}

/// As with_real, for a tensor whose type is that of `input`, or BF16 where that is F32.
template <class In, class Body>
void with_result_of(const char* where, const char* name, const Tensor& tensor, Body&& body) {
  if (tensor.dtype() == DType::BF16) return body(bf16{});
  if constexpr (std::is_same_v<In, float>) {
    if (tensor.dtype() == DType::F32) return body(float{});
  }
  throw Error(where,
              fmt::format("expected {} of type {}, got {}", name,
                          std::is_same_v<In, float> ? "F32 or BF16" : "BF16", tensor.describe()));
}

/// Grid and block for kernels in which each thread has one pack of one row: rows along x, packs of
/// a row along y of the grid; packs along x, rows along y of the block.
struct RowGrid {
  dim3 grid, block;

  RowGrid(std::int64_t rows, std::int64_t packs) {
    constexpr unsigned kThreads = 256;
    unsigned across = 1;
    while (across < kThreads && across < packs) across *= 2;
    block = dim3(across, kThreads / across);
    grid = dim3(blocks_for(rows, static_cast<int>(block.y), (std::int64_t{1} << 31) - 1),
                static_cast<unsigned>((packs + across - 1) / across));
  }
};
/// NOTE: 65,535 blocks along y cover rows of 16 million packs; longer ones are an invalid launch,
/// which check_launch() reports.
__device__ inline std::int64_t grid_row() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
}
__device__ inline std::int64_t grid_pack() {
  return static_cast<std::int64_t>(blockIdx.y) * blockDim.x + threadIdx.x;
}

/// A matrix in a kernel: any row stride, contiguous rows.
template <class T>
struct Rows {
  T* data = nullptr;
  std::int64_t stride = 0;

  __device__ T* operator[](std::int64_t row) const { return data + row * stride; }
  __device__ explicit operator bool() const { return data != nullptr; }
};
/// The view of a tensor (rows, width) with elements of type T; null where it is absent.
template <class T>
Rows<device_t<T>> rows_of(const Tensor& matrix) {
  if (!matrix) return {};
  return {device_data<T>(matrix), matrix.stride(0)};
}
template <class T>
Rows<const device_t<T>> read_rows(const Tensor& matrix) {
  if (!matrix) return {};
  return {device_data<T>(matrix), matrix.stride(0)};
}

}  // namespace tessera::kernels::cuda
