// SPDX-License-Identifier: MIT
// What the operations of permute.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include <limits>

#include "kernels/permute/permute.h"
#include "kernels/quantise/quantise_contract.h"

namespace tessera::kernels::contract {

inline void permute_plan(const char* where, const Tensor& picks, const Permutation& p) {
  expect_shape(where, "picks", picks, {-1, -1});
  expect_contiguous(where, "picks", picks);
  expect_shape(where, "offsets", p.offsets, {p.counts.size(0) + 1});
  expect_shape(where, "row_of_slot", p.row_of_slot, {picks.size(0), picks.size(1)});
  expect_contiguous(where, "row_of_slot", p.row_of_slot);
  const std::int64_t rows = p.slot_of_row.size(0);
  require(rows <= std::numeric_limits<std::int32_t>::max(), where, "{} rows are too many", rows);
  require(p.alignment >= 1, where, "alignment {}", p.alignment);
}

/// A plan that was made, and a tensor of its tokens.
inline void tokens(const char* where, const Permutation& p, const char* name,
                   const Tensor& of_tokens) {
  expect_shape(where, "row_of_slot", p.row_of_slot, {-1, -1});
  expect_contiguous(where, "row_of_slot", p.row_of_slot);
  require(of_tokens.size(0) == p.row_of_slot.size(0), where, "expected {} with {} tokens, got {}",
          name, p.row_of_slot.size(0), of_tokens.describe());
}

inline void permute_forward(const char* where, const Tensor& x, const Permutation& p,
                            const Tensor& y) {
  expect_shape(where, "x", x, {-1, -1});
  expect_shape(where, "y", y, {-1, x.size(1)});
  tokens(where, p, "x", x);
}

inline void combine(const char* where, const Tensor& y, const Permutation& p, const Tensor& out) {
  expect_shape(where, "out", out, {-1, -1});
  expect_shape(where, "y", y, {-1, out.size(1)});
  tokens(where, p, "out", out);
}

inline void permute_weights(const char* where, const Tensor& weights, const Permutation& p,
                            const Tensor& row_weights) {
  expect_shape(where, "weights", weights, {p.row_of_slot.size(0), p.row_of_slot.size(1)});
  expect_shape(where, "row_weights", row_weights, {p.slot_of_row.size(0)});
}

inline void permute_weights_backward(const char* where, const Tensor& d_row_weights,
                                     const Permutation& p, const Tensor& d_weights) {
  expect_shape(where, "d_row_weights", d_row_weights, {p.slot_of_row.size(0)});
  tokens(where, p, "d_weights", d_weights);
  expect_shape(where, "d_weights", d_weights, {p.row_of_slot.size(0), p.row_of_slot.size(1)});
}

/// `out` has `rows` rows, of which a device may use fewer.
inline void permute_quantise(const char* where, const Tensor& x, const Permutation& p,
                             const Quantised& out, std::int64_t rows) {
  expect_shape(where, "x", x, {-1, -1});
  expect_contiguous(where, "x", x);
  tokens(where, p, "x", x);
  require(!out.values_t || p.alignment % kScaleTile == 0, where,
          "expected groups of rows in multiples of {}, got {}", kScaleTile, p.alignment);
  layouts(where, out, rows, x.size(1));
}

/// The layouts by rows of tokens and of what is made of them, `rows` rows.
inline void permute_tiles(const char* where, const Quantised& x, const Permutation& p,
                          const Quantised& out, std::int64_t rows) {
  require(x.values && out.values, where, "values are absent");
  tokens(where, p, "x", x.values);
  const std::int64_t cols = out.values.size(1);
  layouts(where, {x.values, x.scales, {}, {}}, p.row_of_slot.size(0), cols);
  layouts(where, {out.values, out.scales, {}, {}}, rows, cols);
}

}  // namespace tessera::kernels::contract
