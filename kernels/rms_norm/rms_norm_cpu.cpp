// SPDX-License-Identifier: MIT
#include "kernels/rms_norm/rms_norm.h"

#include <algorithm>
#include <memory>

#include "core/base/threads.h"
#include "kernels/rms_norm/rms_norm_contract.h"
#include "kernels/vector_sum.h"

namespace tessera::kernels::cpu {

namespace {
constexpr std::int64_t kMostChunks = 64, kLeastRowsPerChunk = 16;

template <class T, class Y>
void forward_row(const T* x, const T* weight, std::int64_t d, float eps, Y* y, T* rstd) {
  const T sum = vector_sum<T>(d, [x](std::int64_t i) { return x[i] * x[i]; });
  const T r = T(1) / std::sqrt(sum / static_cast<T>(d) + static_cast<T>(eps));
  *rstd = r;
#pragma omp simd
  for (std::int64_t i = 0; i < d; ++i) store(y[i], x[i] * r * weight[i]);
}

/// With n = x rstd: dx = rstd (dy w - n mean(dy w n)); d_weight = dy n.
template <bool accumulate, class T>
void backward_row(const T* dy, const T* x, const T* weight, T rstd, std::int64_t d, T* dx,
                  T* d_weight) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < d; ++i) sum += dy[i] * weight[i] * x[i];
  const T mean = sum * rstd / static_cast<T>(d);
#pragma omp simd
  for (std::int64_t i = 0; i < d; ++i) {
    const T n = x[i] * rstd, g = dy[i];  // dx may be dy
    d_weight[i] += g * n;
    const T value = rstd * (g * weight[i] - n * mean);
    dx[i] = accumulate ? dx[i] + value : value;
  }
}
}  // namespace

void rms_norm_forward(Context&, const Tensor& x, const Tensor& weight, float eps, const Tensor& y,
                      const Tensor& rstd) {
  const char* where = "rms_norm_forward";
  contract::rms_norm_forward(where, x, weight, y, rstd);
  const std::int64_t rows = x.size(0), d = x.size(1);
  with_float(where, "x", x, [&]<class T>(T) {
    const T* w = weight.data<T>();
    T* r = rstd.data<T>();
    with_output_of<T>(where, "y", y, [&]<class Y>(Y) {
      parallel_for(rows, rows_per_piece(d), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          forward_row(row_of<T>(x, row), w, d, eps, row_of<Y>(y, row), r + row);
        }
      });
    });
  });
}

void rms_norm_backward(Context&, const Tensor& dy, const Tensor& x, const Tensor& weight,
                       const Tensor& rstd, bool accumulate, const Tensor& dx,
                       const Tensor& d_weight) {
  const char* where = "rms_norm_backward";
  contract::rms_norm_backward(where, dy, x, weight, rstd, dx, d_weight);
  const std::int64_t rows = dy.size(0), d = dy.size(1);
  if (rows == 0) return;
  // Chunks depend on the number of rows alone, so d_weight does not depend on that of threads.
  const std::int64_t per_chunk =
      std::max(kLeastRowsPerChunk, (rows + kMostChunks - 1) / kMostChunks);
  const std::int64_t chunks = (rows + per_chunk - 1) / per_chunk;
  with_float(where, "dy", dy, [&]<class T>(T) {
    const T *w = weight.data<T>(), *r = rstd.data<T>();
    T* dw = d_weight.data<T>();
    const std::unique_ptr<T[]> partial(new T[static_cast<std::size_t>(chunks * d)]);
    const std::int64_t grain = std::max<std::int64_t>(1, rows_per_piece(d) / per_chunk);
    parallel_for(chunks, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t chunk = begin; chunk < end; ++chunk) {
        T* sums = partial.get() + chunk * d;
        std::fill_n(sums, d, T(0));
        const std::int64_t last = std::min(rows, (chunk + 1) * per_chunk);
        for (std::int64_t row = chunk * per_chunk; row < last; ++row) {
          const auto call = accumulate ? backward_row<true, T> : backward_row<false, T>;
          call(row_of<T>(dy, row), row_of<T>(x, row), w, r[row], d, row_of<T>(dx, row), sums);
        }
      }
    });
    parallel_for(d, kElementsPerPiece / chunks, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t chunk = 0; chunk < chunks; ++chunk) {
        const T* sums = partial.get() + chunk * d;
#pragma omp simd
        for (std::int64_t i = begin; i < end; ++i) dw[i] += sums[i];
      }
    });
  });
}

}  // namespace tessera::kernels::cpu
