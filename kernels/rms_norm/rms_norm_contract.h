// SPDX-License-Identifier: MIT
// What the operations of rms_norm.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/quantise/quantise_contract.h"
#include "kernels/rms_norm/rms_norm.h"

namespace tessera::kernels::contract {

inline void rms_norm_forward(const char* where, const Tensor& x, const Tensor& weight,
                             const Tensor& y, const Tensor& rstd) {
  expect_shape(where, "x", x, {-1, -1});
  const std::int64_t rows = x.size(0), d = x.size(1);
  expect_shape(where, "weight", weight, {d});
  expect_shape(where, "y", y, {rows, d});
  expect_shape(where, "rstd", rstd, {rows});
}

inline void rms_norm_backward(const char* where, const Tensor& dy, const Tensor& x,
                              const Tensor& weight, const Tensor& rstd, const Tensor& dx,
                              const Tensor& d_weight) {
  expect_shape(where, "dy", dy, {-1, -1});
  const std::int64_t rows = dy.size(0), d = dy.size(1);
  expect_shape(where, "x", x, {rows, d});
  expect_shape(where, "weight", weight, {d});
  expect_shape(where, "rstd", rstd, {rows});
  expect_shape(where, "dx", dx, {rows, d});
  expect_dtype(where, "dx", dx, dy.dtype());
  expect_shape(where, "d_weight", d_weight, {d});
}

/// Both quantising operations; y and copy may be absent.
inline void rms_norm_quantise(const char* where, const Tensor& x, const Tensor& weight,
                              const Tensor& y, const Tensor& copy, const Tensor& rstd,
                              const Quantised& out) {
  expect_shape(where, "x", x, {-1, -1});
  const std::int64_t rows = x.size(0), d = x.size(1);
  expect_shape(where, "weight", weight, {d});
  expect_shape(where, "rstd", rstd, {rows});
  if (y) expect_shape(where, "y", y, {rows, d});
  if (copy) expect_shape(where, "copy", copy, {rows, d});
  layouts(where, out, rows, d);
}

}  // namespace tessera::kernels::contract
