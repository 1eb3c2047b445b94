// SPDX-License-Identifier: MIT
// What the operations of balance.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/arguments.h"
#include "kernels/balance/balance.h"

namespace tessera::kernels::contract {

inline void sequence_balance(const char* where, const Tensor& scores, const Tensor& starts,
                             int top_k, const Tensor& loss, const Tensor& d_scores) {
  expect_shape(where, "scores", scores, {-1, -1});
  const std::int64_t tokens = scores.size(0), experts = scores.size(1);
  require(top_k >= 1 && top_k <= experts, where, "top {} of {} experts", top_k, experts);
  expect_shape(where, "starts", starts, {-1});
  require(starts.size(0) >= 1, where, "starts are empty");
  expect_shape(where, "loss", loss, {1});
  expect_shape(where, "d_scores", d_scores, {tokens, experts});
}

inline void bias_update(const char* where, const Tensor& counts, const Tensor& bias) {
  expect_shape(where, "counts", counts, {-1});
  expect_shape(where, "bias", bias, {counts.size(0)});
}

}  // namespace tessera::kernels::contract
