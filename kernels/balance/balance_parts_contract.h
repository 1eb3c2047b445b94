// SPDX-License-Identifier: MIT
// The shapes of balance_parts.h.
#pragma once

#include "kernels/arguments.h"
#include "kernels/balance/balance_parts.h"

namespace tessera::kernels::contract {

inline void sequence_picks(const char* where, const Tensor& scores, const Tensor& starts, int top_k,
                           const Tensor& counts) {
  expect_shape(where, "scores", scores, {-1, -1});
  const std::int64_t experts = scores.size(1);
  require(top_k >= 1 && top_k <= experts, where, "top {} of {} experts", top_k, experts);
  expect_shape(where, "starts", starts, {-1});
  require(starts.size(0) >= 1, where, "starts are empty");
  expect_shape(where, "counts", counts, {starts.size(0) - 1, experts});
  expect_dtype(where, "counts", counts, DType::I64);
}

/// What sequence_balance_part() takes beside what sequence_balance() does.
inline void whole_sequences(const char* where, const Tensor& scores, const Tensor& starts,
                            const Tensor& lengths, const Tensor& counts) {
  const std::int64_t sequences = starts.size(0) - 1;
  expect_shape(where, "lengths", lengths, {sequences});
  expect_dtype(where, "lengths", lengths, DType::I32);
  expect_shape(where, "counts", counts, {sequences, scores.size(1)});
  expect_dtype(where, "counts", counts, DType::I64);
}

}  // namespace tessera::kernels::contract
