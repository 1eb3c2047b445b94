// SPDX-License-Identifier: MIT
// What the operation of packed_product.h refuses, on every device.
#pragma once

#include "kernels/arguments.h"
#include "kernels/packed_product/packed_product.h"

namespace tessera::kernels::contract {

inline void packed_product(const char* where, const Tensor& x, const PackedWeight& w,
                           const Tensor& offsets, float beta, const Tensor& y) {
  require(beta == 0 || beta == 1, where, "beta must be 0 or 1, is {}", beta);
  require(w.values.rank() == 3 && w.scales.rank() == 3, where, "{} and {} are no packed weight",
          w.values.describe(), w.scales.describe());
  expect_dtype(where, "scales", w.scales, DType::F16);
  expect_shape(where, "scales", w.scales, {w.batch(), w.n(), -1});
  require(w.n() <= 1 || w.scales.stride(1) == w.scales.size(2), where,
          "the scales of a matrix, {}, must lie row behind row", w.scales.describe());
  const bool bytes = w.packing() == Packing::Q8_0;
  expect_dtype(where, "values", w.values, bytes ? DType::I8 : DType::U8);
  expect_shape(where, "values", w.values, {-1, -1, bytes ? w.k() : w.k() / 2});
  expect_shape(where, "x", x, {-1, w.k()});
  expect_shape(where, "y", y, {x.size(0), w.n()});
  expect_dtype(where, "y", y, x.dtype());
  if (offsets) {
    expect_shape(where, "offsets", offsets, {w.batch() + 1});
  } else {
    require(w.batch() == 1, where, "{} matrices need offsets", w.batch());
  }
}

}  // namespace tessera::kernels::contract
