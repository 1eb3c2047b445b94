// SPDX-License-Identifier: MIT
// The checks of attention.h that CPU and GPU share.
#pragma once

#include "kernels/arguments.h"
#include "kernels/attention/attention.h"

namespace tessera::kernels::attention_contract {

inline constexpr const char* kWhere = "attention";

/// x (tokens, heads, d) beside q, of its type; d < 0: any.
inline void expect_heads(const char* name, const Tensor& x, const Tensor& q, std::int64_t d) {
  expect_shape(kWhere, name, x, {q.size(0), q.size(1), d});
  expect_dtype(kWhere, name, x, q.dtype());
}

/// `heads` of the tail: 1 where it may be shared, and is.
inline void expect_keys(const char* name, const Keys& k, const Tensor& q, std::int64_t heads) {
  const std::int64_t r = k.tail ? k.tail.size(2) : 0;
  expect_heads(name, k.rows, q, q.size(2) - r);
  if (!k.tail) return;
  expect_shape(kWhere, name, k.tail, {q.size(0), heads, r});
  expect_dtype(kWhere, name, k.tail, q.dtype());
}

/// What both operations read; `row_type` is that of lse.
inline void expect_inputs(const Tensor& q, const Keys& k, const Tensor& v, const Tensor& starts,
                          const Tensor& o, const Tensor& lse, DType row_type) {
  expect_shape(kWhere, "q", q, {-1, -1, -1});
  expect_keys("k", k, q, k.is_shared() ? 1 : q.size(1));
  expect_heads("v", v, q, -1);
  expect_heads("o", o, q, v.size(2));
  expect_shape(kWhere, "lse", lse, {q.size(1), q.size(0)});
  expect_dtype(kWhere, "lse", lse, row_type);
  expect_shape(kWhere, "starts", starts, {-1});
  require(starts.size(0) >= 1, kWhere, "starts of sequences are missing");
}

/// What backward reads and writes beside that.
inline void expect_gradients(const Tensor& q, const Keys& k, const Tensor& v, const Tensor& d_o,
                             const Tensor& dq, const Keys& dk, const Tensor& dv) {
  expect_heads("d_o", d_o, q, v.size(2));
  expect_heads("dq", dq, q, q.size(2));
  require(dk.rows.size(2) == k.rows.size(2), kWhere, "dk is not in parts as k is");
  expect_keys("dk", dk, q, q.size(1));
  expect_heads("dv", dv, q, v.size(2));
}

}  // namespace tessera::kernels::attention_contract
