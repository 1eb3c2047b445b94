// SPDX-License-Identifier: MIT
// The dense feed-forward layer, also the shared experts: W_down (silu(W_gate h) * W_up h).
#pragma once

#include <string>

#include "core/model/gated.h"

namespace tessera {

class FeedForward {
 public:
  /// Declares gate and up as one array, and down, under `prefix` ("model.layers.0.mlp.").
  void declare(ParameterSet& parameters, std::int64_t hidden, std::int64_t width,
               const std::string& prefix);

  /// y += feed-forward of h; h (T, H), y (T, H) inner type.
  void forward(Pass& pass, const Operand& h, GatedStash& stash, const Tensor& y) const;

  /// x (T, H) += feed-forward of `norm` of x, by the kernels for few rows.
  void forward_few(Pass& pass, const Tensor& x, const Norm& norm) const;

  /// dh = (or += with beta 1) the gradient of h, from that of y; (T, H). `h` as Pass::saved() has
  /// it, with Recompute::swiglu for a forward product too.
  void backward(Pass& pass, const Operand& dy, const Operand& h, const GatedStash& stash,
                float beta, const Tensor& dh) const;

  /// Fills the stash once more as forward() did, without its output.
  void make_again(Pass& pass, const Operand& h, std::int64_t tokens, GatedStash& stash) const;

  const Linear& gate_up() const { return gate_up_; }
  const Linear& down() const { return down_; }

 private:
  std::int64_t width_ = 0;
  Linear gate_up_, down_;
};

}  // namespace tessera
