// SPDX-License-Identifier: MIT
// What the operations of product_fp8.h refuse, on every device, and the sizes that follow from the
// operands.
#pragma once

#include "kernels/arguments.h"
#include "kernels/product_fp8/product_fp8.h"

namespace tessera::kernels::fp8 {

/// c (rows, n) from a (rows, k) and one of the two layouts of weights, (experts, n, k).
struct RowsProduct {
  const char* where;
  Tensor values, scales;  ///< a, quantised by rows
  Tensor weights, weight_scales;
  Tensor offsets, c;
  bool add;

  std::int64_t rows() const { return values.size(0); }
  std::int64_t k() const { return values.size(1); }
  std::int64_t n() const { return weights.size(1); }
  std::int64_t experts() const { return weights.size(0); }

  /// Throws Error where the operands do not go together.
  void check(float beta) const {
    expect_shape(where, "values", values, {-1, -1});
    expect_contiguous(where, "values", values);
    expect_shape(where, "weights", weights, {-1, -1, k()});
    expect_contiguous(where, "weights", weights);
    expect_shape(where, "weight scales", weight_scales,
                 {experts(), scale_tiles(n()), scale_tiles(k())});
    expect_contiguous(where, "weight scales", weight_scales);
    expect_shape(where, "scales", scales, {scale_tiles(k()), -1});
    require(scales.size(1) >= rows(), where, "expected scales of {} rows, got {}", rows(),
            scales.describe());
    expect_shape(where, "result", c, {rows(), n()});
    expect_contiguous(where, "result", c);
    require(n() % 16 == 0 && k() % 16 == 0, where, "expected n and k in multiples of 16, got {}",
            weights.describe());
    require(beta == 0 || beta == 1, where, "beta must be 0 or 1, is {}", beta);
    check_offsets(where, offsets, experts());
  }

  static void check_offsets(const char* where, const Tensor& offsets, std::int64_t experts) {
    if (offsets) return expect_shape(where, "offsets", offsets, {experts + 1});
    require(experts == 1, where, "{} matrices of weights need offsets", experts);
  }
};

inline RowsProduct forward_of(const Quantised& a, const QuantisedWeight& b, const Tensor& offsets,
                              float beta, const Tensor& c) {
  RowsProduct p{"product_fp8", a.values, a.scales, b.values, b.scales, offsets, c, beta != 0};
  p.check(beta);
  return p;
}
inline RowsProduct input_grad_of(const Quantised& dc, const QuantisedWeight& b,
                                 const Tensor& offsets, float beta, const Tensor& da) {
  RowsProduct p{"product_fp8_input_grad",
                dc.values,
                dc.scales,
                b.values_t,
                b.scales_t,
                offsets,
                da,
                beta != 0};
  p.check(beta);
  return p;
}

/// Throws Error where the operands of a weight gradient do not go together; returns the number of
/// tokens that the transposed layouts have room for.
inline std::int64_t check_weight_grad(const char* where, const Quantised& dc, const Quantised& a,
                                      const Tensor& offsets, float beta, const Tensor& db) {
  require(beta == 0 || beta == 1, where, "beta must be 0 or 1, is {}", beta);
  expect_shape(where, "db", db, {-1, -1, -1});
  expect_contiguous(where, "db", db);
  const std::int64_t n = db.size(1), k = db.size(2), tokens = a.values_t.size(1);
  expect_shape(where, "dc values_t", dc.values_t, {n, tokens});
  expect_shape(where, "a values_t", a.values_t, {k, tokens});
  for (const auto& [scales, columns] : {std::pair{&dc.scales_t, n}, std::pair{&a.scales_t, k}}) {
    expect_shape(where, "scales_t", *scales, {scale_tiles(tokens), -1});
    require(scales->size(1) >= columns, where, "expected scales of {} columns, got {}", columns,
            scales->describe());
  }
  require(n % 16 == 0 && k % 16 == 0, where, "expected n and k in multiples of 16, got {}",
          db.describe());
  RowsProduct::check_offsets(where, offsets, db.size(0));
  return tokens;
}

/// a (m, k), b (n, k) and c (m, n).
inline void check_library_product(const char* where, const Tensor& a, const Tensor& b,
                                  const Tensor& c) {
  expect_shape(where, "a", a, {-1, -1});
  expect_shape(where, "b", b, {-1, a.size(1)});
  expect_shape(where, "c", c, {a.size(0), b.size(0)});
  expect_dtype(where, "a", a, DType::F8E4M3);
  expect_dtype(where, "b", b, DType::F8E4M3);
  for (const Tensor* one : {&a, &b, &c}) expect_contiguous(where, "operand", *one);
}

}  // namespace tessera::kernels::fp8
