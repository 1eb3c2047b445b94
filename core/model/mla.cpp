// SPDX-License-Identifier: MIT
#include "core/model/mla.h"

#include "kernels/convert/convert.h"
#include "kernels/mla_key/mla_key.h"
#include "kernels/rope/rope.h"

namespace tessera {

namespace {
/// NOTE: not rms_norm_eps. The released code of V2 and V3 makes these two norms with its default,
/// whatever config.json says, and transformers does the same; so were the models trained that have
/// another rms_norm_eps (Moonlight, GLM-4.7-Flash: 1e-5).
constexpr float kLatentEpsilon = 1e-6f;
}  // namespace

void Mla::declare(ParameterSet& parameters, const ModelConfig& c, const std::string& prefix) {
  heads_ = c.num_attention_heads;
  nope_ = c.qk_nope_head_dim;
  rope_ = c.qk_rope_head_dim;
  value_ = c.v_head_dim;
  latent_ = c.kv_lora_rank;
  query_rank_ = c.q_lora_rank;
  const auto matrix = [&](const char* name, std::int64_t out, std::int64_t in) {
    return Linear{&parameters.declare_linear(prefix + name + ".weight", {out, in})};
  };
  const auto norm = [&](const char* name, std::int64_t size) {
    return Norm{&parameters.declare(prefix + name + ".weight", {size}, Init::Ones, false),
                kLatentEpsilon};
  };
  const std::int64_t query_size = heads_ * c.qk_head_dim();
  if (query_rank_ > 0) {
    q_a_ = matrix("q_a_proj", query_rank_, c.hidden_size);
    q_norm_ = norm("q_a_layernorm", query_rank_);
    q_b_ = matrix("q_b_proj", query_size, query_rank_);
  } else {
    q_ = matrix("q_proj", query_size, c.hidden_size);
  }
  kv_a_ = matrix("kv_a_proj_with_mqa", latent_ + rope_, c.hidden_size);
  kv_norm_ = norm("kv_a_layernorm", latent_);
  kv_b_ = matrix("kv_b_proj", heads_ * (nope_ + value_), latent_);
  kv_b_.weight->linear = Parameter::Linear::Both;  // the absorbed form reads its parts
  kv_b_.weight->reads = Parameter::Reads::Operand;
  kv_b_.weight->head_rows = nope_ + value_;
  kv_b_.weight->head_first = nope_;
  o_ = matrix("o_proj", c.hidden_size, heads_ * value_);
}

Tensor Mla::rotary_key(const Tensor& kv_a) const {
  return kv_a.slice(1, latent_, latent_ + rope_).split_last(1, rope_);
}

/// q = W_UQ norm(W_DQ h) or W_Q h, (T, n, d) inner type, not yet rotated.
Tensor Mla::project_query(Pass& pass, const Operand& h, std::int64_t tokens, MlaStash& s) const {
  const std::int64_t size = heads_ * (nope_ + rope_);
  Arena& arena = makes_query_again(pass) ? pass.scratch() : pass.keep;
  const Tensor q = arena.take(pass.precision.inner(), {tokens, size});
  if (query_rank_ == 0) {
    q_.forward(pass.context, h, 0.f, q);
    return q.split_last(heads_, nope_ + rope_);
  }
  s.query_latent = pass.keep.take(pass.precision.inner(), {tokens, query_rank_});
  q_a_.forward(pass.context, h, 0.f, s.query_latent);
  s.query_latent_normed = q_norm_.input(pass, s.query_latent, s.query_latent_rstd);
  q_b_.forward(pass.context, s.query_latent_normed, 0.f, q);
  return q.split_last(heads_, nope_ + rope_);
}

/// The rotated queries from their latent, and its norm for the products on both sides; scratch.
void Mla::make_query_again(Pass& pass, const Tensor& positions, const Rotary& rotary,
                           MlaStash& s) const {
  s.query_latent_normed = q_norm_.saved(pass, s.query_latent_normed, s.query_latent,
                                        s.query_latent_rstd, false, /*with_rows=*/true);
  const Tensor q = pass.scratch().take(pass.precision.inner(),
                                       {s.query_latent.size(0), heads_ * (nope_ + rope_)});
  q_b_.forward(pass.context, s.query_latent_normed, 0.f, q);
  s.q = q.split_last(heads_, nope_ + rope_);
  kernels::rope(pass.context, rotary_part(s.q), positions, rotary.cos, rotary.sin, false);
}

void Mla::project_kv_a(Pass& pass, const Operand& h, const Tensor& positions, const Rotary& rotary,
                       MlaStash& s) const {
  s.kv_a = pass.keep.take(pass.precision.activation, {positions.size(0), latent_ + rope_});
  kv_a_.forward(pass.context, h, 0.f, s.kv_a);
  kernels::rope(pass.context, rotary_key(s.kv_a), positions, rotary.cos, rotary.sin, false);
}

/// The latent and its norm, and the rotary key, rotated in place.
void Mla::project_latent(Pass& pass, const Operand& h, const Tensor& positions,
                         const Rotary& rotary, MlaStash& s) const {
  project_kv_a(pass, h, positions, rotary, s);
  // The cache takes the plain latent.
  s.latent_normed = kv_norm_.input(pass, s.kv_a.slice(1, 0, latent_), s.latent_rstd, true);
}

bool Mla::keys_in_parts(const Pass& pass) const {
  return !pass.precision.narrow || nope_ == kernels::kFirstKeyColumns;
}

kernels::Keys Mla::keys(const MlaStash& s) const {
  return s.k_rope ? kernels::Keys(s.kv.slice(2, 0, nope_), s.k_rope) : kernels::Keys(s.k);
}

void Mla::keys_and_values(Pass& pass, const Operand& latent, Arena& arena, MlaStash& s) const {
  const std::int64_t tokens = s.kv_a.size(0);
  const DType type = pass.precision.inner();
  const Tensor kv = arena.take(type, {tokens, heads_ * (nope_ + value_)});
  kv_b_.forward(pass.context, latent, 0.f, kv);
  s.kv = kv.split_last(heads_, nope_ + value_);
  const Tensor rope = s.kv_a.slice(1, latent_, latent_ + rope_);
  if (!keys_in_parts(pass)) {
    s.k = arena.take(type, {tokens, heads_, nope_ + rope_});
    kernels::mla_key_forward(pass.context, s.kv.slice(2, 0, nope_), rope, s.k);
  } else if (type == rope.dtype()) {
    s.k_rope = rope.split_last(1, rope_);
  } else {
    const Tensor rounded = arena.take(type, {tokens, rope_});
    kernels::convert(pass.context, rope, rounded);
    s.k_rope = rounded.split_last(1, rope_);
  }
}

namespace {
/// Pass::input() of o, which is kept for backward in `packed`.
Operand packed_input(Pass& pass, const Tensor& o, kernels::PackedE5m6& packed) {
  const std::int64_t tokens = o.size(0), tiles = kernels::e5m6_tiles(o.size(1));
  packed.values = pass.keep.take(DType::U8, {tokens, tiles, kernels::kE5m6TileBytes});
  packed.scales = pass.keep.take(DType::U8, {tokens, tiles});
  Operand made;
  take_rows(pass.scratch(), tokens, o.size(1), made.tiles);
  kernels::quantise_pack_e5m6(pass.context, o, packed, made.tiles);
  return made;
}

/// Pass::saved() of o, which is written again from `packed`.
Operand packed_saved(Pass& pass, const kernels::PackedE5m6& packed, const Tensor& o) {
  Operand made;
  take_transposed(pass.weight_operands(), o.size(0), o.size(1), made.tiles);
  kernels::unpack_quantise_e5m6(pass.context, packed, o, made.tiles);
  return made;
}
}  // namespace

/// Room for o, and for the logs of the softmaxes' sums.
Tensor Mla::kept_output(Pass& pass, std::int64_t tokens, MlaStash& s) const {
  const DType type = pass.precision.inner();
  // The gradient of o_proj's weights reads o itself, or a rounded copy.
  Arena& kept = type == pass.precision.operand ? pass.kept_operands() : pass.keep;
  s.o =
      (pass.precision.packs_attention ? pass.scratch() : kept).take(type, {tokens, heads_, value_});
  s.lse = pass.keep.take(pass.precision.activation, {heads_, tokens});
  return s.o;
}

/// y += W_O o.
void Mla::output_forward(Pass& pass, MlaStash& s, const Tensor& y) const {
  const Tensor o = s.o.reshape({y.size(0), heads_ * value_});
  s.o_operand = pass.precision.packs_attention ? packed_input(pass, o, s.o_packed) : pass.input(o);
  o_.forward(pass.context, s.o_operand, 1.f, y);
}

void Mla::forward(Pass& pass, const Operand& h, const Sequences& sequences, const Rotary& rotary,
                  MlaStash& s, const Tensor& y) const {
  Context& context = pass.context;
  const std::int64_t tokens = y.size(0);
  s.q = project_query(pass, h, tokens, s);
  kernels::rope(context, rotary_part(s.q), sequences.positions, rotary.cos, rotary.sin, false);
  if (sequences.cut) {
    project_kv_a(pass, h, sequences.positions, rotary, s);
    kept_output(pass, tokens, s);
    cut_forward(pass, sequences.cut, rotary, s);
    return output_forward(pass, s, y);
  }
  project_latent(pass, h, sequences.positions, rotary, s);

  // The report computes up-projections again in backward (section 3.2.3).
  const bool again = pass.precision.fp8_backward() || pass.recompute.up_projections;
  keys_and_values(pass, s.latent_normed, again ? pass.scratch() : pass.keep, s);
  kept_output(pass, tokens, s);
  kernels::attention_forward(context, s.q, keys(s), s.kv.slice(2, nope_, nope_ + value_),
                             sequences.starts, sequences.max_length, rotary.scale, s.o, s.lse);
  output_forward(pass, s, y);
}

/// The gradient of o (T, n v), scratch, and that of the weights of o_proj.
Tensor Mla::output_backward(Pass& pass, const Tensor& dy, MlaStash& s) const {
  Context& context = pass.context;
  const std::int64_t tokens = dy.size(0);
  const DType type = pass.precision.inner();
  const bool packed = bool(s.o_packed.values);
  if (packed) {
    s.o = pass.scratch().take(type, {tokens, heads_ * value_}).split_last(heads_, value_);
  }
  const Tensor o = s.o.reshape({tokens, heads_ * value_});
  const Tensor d_o = pass.scratch().take(type, {tokens, heads_ * value_});
  Arena::Frame of_o(pass.scratch());
  const Operand dy_operand = pass.gradient(dy);
  o_.input_grad(context, dy_operand, 0.f, d_o);
  o_.weight_grad(pass, dy_operand,
                 packed ? packed_saved(pass, s.o_packed, o) : pass.saved(s.o_operand, o));
  return d_o;
}

void Mla::backward(Pass& pass, const Tensor& dy, const Operand& h, const Sequences& sequences,
                   const Rotary& rotary, const MlaStash& stash, const Tensor& dh) const {
  Context& context = pass.context;
  const std::int64_t tokens = dy.size(0);
  Arena::Frame frame(pass.scratch());
  MlaStash s = stash;
  const auto scratch = [&](std::int64_t width) {
    return pass.scratch().take(pass.precision.inner(), {tokens, width});
  };
  if (sequences.cut) {
    if (makes_query_again(pass)) make_query_again(pass, sequences.positions, rotary, s);
    const Tensor d_o = output_backward(pass, dy, s);
    const Tensor dq = scratch(heads_ * (nope_ + rope_));
    cut_backward(pass, d_o, h, sequences, rotary, s, dq.split_last(heads_, nope_ + rope_), dh);
    return query_backward(pass, dq, h, s, dh);
  }
  const bool again = pass.precision.fp8_backward() || pass.recompute.up_projections;
  const Operand latent = kv_norm_.saved(pass, s.latent_normed, s.kv_a.slice(1, 0, latent_),
                                        s.latent_rstd, false, again);
  if (again) keys_and_values(pass, latent, pass.scratch(), s);
  if (makes_query_again(pass)) make_query_again(pass, sequences.positions, rotary, s);
  const Tensor d_o = output_backward(pass, dy, s);

  const Tensor dq = scratch(heads_ * (nope_ + rope_)).split_last(heads_, nope_ + rope_);
  const Tensor d_kv = scratch(heads_ * (nope_ + value_)).split_last(heads_, nope_ + value_);
  const Tensor d_nope = d_kv.slice(2, 0, nope_);
  const bool in_parts = keys_in_parts(pass);
  const std::int64_t rest = in_parts ? rope_ : nope_ + rope_;  // what is not written to d_kv
  const Tensor dk = scratch(heads_ * rest).split_last(heads_, rest);
  const Tensor d_kv_a = pass.scratch().take(pass.precision.activation, {tokens, latent_ + rope_});
  kernels::attention_backward(context, s.q, keys(s), s.kv.slice(2, nope_, nope_ + value_),
                              sequences.starts, sequences.max_length, rotary.scale, s.o, s.lse,
                              d_o.split_last(heads_, value_), dq,
                              in_parts ? kernels::Keys(d_nope, dk) : kernels::Keys(dk),
                              d_kv.slice(2, nope_, nope_ + value_));
  kernels::mla_key_backward(context, dk, in_parts ? Tensor() : d_nope,
                            d_kv_a.slice(1, latent_, latent_ + rope_));
  kernels::rope(context, rotary_part(dq), sequences.positions, rotary.cos, rotary.sin, true);
  kernels::rope(context, rotary_key(d_kv_a), sequences.positions, rotary.cos, rotary.sin, true);

  latent_backward(pass, d_kv.reshape({tokens, heads_ * (nope_ + value_)}), d_kv_a, h, latent, s,
                  dh);
  query_backward(pass, dq.reshape({tokens, heads_ * (nope_ + rope_)}), h, s, dh);
}

/// Through W_UK, W_UV and the norm to the latent, and with the rotary key's gradient to dh,
/// written.
void Mla::latent_backward(Pass& pass, const Tensor& d_kv, const Tensor& d_kv_a, const Operand& h,
                          const Operand& normed, const MlaStash& s, const Tensor& dh) const {
  Context& context = pass.context;
  Arena::Frame frame(pass.scratch());
  const Tensor latent = s.kv_a.slice(1, 0, latent_);
  const Operand d_kv_operand = pass.gradient(d_kv);
  const Tensor d_normed = pass.scratch().take(d_kv_a.dtype(), {dh.size(0), latent_});
  kv_b_.input_grad(context, d_kv_operand, 0.f, d_normed);
  kv_b_.weight_grad(pass, d_kv_operand, normed);
  kv_norm_.backward(context, d_normed, latent, s.latent_rstd, false, d_kv_a.slice(1, 0, latent_));
  kv_a_backward(pass, d_kv_a, h, dh);
}

/// dh, written.
void Mla::kv_a_backward(Pass& pass, const Tensor& d_kv_a, const Operand& h,
                        const Tensor& dh) const {
  const Operand d_kv_a_operand = pass.gradient(d_kv_a);
  kv_a_.input_grad(pass.context, d_kv_a_operand, 0.f, dh);
  kv_a_.weight_grad(pass, d_kv_a_operand, h);
}

/// Adds the query's part to dh.
void Mla::query_backward(Pass& pass, const Tensor& dq, const Operand& h, const MlaStash& s,
                         const Tensor& dh) const {
  Context& context = pass.context;
  Arena::Frame frame(pass.scratch());
  const Operand dq_operand = pass.gradient(dq);
  if (query_rank_ == 0) {
    q_.input_grad(context, dq_operand, 1.f, dh);
    q_.weight_grad(pass, dq_operand, h);
    return;
  }
  const Tensor d_normed = pass.scratch().take(dh.dtype(), {dh.size(0), query_rank_});
  q_b_.input_grad(context, dq_operand, 0.f, d_normed);
  const Operand normed =
      makes_query_again(pass)
          ? s.query_latent_normed
          : q_norm_.saved(pass, s.query_latent_normed, s.query_latent, s.query_latent_rstd);
  q_b_.weight_grad(pass, dq_operand, normed);
  q_norm_.backward(context, d_normed, s.query_latent, s.query_latent_rstd, false, d_normed);
  const Operand d_latent_operand = pass.gradient(d_normed);
  q_a_.input_grad(context, d_latent_operand, 1.f, dh);
  q_a_.weight_grad(pass, d_latent_operand, h);
}

}  // namespace tessera
