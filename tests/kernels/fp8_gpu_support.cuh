// SPDX-License-Identifier: MIT
//
// For the check-and-bench program of the FP8 kernels: device memory, random data, references in
// FP64, timing with events.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp8.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "core/base/dtype.h"
#include "core/base/error.h"

namespace fp8_gpu {

inline void check(cudaError_t status, const char* what) {
  if (status != cudaSuccess) throw tessera::Error(what, cudaGetErrorString(status));
}

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count) : count_(count) {
    check(cudaMalloc(&data_, std::max<size_t>(count, 1) * sizeof(T)), "cudaMalloc");
  }
  explicit DeviceArray(const std::vector<T>& from) : DeviceArray(from.size()) {
    check(cudaMemcpy(data_, from.data(), bytes(), cudaMemcpyHostToDevice), "copy to device");
  }
  DeviceArray(DeviceArray&& other) noexcept : data_(other.data_), count_(other.count_) {
    other.data_ = nullptr;
  }
  DeviceArray(const DeviceArray&) = delete;
  ~DeviceArray() { cudaFree(data_); }
  T* data() const { return data_; }
  size_t count() const { return count_; }
  size_t bytes() const { return count_ * sizeof(T); }
  // All bits set: NaN in every type used here.
  void poison() { check(cudaMemset(data_, 0xff, bytes()), "poison"); }
  std::vector<T> host() const {
    std::vector<T> to(count_);
    check(cudaMemcpy(to.data(), data_, bytes(), cudaMemcpyDeviceToHost), "copy to host");
    return to;
  }

 private:
  T* data_ = nullptr;
  size_t count_ = 0;
};

// ---- random data
// ---------------------------------------------------------------------------------

__host__ __device__ inline uint32_t mix(uint64_t i, uint32_t seed) {
  uint64_t z = (i + 1) * 0x9E3779B97F4A7C15ull + (static_cast<uint64_t>(seed) << 32);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return static_cast<uint32_t>((z ^ (z >> 31)) >> 16);
}

// Normal numbers; one row of 128 in 16 is a hundred times larger, so that scales differ.
template <class T>
__global__ void fill_normal(T* to, int64_t count, uint32_t seed, float factor) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x; i < count;
       i += stride) {
    const float u = (mix(2 * i, seed) + 0.5f) * 0x1p-32f, v = mix(2 * i + 1, seed) * 0x1p-32f;
    const float large = (i / 128) % 16 == seed % 16 ? 100.0f : 1.0f;
    to[i] = static_cast<T>(factor * large * sqrtf(-2.0f * logf(u)) * cosf(6.2831853f * v));
  }
}
template <class T>
void fill(const DeviceArray<T>& to, uint32_t seed, float factor = 1.0f) {
  fill_normal<<<1024, 256>>>(to.data(), static_cast<int64_t>(to.count()), seed, factor);
  check(cudaGetLastError(), "fill_normal");
}

// ---- references
// ----------------------------------------------------------------------------------

// E4M3 values with K contiguous; the scale of tile t (128 values of K) of a row lies at
// scales[first scale of the row + t * tile_stride].
struct Operand {
  const uint8_t* values;
  int64_t stride;
  const float* scales;
  int64_t tile_stride;
  __device__ double at(int64_t row, int64_t scale, int64_t k) const {
    __nv_fp8_e4m3 v;
    v.__x = values[row * stride + k];
    return static_cast<double>(static_cast<float>(v)) *
           static_cast<double>(scales[scale + k / 128 * tile_stride]);
  }
};

// One element of a product: rows of both operands, their first scales, the range of K.
struct Dot {
  int64_t a_row, a_scale, b_row, b_scale, first, last;
};

// One warp per element: the sum of products, and of their magnitudes.
__global__ void dot_reference(const Dot* dots, int64_t count, Operand a, Operand b, double2* out) {
  const int64_t i = (blockIdx.x * static_cast<int64_t>(blockDim.x) + threadIdx.x) / 32;
  if (i >= count) return;
  const Dot d = dots[i];
  double sum = 0, size = 0;
  for (int64_t k = d.first + threadIdx.x % 32; k < d.last; k += 32) {
    const double product = a.at(d.a_row, d.a_scale, k) * b.at(d.b_row, d.b_scale, k);
    sum += product;
    size += fabs(product);
  }
  for (int step = 16; step > 0; step /= 2) {
    sum += __shfl_xor_sync(0xffffffff, sum, step);
    size += __shfl_xor_sync(0xffffffff, size, step);
  }
  if (threadIdx.x % 32 == 0) out[i] = make_double2(sum, size);
}
inline std::vector<double2> dots(const std::vector<Dot>& list, const Operand& a, const Operand& b) {
  const DeviceArray<Dot> on_device(list);
  const DeviceArray<double2> out(list.size());
  const auto count = static_cast<int64_t>(list.size());
  if (count > 0) {
    dot_reference<<<static_cast<unsigned>((count + 7) / 8), 256>>>(on_device.data(), count, a, b,
                                                                   out.data());
  }
  check(cudaGetLastError(), "dot_reference");
  return out.host();
}

// ---- timing
// --------------------------------------------------------------------------------------

// Median milliseconds of `repeats` launches run(i), i counting so that inputs can rotate.
inline double median_ms(const std::function<void(int)>& run, int repeats = 21) {
  cudaEvent_t from, to;
  check(cudaEventCreate(&from), "event");
  check(cudaEventCreate(&to), "event");
  for (int i = 0; i < 4; ++i) run(i);
  std::vector<float> times;
  for (int i = 0; i < repeats; ++i) {
    check(cudaEventRecord(from), "event");
    run(i);
    check(cudaEventRecord(to), "event");
    check(cudaEventSynchronize(to), "timed launch");
    float ms = 0;
    check(cudaEventElapsedTime(&ms, from, to), "event");
    times.push_back(ms);
  }
  std::sort(times.begin(), times.end());
  check(cudaEventDestroy(from), "event");
  check(cudaEventDestroy(to), "event");
  return times[times.size() / 2];
}

// NOTE: products in FP8 run into the power limit of the chip within milliseconds, so what ran
// before decides the clock: the same kernel differs by 15 %. Hence two numbers, the same way for
// everyone.
struct PowerStates {
  double after_pause_ms;  // median of the first 21 launches after half a second of nothing
  double sustained_ms;    // median of 21 after half a second of launches
};
inline PowerStates time_power_states(const std::function<void(int)>& run) {
  check(cudaDeviceSynchronize(), "pause");
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  PowerStates out{};
  out.after_pause_ms = median_ms(run);
  out.sustained_ms = median_ms(run, static_cast<int>(500 / out.after_pause_ms));
  out.sustained_ms = median_ms(run);
  return out;
}

}  // namespace fp8_gpu
