// SPDX-License-Identifier: MIT
// What the operations of quantise.h refuse, on every device, and parts of that which the fused
// operations need too. What one device alone does not take, it checks itself.
#pragma once

#include "kernels/arguments.h"
#include "kernels/quantise/quantise.h"

namespace tessera::kernels::contract {

/// The layouts of a matrix (rows, cols) that are there.
inline void layouts(const char* where, const Quantised& out, std::int64_t rows, std::int64_t cols) {
  require(cols % 8 == 0, where, "expected columns in multiples of 8, got {}", cols);
  if (out.values) {
    expect_shape(where, "values", out.values, {rows, cols});
    expect_contiguous(where, "values", out.values);
    expect_shape(where, "scales", out.scales, {scale_tiles(cols), -1});
    require(out.scales.size(1) >= rows, where, "expected scales of {} rows, got {}", rows,
            out.scales.describe());
  }
  if (out.values_t) {
    expect_shape(where, "values_t", out.values_t, {cols, -1});
    require(out.values_t.size(1) >= (rows + 15) / 16 * 16, where,
            "expected values_t with {} columns or more, got {}", (rows + 15) / 16 * 16,
            out.values_t.describe());
    expect_shape(where, "scales_t", out.scales_t, {scale_tiles(rows), -1});
    require(out.scales_t.size(1) >= cols, where, "expected scales_t of {} columns, got {}", cols,
            out.scales_t.describe());
  }
}

/// That the layout by rows is the only one.
inline void rows_alone(const char* where, const Quantised& out) {
  require(out.values && !out.values_t, where, "one layout is made: that by rows");
}

/// How many rows are in use; may be absent.
inline void live_rows(const char* where, const Tensor& live_rows) {
  if (live_rows) expect_shape(where, "live_rows", live_rows, {1});
}

inline void quantise(const char* where, const Tensor& x, const Tensor& live, const Quantised& out) {
  expect_shape(where, "x", x, {-1, -1});
  expect_contiguous(where, "x", x);
  live_rows(where, live);
  layouts(where, out, x.size(0), x.size(1));
}

/// Weights (batch, n, k) and the layouts of them that are there.
inline void weights(const char* where, const Tensor& w, const QuantisedWeight& out) {
  expect_shape(where, "w", w, {-1, -1, -1});
  expect_contiguous(where, "w", w);
  const std::int64_t batch = w.size(0), n = w.size(1), k = w.size(2);
  require(n % 16 == 0 && k % 16 == 0, where, "expected n and k in multiples of 16, got {}",
          w.describe());
  if (out.values) {
    expect_shape(where, "values", out.values, {batch, n, k});
    expect_contiguous(where, "values", out.values);
    expect_shape(where, "scales", out.scales, {batch, scale_tiles(n), scale_tiles(k)});
    expect_contiguous(where, "scales", out.scales);
  }
  if (out.values_t) {
    expect_shape(where, "values_t", out.values_t, {batch, k, n});
    expect_contiguous(where, "values_t", out.values_t);
    expect_shape(where, "scales_t", out.scales_t, {batch, scale_tiles(k), scale_tiles(n)});
    expect_contiguous(where, "scales_t", out.scales_t);
  }
}

inline void quantise_tensor(const char* where, const Tensor& x, const Tensor& live,
                            const Quantised& out) {
  quantise(where, x, live, out);
  rows_alone(where, out);
}

inline void quantise_weight_tensor(const char* where, const Tensor& w, const QuantisedWeight& out) {
  weights(where, w, out);
  require(out.values && !out.values_t, where, "one layout is made: (batch, n, k)");
}

}  // namespace tessera::kernels::contract
