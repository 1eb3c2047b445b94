// SPDX-License-Identifier: MIT
// What the operations of adamw.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/adamw/adamw.h"
#include "kernels/quantise/quantise_contract.h"

namespace tessera::kernels::contract {

inline void sum_of_squares(const char* where, const Tensor& x, const Tensor& sum) {
  expect_contiguous(where, "x", x);
  expect_shape(where, "sum", sum, {1});
}

inline void clip_scale(const char* where, const Tensor& sum, const Tensor& scale) {
  expect_shape(where, "sum", sum, {1});
  expect_shape(where, "scale", scale, {1});
}

/// `copy` may be absent.
inline void adamw(const char* where, const AdamWConfig& config, const Tensor& gradient,
                  const Tensor& scale, const Tensor& weight, const Tensor& m, const Tensor& v,
                  const Tensor& copy) {
  const auto same_size = [&](const char* name, const Tensor& tensor) {
    expect_contiguous(where, name, tensor);
    require(tensor.numel() == weight.numel(), where, "expected {} of the size of weight {}, got {}",
            name, weight.describe(), tensor.describe());
  };
  same_size("gradient", gradient);
  same_size("weight", weight);
  same_size("m", m);
  same_size("v", v);
  if (copy) same_size("copy", copy);
  require(config.step >= 1, where, "step {} is not counted from 1", config.step);
  expect_shape(where, "scale", scale, {1});
}

inline void adamw_quantise(const char* where, const AdamWConfig& config, const Tensor& gradient,
                           const Tensor& scale, const Tensor& weight, const Tensor& m,
                           const Tensor& v, const QuantisedWeight& out) {
  adamw(where, config, gradient, scale, weight, m, v, {});
  require(out.values && out.values_t, where, "both layouts are made");
  weights(where, weight, out);
}

}  // namespace tessera::kernels::contract
