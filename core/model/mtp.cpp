// SPDX-License-Identifier: MIT
#include "core/model/mtp.h"

namespace tessera {

void Mtp::declare(ParameterSet& parameters, const ModelConfig& c, const ExpertRange& experts,
                  const Linear& output) {
  const std::string prefix = "model.layers." + std::to_string(c.num_hidden_layers) + ".";
  const auto norm = [&](const char* name) {
    return Norm{&parameters.declare(prefix + name + ".weight", {c.hidden_size}, Init::Ones, false),
                static_cast<float>(c.rms_norm_eps)};
  };
  embedding_norm_ = norm("enorm");
  hidden_norm_ = norm("hnorm");
  join_.weight =
      &parameters.declare_linear(prefix + "eh_proj.weight", {c.hidden_size, 2 * c.hidden_size});
  block_.declare(parameters, c, c.num_hidden_layers, experts, prefix);
  head_ = {norm("shared_head.norm"), output};
}

void Mtp::forward(Pass& pass, const Tensor& hidden, const Tensor& embedded,
                  const Sequences& sequences, const Rotary& rotary, const LossTerm& term,
                  MtpStash& s) const {
  const std::int64_t tokens = hidden.size(0), width = hidden.size(1);
  s.hidden = hidden;
  s.embedded = embedded;
  const Tensor x = pass.keep.take(pass.precision.inner(), {tokens, width});
  {
    Arena::Frame frame(pass.scratch());
    Arena& arena = pass.recompute.norms ? pass.scratch() : pass.keep;
    s.joined = arena.take(pass.precision.operand, {tokens, 2 * width});
    s.embedded_rstd = embedding_norm_.forward(pass, embedded, s.joined.slice(1, 0, width));
    s.hidden_rstd = hidden_norm_.forward(pass, hidden, s.joined.slice(1, width, 2 * width));
    s.joined_operand = pass.input(s.joined);
    join_.forward(pass.context, s.joined_operand, 0.f, x);
  }
  const Tensor y = block_.forward(pass, x, sequences, rotary, s.block);
  head_.normalise(pass, y, s.head);
  head_.loss(pass, term, s.head);
}

/// The joined norms as the product's weight gradient reads them.
Operand Mtp::saved_join(Pass& pass, const MtpStash& s) const {
  if (!pass.recompute.norms) return pass.saved(s.joined_operand, s.joined);
  const std::int64_t tokens = s.hidden.size(0), width = s.hidden.size(1);
  Arena& arena = pass.precision.fp8_backward() ? pass.scratch() : pass.weight_operands();
  const Tensor joined = arena.take(pass.precision.operand, {tokens, 2 * width});
  embedding_norm_.again(pass.context, s.embedded, s.embedded_rstd, joined.slice(1, 0, width));
  hidden_norm_.again(pass.context, s.hidden, s.hidden_rstd, joined.slice(1, width, 2 * width));
  return pass.saved({joined, {}}, joined);
}

void Mtp::backward(Pass& pass, const Sequences& sequences, const Rotary& rotary, const MtpStash& s,
                   const BalanceTerm& balance, const Tensor& d_embedded,
                   const Tensor& d_hidden) const {
  const std::int64_t tokens = s.hidden.size(0), width = s.hidden.size(1);
  const Tensor& dx = s.head.dx;
  block_.backward(pass, sequences, rotary, s.block, balance, dx);
  Arena::Frame frame(pass.scratch());
  const Operand dx_operand = pass.gradient(dx);
  const Tensor d_joined = pass.scratch().take(dx.dtype(), {tokens, 2 * width});
  join_.input_grad(pass.context, dx_operand, 0.f, d_joined);
  join_.weight_grad(pass, dx_operand, saved_join(pass, s));
  embedding_norm_.backward(pass.context, d_joined.slice(1, 0, width), s.embedded, s.embedded_rstd,
                           false, d_embedded);
  hidden_norm_.backward(pass.context, d_joined.slice(1, width, 2 * width), s.hidden, s.hidden_rstd,
                        true, d_hidden);
}

}  // namespace tessera
