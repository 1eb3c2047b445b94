// SPDX-License-Identifier: MIT
#include "core/model/feed_forward.h"

#include "kernels/swiglu/swiglu.h"

namespace tessera {

void FeedForward::declare(ParameterSet& parameters, std::int64_t hidden, std::int64_t width,
                          const std::string& prefix) {
  width_ = width;
  gate_up_.weight = &parameters.declare(prefix + "gate_up_proj.weight", {2 * width, hidden});
  parameters.split(*gate_up_.weight, {prefix + "gate_proj.weight", prefix + "up_proj.weight"});
  down_.weight = &parameters.declare(prefix + "down_proj.weight", {hidden, width});
}

void FeedForward::forward(Pass& pass, const Tensor& h, FeedForwardStash& s, const Tensor& y) const {
  const std::int64_t tokens = h.size(0);
  s.gate_up = pass.keep.take(pass.precision.inner(), {tokens, 2 * width_});
  gate_up_.forward(pass.context, h, 0.f, s.gate_up);
  Arena::Frame frame(pass.scratch());
  const Tensor activated = pass.scratch().take(pass.precision.operand, {tokens, width_});
  kernels::swiglu_forward(pass.context, s.gate_up, Tensor(), activated);
  down_.forward(pass.context, activated, 1.f, y);
}

void FeedForward::backward(Pass& pass, const Tensor& dy_operand, const Tensor& h,
                           const FeedForwardStash& s, float beta, const Tensor& dh) const {
  Context& context = pass.context;
  const std::int64_t tokens = h.size(0);
  Arena::Frame frame(pass.scratch());
  const Tensor d_activated = pass.scratch().take(pass.precision.inner(), {tokens, width_});
  const Tensor activated = pass.scratch().take(pass.precision.operand, {tokens, width_});
  const Tensor d_gate_up = pass.scratch().take(pass.precision.operand, {tokens, 2 * width_});
  down_.input_grad(context, dy_operand, 0.f, d_activated);
  kernels::swiglu_backward(context, d_activated, s.gate_up, Tensor(), d_gate_up, activated);
  down_.weight_grad(context, dy_operand, activated);
  gate_up_.input_grad(context, d_gate_up, beta, dh);
  gate_up_.weight_grad(context, d_gate_up, h);
}

}  // namespace tessera
