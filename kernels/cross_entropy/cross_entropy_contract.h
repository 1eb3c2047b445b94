// SPDX-License-Identifier: MIT
// What the operations of cross_entropy.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/arguments.h"
#include "kernels/cross_entropy/cross_entropy.h"

namespace tessera::kernels::contract {

/// weights may be absent.
inline void cross_entropy(const char* where, const Tensor& logits, const Tensor& targets,
                          const Tensor& weights, const Tensor& loss) {
  expect_shape(where, "logits", logits, {-1, -1});
  expect_shape(where, "targets", targets, {logits.size(0)});
  if (weights) expect_shape(where, "weights", weights, {logits.size(0)});
  expect_shape(where, "loss", loss, {logits.size(0)});
}

inline void cross_entropy_gradient(const char* where, const Tensor& logits, const Tensor& targets,
                                   const Tensor& weights, double gradient_scale, const Tensor& loss,
                                   const Tensor& gradient) {
  cross_entropy(where, logits, targets, weights, loss);
  expect_shape(where, "gradient", gradient, {logits.size(0), logits.size(1)});
  require(gradient_scale != 0, where, "the gradient's scale is 0");
}

}  // namespace tessera::kernels::contract
