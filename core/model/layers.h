// SPDX-License-Identifier: MIT
// The two layers that everything is made of, and where their inputs are kept for backward.
#pragma once

#include "core/base/context.h"
#include "core/model/parameters.h"

namespace tessera {

class RouterObserver;

/// Where a forward pass runs and keeps what backward needs.
struct Pass {
  Context& context;
  Arena& keep;  ///< lives until backward has used it
  Precision precision;
  RouterObserver* observer = nullptr;  ///< is told what the routers of a forward pass decide

  Arena& scratch() const { return *context.scratch; }
  /// x in the type that products read: x itself, or a rounded copy taken from `arena`.
  Tensor operand(const Tensor& x, Arena& arena) const;
};

/// y = x W^T with W (out, in).
struct Linear {
  Parameter* weight = nullptr;

  std::int64_t out_features() const { return weight->shape[0]; }
  std::int64_t in_features() const { return weight->shape[1]; }
  /// x (rows, in) operand type; y (rows, out) activation type; y = x W^T + beta y.
  void forward(Context& context, const Tensor& x, float beta, const Tensor& y) const;
  /// dx = dy W + beta dx. dy (rows, out) operand type.
  void input_grad(Context& context, const Tensor& dy, float beta, const Tensor& dx) const;
  /// Adds dy^T x to the weight's gradient; both in operand type.
  void weight_grad(Context& context, const Tensor& dy, const Tensor& x) const;
};

/// RMSNorm with its weight; what it keeps is the reciprocal root of each row.
struct Norm {
  Parameter* weight = nullptr;
  float epsilon = 1e-6f;

  /// y is (rows, d) of activation or operand type; returns rstd, kept.
  Tensor forward(Pass& pass, const Tensor& x, const Tensor& y) const;
  void backward(Context& context, const Tensor& dy, const Tensor& x, const Tensor& rstd,
                bool accumulate, const Tensor& dx) const;
};

}  // namespace tessera
