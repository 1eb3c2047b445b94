// SPDX-License-Identifier: MIT
#include "core/model/moe.h"

#include "core/base/error.h"
#include "core/model/router_observer.h"
#include "kernels/balance/balance.h"
#include "kernels/balance/balance_parts.h"
#include "kernels/convert/convert.h"
#include "kernels/few_rows/few_rows.h"
#include "kernels/product/product.h"
#include "kernels/router/router.h"

namespace tessera {

using kernels::Transpose;

void Moe::declare(ParameterSet& parameters, const ModelConfig& c, const ExpertRange& experts,
                  const std::string& prefix) {
  experts_ = c.n_routed_experts;
  width_ = c.moe_intermediate_size;
  router_ = c.router();
  gate_ = &parameters.declare(prefix + "gate.weight", {experts_, c.hidden_size});
  bias_ = &parameters.declare_state(prefix + "gate.e_score_correction_bias", {experts_});
  gate_up_.weight = &parameters.declare_linear(prefix + "experts.gate_up_proj",
                                               {experts.count(), 2 * width_, c.hidden_size});
  down_.weight = &parameters.declare_linear(prefix + "experts.down_proj",
                                            {experts.count(), c.hidden_size, width_});
  for (Parameter* weight : {gate_up_.weight, down_.weight}) {
    weight->sharing = Sharing::Experts;
    const std::int64_t each = weight->shape[1] * weight->shape[2];
    weight->first_element = experts.first * each;
    weight->whole_elements = experts_ * each;
  }
  std::vector<std::string> gate_up_names, down_names;
  for (std::int64_t e = experts.first; e < experts.end; ++e) {
    const std::string expert = prefix + "experts." + std::to_string(e) + ".";
    gate_up_names.push_back(expert + "gate_proj.weight");
    gate_up_names.push_back(expert + "up_proj.weight");
    down_names.push_back(expert + "down_proj.weight");
  }
  parameters.split(*gate_up_.weight, std::move(gate_up_names));
  parameters.split(*down_.weight, std::move(down_names));
  has_shared_ = c.n_shared_experts > 0;
  if (has_shared_) {
    shared_.declare(parameters, c.hidden_size, c.n_shared_experts * width_,
                    prefix + "shared_experts.");
  }
}

namespace {
/// Activations of a rounded operand.
Tensor widened(Pass& pass, const Tensor& h) {
  if (h.dtype() == pass.precision.activation) return h;
  Tensor copy = pass.scratch().take(pass.precision.activation, {h.size(0), h.size(1)});
  kernels::convert(pass.context, h, copy);
  return copy;
}

/// The gate's weights as six matrices of BF16 one above the other, the first three their sum.
Tensor gate_terms(Pass& pass, const Tensor& w) {
  const Tensor terms = pass.scratch().take(DType::BF16, {6, w.size(0), w.size(1)});
  kernels::split_terms(pass.context, w, kernels::Terms::Right, terms);
  return terms.reshape({6 * w.size(0), w.size(1)});
}
}  // namespace

/// The gate's product runs in FP32. On the GPU h is BF16 anyway, and a product of BF16 with the
/// three parts of the weights has the same error and several times the speed.
void Moe::gate_forward(Pass& pass, const Tensor& h, const Tensor& logits) const {
  Context& context = pass.context;
  Arena::Frame frame(pass.scratch());
  if (!pass.precision.narrow) {
    kernels::product(context, widened(pass, h), gate_->value, Transpose::B, 0.f, logits);
    return;
  }
  // The weights are not worth taking apart for a few rows.
  constexpr std::int64_t kWorthTerms = 64, kPack = 8;
  if (h.size(0) <= kWorthTerms && h.size(1) % kPack == 0) {
    kernels::rows_products(context, h, {}, 0.f, {}, {gate_->value, logits}, {});
    return;
  }
  const Tensor terms = gate_terms(pass, gate_->value).slice(0, 0, 3 * experts_);
  const Tensor parts = pass.scratch().take(logits.dtype(), {h.size(0), 3 * experts_});
  kernels::product(context, h, terms, Transpose::B, 0.f, parts);
  // The smallest first.
  kernels::convert(context, parts.slice(1, 2 * experts_, 3 * experts_), logits);
  kernels::add(context, parts.slice(1, experts_, 2 * experts_), logits);
  kernels::add(context, parts.slice(1, 0, experts_), logits);
}

void Moe::gate_products_backward(Pass& pass, const Tensor& d_logits, const Tensor& h,
                                 const Tensor& dh) const {
  Context& context = pass.context;
  Arena::Frame frame(pass.scratch());
  if (!pass.precision.narrow) {
    kernels::product(context, d_logits, gate_->value, Transpose::None, 1.f, dh);
    kernels::product(context, d_logits, widened(pass, h), Transpose::A, 1.f, gate_->grad);
    return;
  }
  const std::int64_t tokens = d_logits.size(0);
  const Tensor terms = pass.scratch().take(DType::BF16, {tokens, 6 * experts_});
  kernels::split_terms(context, d_logits, kernels::Terms::Left,
                       terms.split_last(6, experts_).transpose(0, 1));
  kernels::product(context, terms, gate_terms(pass, gate_->value), Transpose::None, 1.f, dh);
  for (const std::int64_t part : {5, 3, 0}) {  // the third, second and first parts of d_logits
    kernels::product(context, terms.slice(1, part * experts_, (part + 1) * experts_), h,
                     Transpose::A, 1.f, gate_->grad);
  }
}

void Moe::route(Pass& pass, const Tensor& h, MoeStash& s) const {
  const std::int64_t tokens = h.size(0), k = router_.top_k;
  const DType type = pass.precision.activation;
  Pass lasting = pass.keeping_in(pass.lasting_memory());
  s.logits = pass.keep.take(type, {tokens, experts_});  // read by comparisons alone
  s.scores = lasting.keep.take(type, {tokens, experts_});
  s.routed.picks = lasting.keep.take(DType::I32, {tokens, k});
  s.routed.weights = lasting.keep.take(type, {tokens, k});
  gate_forward(pass, h, s.logits);
  kernels::router_forward(pass.context, s.logits, bias_->value, router_, s.scores, s.routed.picks,
                          s.routed.weights);
  require(pass.context.dry_run || exchange_->held(experts_) == gate_up_.weight->shape[0], "model",
          "this rank holds {} of {} experts, and knows no way to the others",
          gate_up_.weight->shape[0], experts_);
  exchange_->plan(lasting, experts_, s.routed);
}

void Moe::run_experts(Pass& pass, const Operand& h, MoeStash& s, const Tensor& y) const {
  const Tensor& offsets = s.routed.permutation.offsets;
  const Tensor& row_weights = s.routed.row_weights;
  const std::int64_t rows = row_weights.size(0);
  exchange_->send(pass, h.plain, s.routed);
  const Operand sent = exchange_->dispatch(pass, h, s.routed);
  const Tensor gate_up = take_gate_up(pass, rows, width_, s.gated);
  gate_up_.forward(pass.context, sent, offsets, gate_up);
  const Operand activated = gated_forward(pass, gate_up, live_rows(s), row_weights, s.gated);
  const Tensor out = pass.scratch().take(pass.precision.inner(), {rows, y.size(1)});
  down_.forward(pass.context, activated, offsets, out);
  exchange_->combine(pass, out, s.routed, y);
}

void Moe::forward(Pass& pass, const Operand& h, MoeStash& s, const Tensor& y) const {
  Arena::Frame frame(pass.scratch());
  route(pass, h.plain, s);
  if (pass.observer) pass.observer->routed(s.routed.picks, s.routed.weights);
  run_experts(pass, h, s, y);
  if (has_shared_) shared_.forward(pass, h, s.shared, y);
}

void Moe::forward_few(Pass& pass, const Tensor& x, const Norm& norm) const {
  const std::int64_t count = x.size(0), k = router_.top_k;
  const DType type = pass.precision.activation;
  Arena& scratch = pass.scratch();
  const Tensor h = scratch.take(pass.precision.operand, {count, x.size(1)});
  const Tensor logits = scratch.take(type, {count, experts_});
  const Tensor scores = scratch.take(type, {count, experts_});
  const Tensor picks = scratch.take(DType::I32, {count, k});
  const Tensor weights = scratch.take(type, {count, k});
  kernels::rows_products(pass.context, x, norm.weight->value, norm.epsilon, h,
                         {gate_->value, logits}, {});
  kernels::router_forward(pass.context, logits, bias_->value, router_, scores, picks, weights);
  if (pass.observer) pass.observer->routed(picks, weights);
  kernels::ExpertWeights experts{gate_up_.weight->operand, down_.weight->operand, {}, {}};
  if (has_shared_) {
    experts.shared_gate_up = shared_.gate_up().weight->operand;
    experts.shared_down = shared_.down().weight->operand;
  }
  const Tensor activated =
      scratch.take(pass.precision.operand, {count, experts.slots(k), experts.widest()});
  kernels::few_experts(pass.context, h, picks, weights, experts, activated, x);
}

void Moe::make_again(Pass& pass, const Operand& h, MoeStash& s) const {
  exchange_->send(pass, h.plain, s.routed);
}

GatedStash Moe::gated_once_more(Pass& pass, const Operand& h, const MoeStash& s) const {
  GatedStash gated;
  const auto product = [&](const Tensor& gate_up) {
    Arena::Frame frame(pass.scratch());
    Pass now = pass;
    now.later = nullptr;  // no gradient reads these rows
    gate_up_.forward(pass.context, exchange_->dispatch(now, h, s.routed),
                     s.routed.permutation.offsets, gate_up);
  };
  gated_again(pass, s.routed.row_weights.size(0), width_, live_rows(s), s.routed.row_weights,
              product, gated);
  return gated;
}

void Moe::backward(Pass& pass, const Tensor& dy, const Operand& h, const Sequences& sequences,
                   const MoeStash& s, const BalanceTerm& balance, const Tensor& dh) const {
  Context& context = pass.context;
  Arena::Frame frame(pass.scratch());
  // The gradient is read several times: rounded once, as products and tiles would round it.
  const Tensor rounded = pass.plain(dy, pass.scratch());
  if (has_shared_) {
    Arena::Frame shared(pass.scratch());
    shared_.backward(pass, pass.gradient(rounded), h, s.shared, 0.f, dh);
  } else {
    kernels::fill(context, 0.0, dh);
  }
  const Tensor d_weights =
      pass.scratch().take(s.routed.weights.dtype(), {dy.size(0), router_.top_k});
  experts_backward(pass, rounded, h, s, d_weights, dh);
  gate_backward(pass, d_weights, h.plain, sequences, s, balance, dh);
}

/// Adds to dh what comes back through the routed experts, and writes the gate weights' gradients.
void Moe::experts_backward(Pass& pass, const Tensor& dy, const Operand& h, const MoeStash& s,
                           const Tensor& d_weights, const Tensor& dh) const {
  Context& context = pass.context;
  Arena::Frame frame(pass.scratch());
  const Tensor& offsets = s.routed.permutation.offsets;
  const Tensor& row_weights = s.routed.row_weights;
  const std::int64_t rows = row_weights.size(0);
  const DType type = pass.precision.inner();
  const Operand d_gate_up = take_gated_gradient(pass, rows, width_);
  {
    Arena::Frame of_down(pass.scratch());
    const GatedStash gated = pass.recompute.swiglu ? gated_once_more(pass, h, s) : s.gated;
    const Operand dy_rows = exchange_->dispatch_gradient(pass, dy, s.routed);
    const Tensor d_activated = pass.scratch().take(type, {rows, width_});
    down_.input_grad(context, dy_rows, offsets, d_activated);
    const Tensor d_row_weights = pass.scratch().take(row_weights.dtype(), {rows});
    const Operand activated = gated_backward(pass, d_activated, live_rows(s), row_weights, gated,
                                             d_gate_up, d_row_weights);
    exchange_->weights_backward(pass, d_row_weights, s.routed, d_weights);
    down_.weight_grad(pass, dy_rows, activated, offsets);
  }
  {
    Arena::Frame of_gate_up(pass.scratch());
    gate_up_.weight_grad(pass, d_gate_up, exchange_->dispatch_again(pass, h.plain, s.routed),
                         offsets);
  }
  const Tensor d_dispatched = pass.scratch().take(type, {rows, dy.size(1)});
  gate_up_.input_grad(context, d_gate_up, offsets, d_dispatched);
  exchange_->combine(pass, d_dispatched, s.routed, dh);
}

/// The gradient of the scores (T, experts), scratch. Where sequences are cut each rank has its
/// tokens' part of the loss.
Tensor Moe::balance_gradient(Pass& pass, const Sequences& sequences, const MoeStash& s,
                             const BalanceTerm& balance) const {
  Context& context = pass.context;
  const Tensor d_scores = pass.scratch().take(s.scores.dtype(), {s.scores.size(0), experts_});
  if (!sequences.cut) {
    kernels::sequence_balance(context, s.scores, sequences.starts, router_.top_k, balance.alpha,
                              balance.gradient_scale, balance.loss, d_scores);
    return d_scores;
  }
  require(context_, "model", "the sequences are cut, and this layer knows no way to the rest");
  const Tensor counts = context_->counts(context, sequences.starts.size(0) - 1, experts_);
  kernels::sequence_picks(context, s.scores, sequences.starts, router_.top_k, counts);
  context_->sum_counts(context, counts);
  kernels::sequence_balance_part(context, s.scores, sequences.starts, sequences.cut.lengths, counts,
                                 router_.top_k, balance.alpha, balance.gradient_scale, balance.loss,
                                 d_scores);
  return d_scores;
}

/// Adds to dh what comes back through the gate weights and the balance loss.
void Moe::gate_backward(Pass& pass, const Tensor& d_weights, const Tensor& h,
                        const Sequences& sequences, const MoeStash& s, const BalanceTerm& balance,
                        const Tensor& dh) const {
  Context& context = pass.context;
  const std::int64_t tokens = h.size(0);
  Tensor d_scores;
  if (balance.alpha > 0.0) d_scores = balance_gradient(pass, sequences, s, balance);
  const Tensor d_logits = pass.scratch().take(s.scores.dtype(), {tokens, experts_});
  kernels::router_backward(context, d_weights, d_scores, s.scores, s.routed.picks, router_,
                           d_logits);
  gate_products_backward(pass, d_logits, h, dh);
}

}  // namespace tessera
