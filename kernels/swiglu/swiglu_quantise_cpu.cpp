// SPDX-License-Identifier: MIT
// SwiGLU with quantisation on the CPU: rows are made in FP32 and written as kernels/quantise does.
#include <algorithm>
#include <vector>

#include "kernels/quantise/quantise_strip.h"
#include "kernels/swiglu/swiglu_contract.h"
#include "kernels/vector_math.h"

namespace tessera::kernels::cpu {

namespace {
/// The type sums are made in.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;

/// One half as the layout by rows of a matrix (R, C).
Quantised half_of(const QuantisedHalves& halves, std::int64_t which) {
  return {halves.values[which], halves.scales[which], {}, {}};
}

/// The weight of each row, or 1.
double weight_of(const Tensor& row_weights, std::int64_t row) {
  if (!row_weights) return 1;
  return row_weights.dtype() == DType::F64 ? row_weights.data<double>()[row]
                                           : double(row_weights.data<float>()[row]);
}

/// One row of a layout by rows, as floats.
void dequantise_row(const Quantised& from, std::int64_t row, std::int64_t cols, float* to) {
  const f8e4m3* values = row_of<f8e4m3>(from.values, row);
  for (std::int64_t tile = 0; tile < scale_tiles(cols); ++tile) {
    const float scale = row_of<float>(from.scales, tile)[row];
    const std::int64_t end = std::min(cols, (tile + 1) * kScaleTile);
    for (std::int64_t c = tile * kScaleTile; c < end; ++c) {
      to[c] = static_cast<float>(values[c]) * scale;
    }
  }
}
}  // namespace

void swiglu_quantise(Context&, const Tensor& gate_up, const Tensor& live_rows,
                     const Tensor& row_weights, const Tensor& y, const QuantisedHalves& kept,
                     const Quantised& out) {
  const char* where = "swiglu_quantise";
  contract::swiglu_quantise(where, gate_up, live_rows, row_weights, y, kept, out);
  const std::int64_t rows = gate_up.size(0), width = gate_up.size(1) / 2;
  with_element(where, "gate_up", gate_up, [&]<class T>(T) {
    const std::int64_t used = live(live_rows, rows);
    for (std::int64_t which = 0; kept.values && which < 2; ++which) {
      quantise_rows(used, width, half_of(kept, which), [&](std::int64_t row, float* to) {
        const T* from = row_of<T>(gate_up, row) + which * width;
        std::transform(from, from + width, to, to_float<T>);
      });
    }
    quantise_rows(used, width, out, [&](std::int64_t row, float* to) {
      const T *gate = row_of<T>(gate_up, row), *up = gate + width;
      const auto weight = static_cast<Wide<T>>(weight_of(row_weights, row));
#pragma omp simd
      for (std::int64_t c = 0; c < width; ++c) {
        to[c] = static_cast<float>(silu(static_cast<Wide<T>>(gate[c])) *
                                   static_cast<Wide<T>>(up[c]) * weight);
      }
      keep(y, row, to);
    });
  });
}

namespace {
/// Backward of SwiGLU over one row of floats; returns dy . swiglu.
template <class T>
T swiglu_backward_row(const T* dy, const float* gate, const float* up, T weight, std::int64_t width,
                      float* d_gate, float* d_up, float* y) {
  T dot = 0;
#pragma omp simd reduction(+ : dot)
  for (std::int64_t c = 0; c < width; ++c) {
    const T g = gate[c], u = up[c], s = sigmoid(g), activated = g * s, d = weight * dy[c];
    dot += dy[c] * (activated * u);
    y[c] = static_cast<float>(weight * (activated * u));
    d_gate[c] = static_cast<float>(d * u * (s * (T(1) + g * (T(1) - s))));
    d_up[c] = static_cast<float>(d * activated);
  }
  return dot;
}
}  // namespace

void swiglu_backward_quantise(Context&, const Tensor& dy, const QuantisedHalves& kept,
                              const Tensor& live_rows, const Tensor& row_weights,
                              const Quantised& d_gate_up, const Quantised& y,
                              const Tensor& d_row_weights) {
  const char* where = "swiglu_backward_quantise";
  contract::swiglu_backward_quantise(where, dy, kept, live_rows, row_weights, d_gate_up, y,
                                     d_row_weights);
  const std::int64_t rows = dy.size(0), width = dy.size(1);
  const std::int64_t used = live(live_rows, rows);
  const auto size = static_cast<std::size_t>(width);
  with_element(where, "dy", dy, [&]<class T>(T) {
    /// Calls with the row's dy, gate, up and weight; `pieces` receives d_gate, d_up, y.
    const auto run = [&](std::int64_t row, float* d_gate, float* d_up, float* of_y) {
      std::vector<Wide<T>> d(size);
      std::vector<float> gate(size), up(size);
      std::transform(row_of<T>(dy, row), row_of<T>(dy, row) + width, d.begin(),
                     [](T value) { return static_cast<Wide<T>>(value); });
      dequantise_row(half_of(kept, 0), row, width, gate.data());
      dequantise_row(half_of(kept, 1), row, width, up.data());
      return swiglu_backward_row(d.data(), gate.data(), up.data(),
                                 static_cast<Wide<T>>(weight_of(row_weights, row)), width, d_gate,
                                 d_up, of_y);
    };
    quantise_rows(used, 2 * width, d_gate_up, [&](std::int64_t row, float* to) {
      std::vector<float> of_y(size);
      const Wide<T> dot = run(row, to, to + width, of_y.data());
      if (!d_row_weights) return;
      with_float(where, "d_row_weights", d_row_weights,
                 [&]<class W>(W) { d_row_weights.data<W>()[row] = static_cast<W>(dot); });
    });
    quantise_rows(used, width, y, [&](std::int64_t row, float* to) {
      std::vector<float> d_gate(size), d_up(size);
      run(row, d_gate.data(), d_up.data(), to);
    });
  });
}

}  // namespace tessera::kernels::cpu
