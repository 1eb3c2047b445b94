// SPDX-License-Identifier: MIT
// The shapes of attention_ranges.h.
#pragma once

#include "kernels/arguments.h"
#include "kernels/attention/attention_contract.h"
#include "kernels/attention/attention_ranges.h"

namespace tessera::kernels::attention_contract {

/// x (rows, heads, d) beside q, of its type; d < 0: any.
inline void expect_rows(const char* name, const Tensor& x, std::int64_t rows, const Tensor& q,
                        std::int64_t heads, std::int64_t d) {
  expect_shape(kWhere, name, x, {rows, heads, d});
  expect_dtype(kWhere, name, x, q.dtype());
}

/// Keys or their gradients, whose tail has so many heads.
inline void expect_range_keys(const char* name, const Keys& k, std::int64_t rows, const Tensor& q,
                              std::int64_t heads) {
  const std::int64_t r = k.tail ? k.tail.size(2) : 0;
  expect_rows(name, k.rows, rows, q, q.size(1), q.size(2) - r);
  if (k.tail) expect_rows(name, k.tail, rows, q, heads, r);
}

inline void expect_range_inputs(const Tensor& q, const Keys& k, const Tensor& v,
                                const Tensor& ranges, const Tensor& o, const Tensor& lse) {
  expect_shape(kWhere, "q", q, {-1, -1, -1});
  expect_shape(kWhere, "v", v, {-1, -1, -1});
  const std::int64_t queries = q.size(0), heads = q.size(1), keys = v.size(0);
  expect_range_keys("k", k, keys, q, k.is_shared() ? 1 : heads);
  expect_rows("v", v, keys, q, heads, -1);
  expect_rows("o", o, queries, q, heads, v.size(2));
  expect_shape(kWhere, "lse", lse, {heads, queries});
  expect_dtype(kWhere, "lse", lse, q.dtype());
  expect_shape(kWhere, "ranges", ranges, {-1, 4});
  expect_dtype(kWhere, "ranges", ranges, DType::I32);
  expect_contiguous(kWhere, "ranges", ranges);
}

inline void expect_range_gradients(const Tensor& q, const Keys& k, const Tensor& v,
                                   const Tensor& d_o, const Tensor& dq, const Keys& dk,
                                   const Tensor& dv) {
  const std::int64_t queries = q.size(0), heads = q.size(1), keys = v.size(0);
  expect_rows("d_o", d_o, queries, q, heads, v.size(2));
  expect_rows("dq", dq, queries, q, heads, q.size(2));
  require(dk.rows.size(2) == k.rows.size(2), kWhere, "dk is not in parts as k is");
  expect_range_keys("dk", dk, keys, q, heads);
  expect_rows("dv", dv, keys, q, heads, v.size(2));
}

}  // namespace tessera::kernels::attention_contract
