// SPDX-License-Identifier: MIT
// RMSNorm with quantisation on the CPU: rows are made in FP32 and written as kernels/quantise does.
#include <cmath>

#include "kernels/convert/convert.h"
#include "kernels/quantise/quantise_strip.h"
#include "kernels/rms_norm/rms_norm_contract.h"

namespace tessera::kernels::cpu {

void rms_norm_quantise(Context& context, const Tensor& x, const Tensor& weight, float eps,
                       const Tensor& y, const Tensor& copy, const Tensor& rstd,
                       const Quantised& out) {
  contract::rms_norm_quantise("rms_norm_quantise", x, weight, y, copy, rstd, out);
  if (copy) convert(context, x, copy);
  const std::int64_t rows = x.size(0), cols = x.size(1);
  with_float("rms_norm_quantise", "x", x, [&]<class T>(T) {
    parallel_for(rows, rows_per_piece(cols), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const T* from = row_of<T>(x, row);
        T sum = 0;
#pragma omp simd reduction(+ : sum)
        for (std::int64_t c = 0; c < cols; ++c) sum += from[c] * from[c];
        rstd.data<T>()[row] = T(1) / std::sqrt(sum / static_cast<T>(cols) + static_cast<T>(eps));
      }
    });
  });
  rms_norm_requantise(context, x, weight, rstd, y, out);
}

void rms_norm_requantise(Context&, const Tensor& x, const Tensor& weight, const Tensor& rstd,
                         const Tensor& y, const Quantised& out) {
  contract::rms_norm_quantise("rms_norm_requantise", x, weight, y, {}, rstd, out);
  const std::int64_t rows = x.size(0), cols = x.size(1);
  with_float("rms_norm_requantise", "x", x, [&]<class T>(T) {
    const T* w = weight.data<T>();
    quantise_rows(rows, cols, out, [&](std::int64_t row, float* to) {
      const T* from = row_of<T>(x, row);
      const T r = rstd.data<T>()[row];
      for (std::int64_t c = 0; c < cols; ++c) to[c] = static_cast<float>(from[c] * r * w[c]);
      keep(y, row, to);
    });
  });
}

}  // namespace tessera::kernels::cpu
