// SPDX-License-Identifier: MIT
// What the operations of swiglu.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/quantise/quantise_contract.h"
#include "kernels/swiglu/swiglu.h"

namespace tessera::kernels::contract {

/// gate_up (rows, 2 width) beside a tensor (rows, width), the number of live rows and the rows'
/// weights; both may be absent.
inline void gate_and_up(const char* where, const Tensor& gate_up, const char* name,
                        const Tensor& half, const Tensor& live, const Tensor& row_weights) {
  expect_shape(where, name, half, {-1, -1});
  expect_shape(where, "gate_up", gate_up, {half.size(0), 2 * half.size(1)});
  live_rows(where, live);
  if (row_weights) expect_shape(where, "row_weights", row_weights, {half.size(0)});
}

/// The gradient of the rows' weights, which is there where they are.
inline void weight_gradients(const char* where, std::int64_t rows, const Tensor& row_weights,
                             const Tensor& d_row_weights) {
  require(bool(row_weights) == bool(d_row_weights), where,
          "row_weights and d_row_weights go together");
  if (d_row_weights) expect_shape(where, "d_row_weights", d_row_weights, {rows});
}

inline void swiglu_forward(const char* where, const Tensor& gate_up, const Tensor& live,
                           const Tensor& row_weights, const Tensor& y) {
  gate_and_up(where, gate_up, "y", y, live, row_weights);
}

inline void swiglu_backward(const char* where, const Tensor& dy, const Tensor& gate_up,
                            const Tensor& live, const Tensor& row_weights, const Tensor& d_gate_up,
                            const Tensor& y, const Tensor& d_row_weights) {
  gate_and_up(where, gate_up, "dy", dy, live, row_weights);
  gate_and_up(where, d_gate_up, "dy", dy, live, row_weights);
  weight_gradients(where, dy.size(0), row_weights, d_row_weights);
  if (y) expect_shape(where, "y", y, {dy.size(0), dy.size(1)});
}

inline void kept_halves(const char* where, const QuantisedHalves& kept, std::int64_t rows,
                        std::int64_t width) {
  expect_shape(where, "kept values", kept.values, {2, rows, width});
  expect_contiguous(where, "kept values", kept.values);
  expect_shape(where, "kept scales", kept.scales, {2, scale_tiles(width), -1});
  expect_contiguous(where, "kept scales", kept.scales);
  require(kept.scales.size(2) >= rows, where, "expected scales of {} rows, got {}", rows,
          kept.scales.describe());
}

inline void swiglu_quantise(const char* where, const Tensor& gate_up, const Tensor& live,
                            const Tensor& row_weights, const Tensor& y, const QuantisedHalves& kept,
                            const Quantised& out) {
  expect_shape(where, "gate_up", gate_up, {-1, -1});
  expect_contiguous(where, "gate_up", gate_up);
  require(gate_up.size(1) % 2 == 0, where, "expected gate and up, got {}", gate_up.describe());
  const std::int64_t rows = gate_up.size(0), width = gate_up.size(1) / 2;
  live_rows(where, live);
  if (row_weights) expect_shape(where, "row_weights", row_weights, {rows});
  if (y) expect_shape(where, "y", y, {rows, width});
  if (kept.values) kept_halves(where, kept, rows, width);
  layouts(where, out, rows, width);
}

inline void swiglu_backward_quantise(const char* where, const Tensor& dy,
                                     const QuantisedHalves& kept, const Tensor& live,
                                     const Tensor& row_weights, const Quantised& d_gate_up,
                                     const Quantised& y, const Tensor& d_row_weights) {
  expect_shape(where, "dy", dy, {-1, -1});
  expect_contiguous(where, "dy", dy);
  const std::int64_t rows = dy.size(0), width = dy.size(1);
  require(bool(kept.values), where, "kept values are absent");
  kept_halves(where, kept, rows, width);
  live_rows(where, live);
  if (row_weights) expect_shape(where, "row_weights", row_weights, {rows});
  weight_gradients(where, rows, row_weights, d_row_weights);
  layouts(where, d_gate_up, rows, 2 * width);
  layouts(where, y, rows, width);
}

}  // namespace tessera::kernels::contract
