// SPDX-License-Identifier: MIT
// Copies between types and layouts, sums and fills on the GPU.
#include "kernels/convert/convert.h"

#include <cstring>

#include "kernels/convert/convert_contract.h"
#include "kernels/cuda/pack.cuh"

namespace tessera::kernels::cuda {

namespace {
template <class To, class From>
__device__ inline To cast(From value) {
  if constexpr (std::is_same_v<To, __nv_bfloat16>) {
    return __float2bfloat16_rn(static_cast<float>(value));
  } else if constexpr (std::is_same_v<From, __nv_bfloat16>) {
    return static_cast<To>(__bfloat162float(value));
  } else {
    return static_cast<To>(value);
  }
}

struct Copy {
  static constexpr bool kReadsResult = false;
  template <class X, class Y>
  __device__ static Y apply(X x, Y) {
    return cast<Y>(x);
  }
};
struct Sum {
  static constexpr bool kReadsResult = true;
  __device__ static float apply(float x, float y) { return x + y; }
  __device__ static double apply(double x, double y) { return x + y; }
  __device__ static __nv_bfloat16 apply(__nv_bfloat16 x, __nv_bfloat16 y) {
    return __float2bfloat16_rn(__bfloat162float(x) + __bfloat162float(y));
  }
};

template <class Operation, int N, class X, class Y>
__device__ inline void apply_pack(const X* x, Y* y) {
  const Pack<X, N> in = load_pack<N>(x);
  Pack<Y, N> out;
  if constexpr (Operation::kReadsResult) out = load_pack<N>(y);
#pragma unroll
  for (int i = 0; i < N; ++i) out.values[i] = Operation::apply(in.values[i], out.values[i]);
  store_pack<N>(y, out);
}

/// Contiguous elements: `packs` packs, and then the rest up to `count` one by one.
template <class Operation, int N, class X, class Y>
__global__ void __launch_bounds__(256)
    flat_kernel(const X* x, std::int64_t packs, std::int64_t count, Y* y) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < packs) apply_pack<Operation, N>(x + i * N, y + i * N);
  const std::int64_t rest = packs * N + i;
  if (N > 1 && rest < count) apply_pack<Operation, 1>(x + rest, y + rest);
}

/// A tensor of rank 3, row `at` of dimensions 0 and 1 together.
template <class T>
struct Planes {
  T* data;
  std::int64_t inner, plane_stride, row_stride;

  __device__ T* operator[](std::int64_t at) const {
    return data + at / inner * plane_stride + at % inner * row_stride;
  }
};
template <class T>
Planes<device_t<T>> planes_of(const Tensor& t) {
  return {device_data<T>(t), t.rank() > 1 ? t.size(-2) : 1, t.rank() > 2 ? t.stride(-3) : 0,
          t.rank() > 1 ? t.stride(-2) : 0};
}

template <class Operation, int N, class X, class Y>
__global__ void __launch_bounds__(256)
    rows_kernel(Planes<const X> x, std::int64_t rows, std::int64_t packs, Planes<Y> y) {
  const std::int64_t row = grid_row(), pack = grid_pack();
  if (row < rows && pack < packs) apply_pack<Operation, N>(x[row] + pack * N, y[row] + pack * N);
}

bool is_aligned(const Tensor& t, int elements) {
  const std::size_t bytes = static_cast<std::size_t>(elements) * size_of(t.dtype());
  return reinterpret_cast<std::uintptr_t>(t.raw()) % bytes == 0;
}

template <class Operation, class X, class Y>
void run(Context& context, const char* where, const Tensor& x, const Tensor& y) {
  contract::same_shape(where, x, y);
  const std::int64_t count = x.numel();
  if (count == 0) return;
  constexpr int kMost = kPack<X, Y>;
  const cudaStream_t stream = stream_of(context);
  if (x.is_contiguous() && y.is_contiguous()) {
    const auto launch = [&](auto n) {
      constexpr int N = decltype(n)::value;
      const std::int64_t packs = count / N;
      // Threads for the last elements are there even when there is no whole pack.
      const unsigned blocks = blocks_for(std::max<std::int64_t>(packs, count % N), 256);
      flat_kernel<Operation, N><<<blocks, 256, 0, stream>>>(
          static_cast<const device_t<X>*>(device_data<X>(x)), packs, count, device_data<Y>(y));
    };
    if (is_aligned(x, kMost) && is_aligned(y, kMost)) {
      launch(PackSize<kMost>{});
    } else {
      launch(PackSize<1>{});
    }
    return check_launch(where);
  }
  with_packs<kMost>({&x, &y}, [&](auto n) {
    constexpr int N = decltype(n)::value;
    const std::int64_t rows = count / x.size(-1), packs = x.size(-1) / N;
    const RowGrid grid(rows, packs);
    const auto from = planes_of<X>(x);
    rows_kernel<Operation, N><<<grid.grid, grid.block, 0, stream>>>(
        Planes<const device_t<X>>{from.data, from.inner, from.plane_stride, from.row_stride}, rows,
        packs, planes_of<Y>(y));
  });
  check_launch(where);
}

constexpr int kFills = 8;  // 16 bytes each per thread: stores in flight hide how long they take

__global__ void __launch_bounds__(256)
    fill_kernel(std::uint8_t* to, std::int64_t bytes, int element, uint4 pattern) {
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * blockDim.x * kFills;
#pragma unroll
  for (int i = 0; i < kFills; ++i) {
    const std::int64_t at = 16 * (first + i * static_cast<std::int64_t>(blockDim.x) + threadIdx.x);
    if (at + 16 <= bytes) {
      *reinterpret_cast<uint4*>(to + at) = pattern;
    } else {
      // What follows the last whole 16 bytes, by elements.
      const auto* source = reinterpret_cast<const std::uint8_t*>(&pattern);
      for (std::int64_t b = at; b < bytes; ++b) to[b] = source[(b - at) % element];
    }
  }
}

/// `value` as elements of the type of y, repeated over 16 bytes.
template <class T>
uint4 pattern_of(double value) {
  T typed;
  if constexpr (std::is_arithmetic_v<T>) {
    typed = static_cast<T>(value);
  } else {
    typed = T(static_cast<float>(value));
  }
  uint4 pattern{};
  for (std::size_t at = 0; at < sizeof pattern; at += sizeof typed) {
    std::memcpy(reinterpret_cast<std::byte*>(&pattern) + at, &typed, sizeof typed);
  }
  return pattern;
}

uint4 pattern_for(double value, const Tensor& y) {
  switch (y.dtype()) {
    case DType::F64:
      return pattern_of<double>(value);
    case DType::F32:
      return pattern_of<float>(value);
    case DType::BF16:
      return pattern_of<bf16>(value);
    case DType::F8E4M3:
      return pattern_of<f8e4m3>(value);
    case DType::I64:
      return pattern_of<std::int64_t>(value);
    case DType::I32:
      return pattern_of<std::int32_t>(value);
    case DType::I16:
      return pattern_of<std::int16_t>(value);
    case DType::I8:
      return pattern_of<std::int8_t>(value);
    case DType::U8:
      return pattern_of<std::uint8_t>(value);
    default:
      throw Error("fill", fmt::format("cannot fill {}", y.describe()));
  }
}
}  // namespace

void convert(Context& context, const Tensor& x, const Tensor& y) {
  const auto pair = [&](DType from, DType to) { return x.dtype() == from && y.dtype() == to; };
  const char* where = "convert";
  if (pair(DType::F32, DType::F32)) return run<Copy, float, float>(context, where, x, y);
  if (pair(DType::F32, DType::BF16)) return run<Copy, float, bf16>(context, where, x, y);
  if (pair(DType::F32, DType::F64)) return run<Copy, float, double>(context, where, x, y);
  if (pair(DType::BF16, DType::F32)) return run<Copy, bf16, float>(context, where, x, y);
  if (pair(DType::BF16, DType::BF16)) return run<Copy, bf16, bf16>(context, where, x, y);
  if (pair(DType::F64, DType::F64)) return run<Copy, double, double>(context, where, x, y);
  if (pair(DType::F64, DType::F32)) return run<Copy, double, float>(context, where, x, y);
  throw Error(where, fmt::format("cannot convert {} to {}", x.describe(), y.describe()));
}
TESSERA_CUDA_OPERATION(convert)

void add(Context& context, const Tensor& x, const Tensor& y) {
  expect_dtype("add", "y", y, x.dtype());
  if (x.dtype() == DType::F64) return run<Sum, double, double>(context, "add", x, y);
  with_real("add", "x", x, [&]<class T>(T) { run<Sum, T, T>(context, "add", x, y); });
}
TESSERA_CUDA_OPERATION(add)

void fill(Context& context, double value, const Tensor& y) {
  expect_contiguous("fill", "y", y);
  const uint4 pattern = pattern_for(value, y);
  if (y.numel() == 0) return;
  auto* first = static_cast<std::uint8_t*>(y.raw());
  const auto bytes = static_cast<std::int64_t>(y.bytes());
  const auto element = static_cast<int>(size_of(y.dtype()));
  // Elements before the first multiple of 16 bytes, in a launch of their own.
  const auto misaligned = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(first) % 16);
  const std::int64_t head = misaligned == 0 ? 0 : std::min<std::int64_t>(bytes, 16 - misaligned);
  if (head > 0) {
    fill_kernel<<<1, 1, 0, stream_of(context)>>>(first, head, element, pattern);
    check_launch("fill");
  }
  if (bytes == head) return;
  fill_kernel<<<blocks_for((bytes - head + 15) / 16, 256 * kFills), 256, 0, stream_of(context)>>>(
      first + head, bytes - head, element, pattern);
  check_launch("fill");
}
TESSERA_CUDA_OPERATION(fill)

namespace {
/// Which of the three parts each of the six terms is.
struct Order {
  int part[6];
};

__global__ void __launch_bounds__(256)
    split_kernel(const float* x, std::int64_t rows, std::int64_t cols, const Order order,
                 __nv_bfloat16* y, std::int64_t term_stride, std::int64_t row_stride) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= rows * cols) return;
  float rest = x[i];
  __nv_bfloat16 parts[3];
#pragma unroll
  for (__nv_bfloat16& part : parts) {
    part = __float2bfloat16_rn(rest);
    rest -= __bfloat162float(part);
  }
  __nv_bfloat16* to = y + i / cols * row_stride + i % cols;
#pragma unroll
  for (int j = 0; j < 6; ++j) {
    const int part = order.part[j];
    to[j * term_stride] = part == 0 ? parts[0] : part == 1 ? parts[1] : parts[2];
  }
}
}  // namespace

void split_terms(Context& context, const Tensor& x, Terms terms, const Tensor& y) {
  const char* where = "split_terms";
  contract::split_terms(where, x, y);
  const std::int64_t rows = x.size(0), cols = x.size(1);
  if (x.numel() == 0) return;
  Order order{};
  for (int j = 0; j < 6; ++j) order.part[j] = part_of_term(terms, j);
  split_kernel<<<blocks_for(x.numel(), 256), 256, 0, stream_of(context)>>>(
      x.data<float>(), rows, cols, order, device_data<bf16>(y), y.stride(0), y.stride(1));
  check_launch(where);
}
TESSERA_CUDA_OPERATION(split_terms)

}  // namespace tessera::kernels::cuda
