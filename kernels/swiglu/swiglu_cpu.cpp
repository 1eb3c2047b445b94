// SPDX-License-Identifier: MIT
#include "kernels/swiglu/swiglu.h"

#include <algorithm>

#include "core/base/threads.h"
#include "kernels/quantise/quantise_strip.h"
#include "kernels/swiglu/swiglu_contract.h"
#include "kernels/vector_math.h"

namespace tessera::kernels::cpu {

namespace {
template <class T, class Y>
void forward_row(const T* gate, const T* up, T weight, std::int64_t width, Y* y) {
#pragma omp simd
  for (std::int64_t i = 0; i < width; ++i) store(y[i], weight * (silu(gate[i]) * up[i]));
}

/// d_gate and d_up may be gate and up: elements are read before they are written. Returns the
/// gradient of the weight.
template <bool write_y, class T, class D, class Y>
T backward_row(const T* dy, const T* gate, const T* up, T weight, std::int64_t width, D* d_gate,
               D* d_up, Y* y) {
  T dot = 0;
#pragma omp simd reduction(+ : dot)
  for (std::int64_t i = 0; i < width; ++i) {
    const T g = gate[i], u = up[i], d = weight * dy[i];
    const T s = sigmoid(g), activated = g * s;
    dot += dy[i] * (activated * u);
    store(d_gate[i], d * u * (s * (T(1) + g * (T(1) - s))));
    store(d_up[i], d * activated);
    if constexpr (write_y) store(y[i], weight * (activated * u));
  }
  return dot;
}

/// The weight of a row, in the type that gate_up has.
template <class T>
T weight_of(const Tensor& row_weights, std::int64_t row) {
  return row_weights ? row_weights.data<T>()[row] : T(1);
}

template <class T, class D, class Y>
void backward_rows(const Tensor& dy, const Tensor& gate_up, std::int64_t rows,
                   const Tensor& row_weights, const Tensor& d_gate_up, const Tensor& y,
                   const Tensor& d_row_weights) {
  const std::int64_t width = dy.size(1);
  parallel_for(rows, rows_per_piece(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T *in = row_of<T>(gate_up, row), *d = row_of<T>(dy, row);
      const T weight = weight_of<T>(row_weights, row);
      D* out = row_of<D>(d_gate_up, row);
      const T dot = y ? backward_row<true>(d, in, in + width, weight, width, out, out + width,
                                           row_of<Y>(y, row))
                      : backward_row<false, T, D, Y>(d, in, in + width, weight, width, out,
                                                     out + width, nullptr);
      if (d_row_weights) d_row_weights.data<T>()[row] = dot;
    }
  });
}
}  // namespace

void swiglu_forward(Context&, const Tensor& gate_up, const Tensor& live_rows,
                    const Tensor& row_weights, const Tensor& y) {
  const char* where = "swiglu_forward";
  contract::swiglu_forward(where, gate_up, live_rows, row_weights, y);
  const std::int64_t width = y.size(1), rows = live(live_rows, y.size(0));
  with_float(where, "gate_up", gate_up, [&]<class T>(T) {
    with_output_of<T>(where, "y", y, [&]<class Y>(Y) {
      parallel_for(rows, rows_per_piece(width), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          const T* in = row_of<T>(gate_up, row);
          forward_row(in, in + width, weight_of<T>(row_weights, row), width, row_of<Y>(y, row));
        }
      });
    });
  });
}

void swiglu_backward(Context&, const Tensor& dy, const Tensor& gate_up, const Tensor& live_rows,
                     const Tensor& row_weights, const Tensor& d_gate_up, const Tensor& y,
                     const Tensor& d_row_weights) {
  const char* where = "swiglu_backward";
  contract::swiglu_backward(where, dy, gate_up, live_rows, row_weights, d_gate_up, y,
                            d_row_weights);
  const std::int64_t rows = live(live_rows, dy.size(0));
  with_float(where, "dy", dy, [&]<class T>(T) {
    with_output_of<T>(where, "d_gate_up", d_gate_up, [&]<class D>(D) {
      const auto run = [&]<class Y>(Y) {
        backward_rows<T, D, Y>(dy, gate_up, rows, row_weights, d_gate_up, y, d_row_weights);
      };
      if (!y) return run(T{});
      with_output_of<T>(where, "y", y, run);
    });
  });
}

}  // namespace tessera::kernels::cpu
