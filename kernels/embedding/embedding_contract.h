// SPDX-License-Identifier: MIT
// What the operations of embedding.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/arguments.h"
#include "kernels/embedding/embedding.h"

namespace tessera::kernels::contract {

/// Both operations: tokens (n), table or its gradient (vocabulary, d), rows (n, d).
inline void embedding(const char* where, const Tensor& tokens, const Tensor& table,
                      const Tensor& rows) {
  expect_shape(where, "tokens", tokens, {-1});
  expect_dtype(where, "tokens", tokens, DType::I32);
  expect_shape(where, "table", table, {-1, -1});
  expect_shape(where, "rows", rows, {tokens.size(0), table.size(1)});
}

}  // namespace tessera::kernels::contract
