// SPDX-License-Identifier: MIT
// Products of few rows on the GPU. A block holds up to eight rows, normed where they are to be, and
// each of its warps makes one or two columns at a time: every weight is read once, straight into
// registers, and asked for before the kernel that makes the rows has ended.
#include "kernels/few_rows/few_rows.h"

#include <algorithm>

#include "kernels/few_rows/few_rows.cuh"
#include "kernels/few_rows/few_rows_contract.h"

namespace tessera::kernels::cuda {

namespace few_rows {
namespace {
constexpr std::size_t kMostShared = 160 * 1024;
constexpr int kBlocksPerProcessor = 8;

struct Output {
  const void* w;
  void* y;
  std::int64_t w_row, y_row, w_batch, y_batch;
  int columns;
  bool narrow, add;
};

struct ProductTask {
  const void* x;
  std::int64_t x_row, x_batch;
  const float* norm;
  float epsilon;
  __nv_bfloat16* normed;
  std::int64_t normed_row;
  int rows, k;
  Output outputs[2];
};

/// Rows of x as BF16 in shared memory, normed where there is a norm; rows past `live` are zero.
template <int M, bool NORM, class X>
__device__ inline void load_rows(const ProductTask& p, int first, int live, std::int64_t batch,
                                 __nv_bfloat16* rows) {
  constexpr int N = 4;
  __shared__ float shares[kWarps][M];
  const int thread = static_cast<int>(threadIdx.x);
  const X* x = static_cast<const X*>(p.x) + batch * p.x_batch + first * p.x_row;
  float scale[M];
#pragma unroll
  for (int m = 0; m < M; ++m) scale[m] = 0;
  if constexpr (NORM) {
#pragma unroll
    for (int m = 0; m < M; ++m) {
      if (m >= live) continue;
      for (int at = thread * N; at < p.k; at += kThreads * N) {
        float v[N];
        load<N>(x + m * p.x_row + at, v);
#pragma unroll
        for (int i = 0; i < N; ++i) scale[m] = fmaf(v[i], v[i], scale[m]);
      }
    }
#pragma unroll
    for (int m = 0; m < M; ++m) {
      scale[m] = warp_sum(scale[m]);
      if (thread % kWarp == 0) shares[thread / kWarp][m] = scale[m];
    }
    __syncthreads();
#pragma unroll
    for (int m = 0; m < M; ++m) {
      float sum = 0;
#pragma unroll
      for (int warp = 0; warp < kWarps; ++warp) sum += shares[warp][m];
      scale[m] = 1.0f / sqrtf(sum / static_cast<float>(p.k) + p.epsilon);
    }
  }
#pragma unroll
  for (int m = 0; m < M; ++m) {
    for (int at = thread * N; at < p.k; at += kThreads * N) {
      float v[N] = {};
      if (m < live) load<N>(x + m * p.x_row + at, v);
      if constexpr (NORM) {
#pragma unroll
        for (int i = 0; i < N; ++i) v[i] = v[i] * scale[m] * p.norm[at + i];
      }
      save<N>(rows + m * p.k + at, v);
      if (NORM && p.normed && blockIdx.x == 0 && m < live) {
        save<N>(p.normed + (first + m) * p.normed_row + at, v);
      }
    }
  }
  __syncthreads();
}

template <class W>
__device__ inline const W* row_of_weights(const Output& out, int column, std::int64_t batch) {
  return static_cast<const W*>(out.w) + batch * out.w_batch + column * out.w_row;
}

__device__ inline void write_column(const Output& out, std::int64_t batch, int row, int column,
                                    float value) {
  const std::int64_t at = batch * out.y_batch + row * out.y_row + column;
  if (out.narrow) {
    auto* y = static_cast<__nv_bfloat16*>(out.y) + at;
    store(*y, out.add ? to_float(*y) + value : value);
  } else {
    auto* y = static_cast<float*>(out.y) + at;
    *y = out.add ? *y + value : value;
  }
}

template <int M, int C, bool NORM, class X, class W>
__global__ void __launch_bounds__(kThreads) rows_kernel(const __grid_constant__ ProductTask p) {
  extern __shared__ __align__(16) unsigned char memory[];
  auto* rows = reinterpret_cast<__nv_bfloat16*>(memory);
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const int total = p.outputs[0].columns + p.outputs[1].columns;
  const int first = blockIdx.y * M, live = min(M, p.rows - first);
  const std::int64_t batch = blockIdx.z;
  const int step = gridDim.x * kWarps * C;
  int column = (blockIdx.x * kWarps + warp) * C;
  const W* w[C];
  int at[C], of[C];
  const auto find = [&] {
#pragma unroll
    for (int j = 0; j < C; ++j) {
      const int wanted = min(column + j, total - 1);
      of[j] = wanted < p.outputs[0].columns ? 0 : 1;
      at[j] = wanted - (of[j] ? p.outputs[0].columns : 0);
      w[j] = row_of_weights<W>(p.outputs[of[j]], at[j], batch);
    }
  };
  ptx::launch_dependents();
  if (column < total) {
    find();
#pragma unroll
    for (int j = 0; j < C; ++j) prefetch_row(w[j], p.k, lane);
  }
  ptx::wait_for_grid_before();
  load_rows<M, NORM, X>(p, first, live, batch, rows);
  for (; column < total; column += step) {
    find();
    float sums[C][M] = {};
    add_products<M, C>(sums, w, rows, p.k, lane);
#pragma unroll
    for (int j = 0; j < C; ++j) {
#pragma unroll
      for (int m = 0; m < M; ++m) {
        const float sum = warp_sum(sums[j][m]);
        if (lane == m && m < live && column + j < total) {
          write_column(p.outputs[of[j]], batch, first + m, at[j], sum);
        }
      }
    }
  }
}

template <int M, int C, bool NORM, class X, class W>
void launch_rows(Context& context, const char* where, const ProductTask& p, int count) {
  const int total = p.outputs[0].columns + p.outputs[1].columns;
  const auto most = std::int64_t{tessera::cuda::multiprocessors()} * kBlocksPerProcessor;
  const dim3 grid(blocks_for(total, kWarps * C, most), blocks_for(p.rows, M),
                  static_cast<unsigned>(count));
  const std::size_t shared = std::size_t{M} * static_cast<std::size_t>(p.k) * 2;
  launch(context, where, rows_kernel<M, C, NORM, X, W>, grid, shared, p);
}

/// Rows of a block: as many as there are, as far as shared memory holds them.
int rows_of_block(const ProductTask& p) {
  int m = 1;
  while (m < p.rows && m < kFewRows) m *= 2;
  while (m > 1 && std::size_t(m) * std::size_t(p.k) * 2 > kMostShared) m /= 2;
  return m;
}

template <bool NORM, class X, class W>
void launch_products(Context& context, const char* where, const ProductTask& p, int count) {
  // Two columns a warp where one each would be more blocks than fit at a time.
  const std::int64_t blocks =
      std::int64_t{blocks_for(p.outputs[0].columns + p.outputs[1].columns, kWarps)} * count;
  const bool two = blocks > 4 * tessera::cuda::multiprocessors();
  const auto with = [&]<int M>(std::integral_constant<int, M>) {
    two ? launch_rows<M, 2, NORM, X, W>(context, where, p, count)
        : launch_rows<M, 1, NORM, X, W>(context, where, p, count);
  };
  switch (rows_of_block(p)) {
    case 1:
      return with(std::integral_constant<int, 1>{});
    case 2:
      return with(std::integral_constant<int, 2>{});
    case 4:
      return with(std::integral_constant<int, 4>{});
    default:
      return with(std::integral_constant<int, 8>{});
  }
}

Output output_of(const char* where, const RowsProduct& product) {
  Output out{};
  if (!product.w) return out;
  require(product.y.dtype() == DType::BF16 || product.y.dtype() == DType::F32, where,
          "expected y of type F32 or BF16, got {}", product.y.describe());
  const bool many = product.w.rank() == 3;
  out.w = product.w.raw();
  out.y = product.y.raw();
  out.w_row = product.w.stride(-2);
  out.y_row = product.y.stride(-2);
  out.w_batch = many ? product.w.stride(0) : 0;
  out.y_batch = many ? product.y.stride(0) : 0;
  out.columns = static_cast<int>(product.w.size(-2));
  out.narrow = product.y.dtype() == DType::BF16;
  out.add = product.add;
  return out;
}

}  // namespace
}  // namespace few_rows

void rows_products(Context& context, const Tensor& x, const Tensor& norm, float epsilon,
                   const Tensor& normed, const RowsProduct& first, const RowsProduct& second) {
  const char* where = "rows_products";
  contract::rows_products(where, x, norm, normed, first, second);
  require(norm || x.dtype() == DType::BF16, where,
          "rows without a norm are BF16 on the GPU, got {}", x.describe());
  require(allows_packs(8, {&x, &normed}) && allows_packs(8, {&first.w, &second.w}), where,
          "the GPU takes rows of a multiple of 8 elements at addresses that are multiples of 16");
  if (normed) expect_dtype(where, "normed", normed, DType::BF16);
  if (second.w) expect_dtype(where, "the second w", second.w, first.w.dtype());
  const std::int64_t count = x.rank() == 3 ? x.size(0) : 1;
  few_rows::ProductTask p{};
  p.x = x.raw();
  p.x_row = x.stride(-2);
  p.x_batch = x.rank() == 3 ? x.stride(0) : 0;
  p.norm = norm ? norm.data<float>() : nullptr;
  p.epsilon = epsilon;
  p.normed = normed ? device_data<bf16>(normed) : nullptr;
  p.normed_row = normed ? normed.stride(0) : 0;
  p.rows = static_cast<int>(x.size(-2));
  p.k = static_cast<int>(x.size(-1));
  p.outputs[0] = few_rows::output_of(where, first);
  p.outputs[1] = few_rows::output_of(where, second);
  if (p.rows == 0 || count == 0 || p.outputs[0].columns + p.outputs[1].columns == 0) return;
  with_real(where, "x", x, [&]<class X>(X) {
    with_real(where, "w", first.w, [&]<class W>(W) {
      using few_rows::launch_products;
      const int products = static_cast<int>(count);
      if (norm) {
        launch_products<true, device_t<X>, device_t<W>>(context, where, p, products);
      } else if constexpr (std::is_same_v<X, bf16>) {
        launch_products<false, device_t<X>, device_t<W>>(context, where, p, products);
      }
    });
  });
}
TESSERA_CUDA_OPERATION(rows_products)

}  // namespace tessera::kernels::cuda
