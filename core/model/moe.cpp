// SPDX-License-Identifier: MIT
#include "core/model/moe.h"

#include "core/model/router_observer.h"
#include "kernels/balance/balance.h"
#include "kernels/convert/convert.h"
#include "kernels/grouped_product/grouped_product.h"
#include "kernels/product/product.h"
#include "kernels/router/router.h"
#include "kernels/swiglu/swiglu.h"

namespace tessera {

using kernels::Transpose;

void Moe::declare(ParameterSet& parameters, const ModelConfig& c, const std::string& prefix) {
  experts_ = c.n_routed_experts;
  width_ = c.moe_intermediate_size;
  router_ = c.router();
  gate_ = &parameters.declare(prefix + "gate.weight", {experts_, c.hidden_size});
  bias_ = &parameters.declare_state(prefix + "gate.e_score_correction_bias", {experts_});
  gate_up_ =
      &parameters.declare(prefix + "experts.gate_up_proj", {experts_, 2 * width_, c.hidden_size});
  down_ = &parameters.declare(prefix + "experts.down_proj", {experts_, c.hidden_size, width_});
  std::vector<std::string> gate_up_names, down_names;
  for (std::int64_t e = 0; e < experts_; ++e) {
    const std::string expert = prefix + "experts." + std::to_string(e) + ".";
    gate_up_names.push_back(expert + "gate_proj.weight");
    gate_up_names.push_back(expert + "up_proj.weight");
    down_names.push_back(expert + "down_proj.weight");
  }
  parameters.split(*gate_up_, std::move(gate_up_names));
  parameters.split(*down_, std::move(down_names));
  has_shared_ = c.n_shared_experts > 0;
  if (has_shared_) {
    shared_.declare(parameters, c.hidden_size, c.n_shared_experts * width_,
                    prefix + "shared_experts.");
  }
}

namespace {
/// The gate reads activations, not rounded operands' type: its product runs in FP32.
Tensor widened(Pass& pass, const Tensor& h) {
  if (h.dtype() == pass.precision.activation) return h;
  Tensor copy = pass.scratch().take(pass.precision.activation, {h.size(0), h.size(1)});
  kernels::convert(pass.context, h, copy);
  return copy;
}
}  // namespace

void Moe::route(Pass& pass, const Tensor& wide, MoeStash& s) const {
  const std::int64_t tokens = wide.size(0), k = router_.top_k;
  const DType type = pass.precision.activation;
  s.logits = pass.keep.take(type, {tokens, experts_});
  s.scores = pass.keep.take(type, {tokens, experts_});
  s.picks = pass.keep.take(DType::I32, {tokens, k});
  s.weights = pass.keep.take(type, {tokens, k});
  kernels::product(pass.context, wide, gate_->value, Transpose::B, 0.f, s.logits);
  kernels::router_forward(pass.context, s.logits, bias_->value, router_, s.scores, s.picks,
                          s.weights);
  s.permutation.counts = pass.keep.take(DType::I64, {experts_});
  s.permutation.offsets = pass.keep.take(DType::I32, {experts_ + 1});
  s.permutation.row_of_slot = pass.keep.take(DType::I32, {tokens, k});
  s.permutation.slot_of_row =
      pass.keep.take(DType::I32, {kernels::max_permuted_rows(tokens, k, experts_)});
  kernels::permute_plan(pass.context, s.picks, s.permutation);
}

void Moe::run_experts(Pass& pass, const Tensor& h, MoeStash& s) const {
  const std::int64_t rows = s.permutation.slot_of_row.size(0), hidden = h.size(1);
  const DType type = pass.precision.inner(), operand = pass.precision.operand;
  s.dispatched = pass.keep.take(operand, {rows, hidden});
  s.gate_up = pass.keep.take(type, {rows, 2 * width_});
  s.expert_out = pass.keep.take(type, {rows, hidden});
  Arena::Frame frame(pass.scratch());
  const Tensor activated = pass.scratch().take(operand, {rows, width_});
  const Tensor& offsets = s.permutation.offsets;
  kernels::permute_forward(pass.context, h, s.permutation, s.dispatched);
  kernels::grouped_product(pass.context, s.dispatched, gate_up_->operand, offsets, s.gate_up);
  kernels::swiglu_forward(pass.context, s.gate_up, live_rows(s), activated);
  kernels::grouped_product(pass.context, activated, down_->operand, offsets, s.expert_out);
}

void Moe::forward(Pass& pass, const Tensor& h, MoeStash& s, const Tensor& y) const {
  Arena::Frame frame(pass.scratch());
  const Tensor wide = widened(pass, h);
  route(pass, wide, s);
  if (pass.observer) pass.observer->routed(s.picks, s.weights);
  run_experts(pass, pass.precision.narrow ? h : wide, s);
  kernels::combine_forward(pass.context, s.expert_out, s.weights, s.permutation, y);
  if (has_shared_) shared_.forward(pass, h, s.shared, y);
}

void Moe::backward(Pass& pass, const Tensor& dy, const Tensor& h, const Sequences& sequences,
                   const MoeStash& s, const BalanceTerm& balance, const Tensor& dh) const {
  Context& context = pass.context;
  Arena::Frame frame(pass.scratch());
  if (has_shared_) {
    shared_.backward(pass, pass.operand(dy, pass.scratch()), h, s.shared, 0.f, dh);
  } else {
    kernels::fill(context, 0.0, dh);
  }
  const std::int64_t rows = s.expert_out.size(0), hidden = dy.size(1);
  const Tensor dy_rows = pass.scratch().take(pass.precision.operand, {rows, hidden});
  const Tensor d_weights = pass.scratch().take(dy.dtype(), {dy.size(0), router_.top_k});
  kernels::combine_backward(context, dy, s.expert_out, s.weights, s.permutation, dy_rows,
                            d_weights);
  experts_backward(pass, dy_rows, s, dh);
  gate_backward(pass, d_weights, h, sequences, s, balance, dh);
}

/// Adds to dh what comes back through the routed experts.
void Moe::experts_backward(Pass& pass, const Tensor& dy_rows, const MoeStash& s,
                           const Tensor& dh) const {
  Context& context = pass.context;
  const std::int64_t rows = dy_rows.size(0), hidden = dy_rows.size(1);
  const DType type = pass.precision.inner(), operand = pass.precision.operand;
  const Tensor& offsets = s.permutation.offsets;
  const Tensor d_activated = pass.scratch().take(type, {rows, width_});
  const Tensor activated = pass.scratch().take(operand, {rows, width_});
  const Tensor d_gate_up = pass.scratch().take(operand, {rows, 2 * width_});
  const Tensor d_dispatched = pass.scratch().take(type, {rows, hidden});
  kernels::grouped_product_input_grad(context, dy_rows, down_->operand, offsets, d_activated);
  kernels::swiglu_backward(context, d_activated, s.gate_up, live_rows(s), d_gate_up, activated);
  kernels::grouped_product_weight_grad(context, dy_rows, activated, offsets, down_->grad);
  kernels::grouped_product_input_grad(context, d_gate_up, gate_up_->operand, offsets, d_dispatched);
  kernels::grouped_product_weight_grad(context, d_gate_up, s.dispatched, offsets, gate_up_->grad);
  kernels::permute_backward(context, d_dispatched, s.permutation, dh);
}

/// Adds to dh what comes back through the gate weights and the balance loss.
void Moe::gate_backward(Pass& pass, const Tensor& d_weights, const Tensor& h,
                        const Sequences& sequences, const MoeStash& s, const BalanceTerm& balance,
                        const Tensor& dh) const {
  Context& context = pass.context;
  const std::int64_t tokens = h.size(0);
  Tensor d_scores;
  if (balance.alpha > 0.0) {
    d_scores = pass.scratch().take(s.scores.dtype(), {tokens, experts_});
    kernels::sequence_balance(context, s.scores, sequences.starts, router_.top_k, balance.alpha,
                              balance.gradient_scale, balance.loss, d_scores);
  }
  const Tensor d_logits = pass.scratch().take(s.scores.dtype(), {tokens, experts_});
  kernels::router_backward(context, d_weights, d_scores, s.scores, s.picks, router_, d_logits);
  const Tensor wide = widened(pass, h);
  kernels::product(context, d_logits, gate_->value, Transpose::None, 1.f, dh);
  kernels::product(context, d_logits, wide, Transpose::A, 1.f, gate_->grad);
}

}  // namespace tessera
