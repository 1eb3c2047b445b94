// SPDX-License-Identifier: MIT
#include "core/model/feed_forward.h"

#include "kernels/few_rows/few_rows.h"
#include "kernels/swiglu/swiglu.h"

namespace tessera {

void FeedForward::declare(ParameterSet& parameters, std::int64_t hidden, std::int64_t width,
                          const std::string& prefix) {
  width_ = width;
  gate_up_.weight = &parameters.declare_linear(prefix + "gate_up_proj.weight", {2 * width, hidden});
  parameters.split(*gate_up_.weight, {prefix + "gate_proj.weight", prefix + "up_proj.weight"});
  down_.weight = &parameters.declare_linear(prefix + "down_proj.weight", {hidden, width});
}

void FeedForward::forward(Pass& pass, const Operand& h, GatedStash& s, const Tensor& y) const {
  Arena::Frame frame(pass.scratch());
  const Tensor gate_up = take_gate_up(pass, y.size(0), width_, s);
  gate_up_.forward(pass.context, h, 0.f, gate_up);
  down_.forward(pass.context, gated_forward(pass, gate_up, {}, {}, s), 1.f, y);
}

void FeedForward::forward_few(Pass& pass, const Tensor& x, const Norm& norm) const {
  const std::int64_t count = x.size(0);
  const Tensor gate_up = pass.scratch().take(pass.precision.inner(), {count, 2 * width_});
  const Tensor activated = pass.scratch().take(pass.precision.operand, {count, width_});
  kernels::rows_products(pass.context, x, norm.weight->value, norm.epsilon, {},
                         {gate_up_.weight->operand, gate_up}, {});
  kernels::swiglu_forward(pass.context, gate_up, {}, {}, activated);
  kernels::rows_products(pass.context, activated, {}, 0.f, {}, {down_.weight->operand, x, true},
                         {});
}

void FeedForward::make_again(Pass& pass, const Operand& h, std::int64_t tokens,
                             GatedStash& s) const {
  const auto product = [&](const Tensor& gate_up) {
    gate_up_.forward(pass.context, h, 0.f, gate_up);
  };
  gated_again(pass, tokens, width_, {}, {}, product, s);
}

void FeedForward::backward(Pass& pass, const Operand& dy, const Operand& h, const GatedStash& stash,
                           float beta, const Tensor& dh) const {
  Context& context = pass.context;
  Arena::Frame frame(pass.scratch());
  GatedStash s = stash;
  if (pass.recompute.swiglu) make_again(pass, h, dh.size(0), s);
  const Tensor d_activated = pass.scratch().take(pass.precision.inner(), {dh.size(0), width_});
  const Operand d_gate_up = take_gated_gradient(pass, dh.size(0), width_);
  down_.input_grad(context, dy, 0.f, d_activated);
  down_.weight_grad(pass, dy, gated_backward(pass, d_activated, {}, {}, s, d_gate_up, {}));
  gate_up_.input_grad(context, d_gate_up, beta, dh);
  gate_up_.weight_grad(pass, d_gate_up, h);
}

}  // namespace tessera
