// SPDX-License-Identifier: MIT
// What the operations of attention_decode.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/arguments.h"
#include "kernels/attention_decode/attention_decode.h"

namespace tessera::kernels::contract {

inline void attention_decode(const char* where, const Tensor& q, const Tensor& cache,
                             const Tensor& pages, const Tensor& lengths, const Tensor& o) {
  expect_shape(where, "q", q, {-1, -1, -1});
  expect_shape(where, "cache", cache, {-1, -1, q.size(2)});
  expect_shape(where, "pages", pages, {q.size(0), -1});
  expect_shape(where, "lengths", lengths, {q.size(0)});
  expect_shape(where, "o", o, {q.size(0), q.size(1), -1});
  expect_dtype(where, "o", o, q.dtype());
  require(o.size(2) <= q.size(2), where, "values of {} cannot be part of keys of {}", o.size(2),
          q.size(2));
}

}  // namespace tessera::kernels::contract
