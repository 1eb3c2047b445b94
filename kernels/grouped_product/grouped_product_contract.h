// SPDX-License-Identifier: MIT
// What the operations of grouped_product.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/arguments.h"
#include "kernels/grouped_product/grouped_product.h"

namespace tessera::kernels::contract {

/// x (rows, .), w (experts, n, k) and y (rows, .), each row contiguous, with the experts' offsets.
inline void grouped(const char* where, const Tensor& x, const Tensor& w, const Tensor& y,
                    const Tensor& offsets, std::int64_t n, std::int64_t k) {
  require(w.rank() == 3 && x.rank() == 2 && y.rank() == 2 && w.size(1) == n && w.size(2) == k &&
              x.size(0) == y.size(0),
          where, "{}, {} and {} do not go together", x.describe(), w.describe(), y.describe());
  for (const Tensor* t : {&x, &w, &y}) {
    require(t->size(-1) <= 1 || t->stride(-1) == 1, where, "rows of {} must be contiguous",
            t->describe());
  }
  require(offsets.rank() == 1 && offsets.size(0) == w.size(0) + 1, where,
          "{} experts need {} offsets, got {}", w.size(0), w.size(0) + 1, offsets.describe());
}

inline void grouped_product(const char* where, const Tensor& a, const Tensor& b,
                            const Tensor& offsets, const Tensor& c) {
  grouped(where, a, b, c, offsets, c.size(1), a.size(1));
}

inline void grouped_product_input_grad(const char* where, const Tensor& dc, const Tensor& b,
                                       const Tensor& offsets, const Tensor& da) {
  grouped(where, dc, b, da, offsets, dc.size(1), da.size(1));
}

inline void grouped_product_weight_grad(const char* where, const Tensor& dc, const Tensor& a,
                                        const Tensor& offsets, float beta, const Tensor& db) {
  grouped(where, a, db, dc, offsets, dc.size(1), a.size(1));
  require(beta == 0 || beta == 1, where, "beta must be 0 or 1, is {}", beta);
}

}  // namespace tessera::kernels::contract
