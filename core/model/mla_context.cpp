// SPDX-License-Identifier: MIT
// MLA where sequences are cut over ranks: queries of this rank's tokens, keys and values of all
// that they see. Keys and values are made of the gathered latents, and again in backward: kept,
// they would take the memory that cutting the sequences is to save.
#include "core/base/error.h"
#include "core/model/mla.h"
#include "kernels/attention/attention_ranges.h"
#include "kernels/convert/convert.h"
#include "kernels/mla_key/mla_key.h"
#include "kernels/rope/rope.h"

namespace tessera {

const ContextExchange& Mla::latent_exchange() const {
  require(context_, "model", "the sequences are cut, and this layer knows no way to the rest");
  return *context_;
}

/// Latents and rotary keys of all keys, and the latents' norm, which goes to `operands`.
MlaStash Mla::seen_latents(Pass& pass, const ContextCut& cut, const Tensor& kv_a,
                           Arena& operands) const {
  MlaStash seen;
  seen.kv_a = latent_exchange().gather(pass, cut, kv_a);
  Pass now = pass.keeping_in(operands);
  now.later = nullptr;
  now.recompute.norms = false;
  seen.latent_normed = kv_norm_.input(now, seen.kv_a.slice(1, 0, latent_), seen.latent_rstd);
  return seen;
}

void Mla::cut_forward(Pass& pass, const ContextCut& cut, const Rotary& rotary, MlaStash& s) const {
  Arena::Frame frame(pass.scratch());
  MlaStash seen = seen_latents(pass, cut, s.kv_a, pass.scratch());
  keys_and_values(pass, seen.latent_normed, pass.scratch(), seen);
  kernels::attention_ranges_forward(pass.context, s.q, keys(seen),
                                    seen.kv.slice(2, nope_, nope_ + value_), cut.ranges,
                                    rotary.scale, s.o, s.lse);
}

/// dq, written, and what comes back through the latents to dh, written.
void Mla::cut_backward(Pass& pass, const Tensor& d_o, const Operand& h, const Sequences& sequences,
                       const Rotary& rotary, const MlaStash& s, const Tensor& dq,
                       const Tensor& dh) const {
  Context& context = pass.context;
  const ContextCut& cut = sequences.cut;
  const std::int64_t count = cut.keys.size(0);
  Arena::Frame frame(pass.scratch());
  MlaStash seen = seen_latents(pass, cut, s.kv_a, pass.weight_operands());
  if (pass.precision.fp8_backward()) {
    seen.latent_normed = kv_norm_.saved(pass, seen.latent_normed, seen.kv_a.slice(1, 0, latent_),
                                        seen.latent_rstd, false, /*with_rows=*/true);
  }
  keys_and_values(pass, seen.latent_normed, pass.scratch(), seen);

  const auto by_heads = [&](std::int64_t width) {
    return pass.scratch()
        .take(pass.precision.inner(), {count, heads_ * width})
        .split_last(heads_, width);
  };
  const Tensor d_kv = by_heads(nope_ + value_), d_nope = d_kv.slice(2, 0, nope_);
  const bool in_parts = keys_in_parts(pass);
  const Tensor dk = by_heads(in_parts ? rope_ : nope_ + rope_);
  kernels::attention_ranges_backward(context, s.q, keys(seen),
                                     seen.kv.slice(2, nope_, nope_ + value_), cut.ranges,
                                     rotary.scale, s.o, s.lse, d_o.split_last(heads_, value_), dq,
                                     in_parts ? kernels::Keys(d_nope, dk) : kernels::Keys(dk),
                                     d_kv.slice(2, nope_, nope_ + value_));
  kernels::rope(context, rotary_part(dq), sequences.positions, rotary.cos, rotary.sin, true);

  const DType type = pass.precision.activation;
  const Tensor d_keys = pass.scratch().take(type, {count, latent_ + rope_});
  kernels::mla_key_backward(context, dk, in_parts ? Tensor() : d_nope,
                            d_keys.slice(1, latent_, latent_ + rope_));
  const Operand d_kv_operand = pass.gradient(d_kv.reshape({count, heads_ * (nope_ + value_)}));
  const Tensor d_normed = pass.scratch().take(type, {count, latent_});
  kv_b_.input_grad(context, d_kv_operand, 0.f, d_normed);
  kv_b_.weight_grad(pass, d_kv_operand, seen.latent_normed);
  kernels::convert(context, d_normed, d_keys.slice(1, 0, latent_));

  const Tensor d_kv_a = latent_exchange().scatter_sum(pass, cut, d_keys, dh.size(0));
  kernels::rope(context, rotary_key(d_kv_a), sequences.positions, rotary.cos, rotary.sin, true);
  const Tensor latent = s.kv_a.slice(1, 0, latent_), d_latent = d_kv_a.slice(1, 0, latent_);
  Pass now = pass.keeping_in(pass.scratch());
  const Tensor normed = pass.scratch().take(pass.precision.operand, {dh.size(0), latent_});
  kv_norm_.backward(context, d_latent, latent, kv_norm_.forward(now, latent, normed), false,
                    d_latent);
  kv_a_backward(pass, d_kv_a, h, dh);
}

}  // namespace tessera
