// SPDX-License-Identifier: MIT
// The dense feed-forward layer, also the shared experts: W_down (silu(W_gate h) * W_up h).
#pragma once

#include <string>

#include "core/model/layers.h"

namespace tessera {

struct FeedForwardStash {
  Tensor gate_up;  ///< (T, 2 width); the activation is computed again in backward
};

class FeedForward {
 public:
  /// Declares gate and up as one array, and down, under `prefix` ("model.layers.0.mlp.").
  void declare(ParameterSet& parameters, std::int64_t hidden, std::int64_t width,
               const std::string& prefix);

  /// y += feed-forward of h; h (T, H) operand type, y (T, H) activation type.
  void forward(Pass& pass, const Tensor& h, FeedForwardStash& stash, const Tensor& y) const;

  /// dh = (or += with beta 1) the gradient of h; dy_operand (T, H) operand type.
  void backward(Pass& pass, const Tensor& dy_operand, const Tensor& h,
                const FeedForwardStash& stash, float beta, const Tensor& dh) const;

 private:
  std::int64_t width_ = 0;
  Linear gate_up_, down_;
};

}  // namespace tessera
