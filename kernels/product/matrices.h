// SPDX-License-Identifier: MIT
// The operands of a product as matrices: shapes and strides taken from tensors of rank 2 or 3, and
// the checks that CPU and GPU share.
#pragma once

#include <algorithm>

#include "core/base/error.h"
#include "kernels/product/product.h"

namespace tessera::kernels {

/// A tensor of rank 2 or 3 as `count` matrices.
struct Matrices {
  std::int64_t count, rows, cols, batch_stride, row_stride;

  Matrices(const Tensor& x, const char* name) {
    require(x.rank() == 2 || x.rank() == 3, "product", "{} must have rank 2 or 3, has {}", name,
            x.rank());
    count = x.rank() == 3 ? x.size(0) : 1;
    batch_stride = x.rank() == 3 ? x.stride(0) : 0;
    rows = x.size(-2);
    cols = x.size(-1);
    require(cols <= 1 || x.stride(-1) == 1, "product", "rows of {} must be contiguous", name);
    // The stride of a single row means nothing and may be anything.
    row_stride = rows > 1 ? x.stride(-2) : std::max<std::int64_t>(cols, 1);
    require(row_stride >= cols, "product", "rows of {} overlap", name);
  }
};

/// c (m, n) from sums of length k.
struct ProductShape {
  std::int64_t m, n, k;
};

/// The shape of a product; throws Error where the operands do not go together.
inline ProductShape product_shape(const Tensor& a, const Matrices& am, const Tensor& b,
                                  const Matrices& bm, Transpose transpose, float beta,
                                  const Tensor& c, const Matrices& cm) {
  const bool a_t = transpose == Transpose::A, b_t = transpose == Transpose::B;
  const ProductShape s{a_t ? am.cols : am.rows, b_t ? bm.rows : bm.cols, a_t ? am.rows : am.cols};
  if (a.dtype() != b.dtype() || (b_t ? bm.cols : bm.rows) != s.k || cm.rows != s.m ||
      cm.cols != s.n || am.count != cm.count || bm.count != cm.count) {
    throw Error("product", fmt::format("a {}, b {} and c {} do not go together", a.describe(),
                                       b.describe(), c.describe()));
  }
  require(beta == 0 || beta == 1, "product", "beta must be 0 or 1, is {}", beta);
  return s;
}

}  // namespace tessera::kernels
