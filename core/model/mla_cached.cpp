// SPDX-License-Identifier: MIT
// MLA over the latent cache. In the absorbed form W_UK goes to the query and W_UV to the output, so
// that keys and values are the cached latent itself: q' = W_UK^T q_c.
#include "core/model/mla.h"
#include "kernels/attention_decode/attention_decode.h"
#include "kernels/cache_write/cache_write.h"
#include "kernels/convert/convert.h"
#include "kernels/few_rows/few_rows.h"
#include "kernels/packed_product/packed_product.h"
#include "kernels/product/product.h"
#include "kernels/rope/rope.h"

namespace tessera {

using kernels::Transpose;

void Mla::forward_cached(Pass& pass, const Operand& h, const CachedTokens& tokens,
                         const Rotary& rotary, const Tensor& cache, const Tensor& y) const {
  MlaStash s;
  if (tokens.fresh) {
    forward(pass, h, tokens.sequences, rotary, s, y);
    kernels::cache_write(pass.context, s.latent_normed.plain,
                         s.kv_a.slice(1, latent_, latent_ + rope_), tokens.slots, cache);
    return;
  }
  const Tensor& positions = tokens.sequences.positions;
  const Tensor q = project_query(pass, h, positions.size(0), s);
  kernels::rope(pass.context, rotary_part(q), positions, rotary.cos, rotary.sin, false);
  project_latent(pass, h, positions, rotary, s);
  kernels::cache_write(pass.context, s.latent_normed.plain,
                       s.kv_a.slice(1, latent_, latent_ + rope_), tokens.slots, cache);
  const Tensor o = absorbed_attention(pass, q, tokens, rotary, cache);
  o_.forward(pass.context, pass.input(o), 1.f, y);
}

namespace {
/// x (T, heads, d) as (heads, T, d) in the type that products read: on the CPU a contiguous copy,
/// on the GPU, whose products take any stride, only where the type is another.
Tensor by_heads(Pass& pass, const Tensor& x) {
  const Tensor view = x.transpose(0, 1);
  if (pass.precision.narrow && x.dtype() == pass.precision.operand) return view;
  const Tensor copy =
      pass.keep.take(pass.precision.operand, {view.size(0), view.size(1), view.size(2)});
  kernels::convert(pass.context, view, copy);
  return copy;
}
}  // namespace

/// to (T, heads, n) = x (T, heads, k) with the packed matrix of each head.
void Mla::packed_heads(Pass& pass, const Tensor& x, const kernels::PackedWeight& w,
                       const Tensor& to) const {
  const std::int64_t count = x.size(0);
  const Tensor offsets = pass.keep.take(DType::I32, {heads_ + 1});
  if (!pass.context.dry_run) {
    for (std::int64_t head = 0; head <= heads_; ++head) {
      offsets.data<std::int32_t>()[head] = static_cast<std::int32_t>(head * count);
    }
  }
  const Tensor made = pass.keep.take(pass.precision.activation, {heads_, count, to.size(2)});
  kernels::packed_product(pass.context, by_heads(pass, x).reshape({heads_ * count, x.size(2)}), w,
                          offsets, 0.f, made.reshape({heads_ * count, to.size(2)}));
  kernels::convert(pass.context, made, to.transpose(0, 1));
}

/// (T, n v) from q (T, n, d), rotated.
Tensor Mla::absorbed_attention(Pass& pass, const Tensor& q, const CachedTokens& tokens,
                               const Rotary& rotary, const Tensor& cache) const {
  Context& context = pass.context;
  const std::int64_t count = q.size(0);
  const DType type = pass.precision.inner();
  const Parameter& weight = *kv_b_.weight;
  const bool packed = static_cast<bool>(weight.packed_t);
  const Tensor up = packed ? Tensor() : weight.operand.reshape({heads_, nope_ + value_, latent_});

  const Tensor absorbed = pass.keep.take(type, {count, heads_, latent_ + rope_});
  const Tensor query = q.slice(2, 0, nope_), in_latents = absorbed.slice(2, 0, latent_);
  if (packed) {
    packed_heads(pass, query, weight.packed_t, in_latents);
  } else {
    kernels::product(context, by_heads(pass, query), up.slice(1, 0, nope_), Transpose::None, 0.f,
                     in_latents.transpose(0, 1));
  }
  kernels::convert(context, rotary_part(q), absorbed.slice(2, latent_, latent_ + rope_));

  const Tensor latents = pass.keep.take(type, {count, heads_, latent_});
  kernels::attention_decode(context, absorbed, cache, tokens.pages, tokens.lengths, rotary.scale,
                            latents);

  const Tensor o = pass.keep.take(type, {count, heads_ * value_});
  const Tensor values = o.split_last(heads_, value_);
  if (packed) {
    packed_heads(pass, latents, weight.packed.parts(heads_, nope_, nope_ + value_), values);
  } else {
    kernels::product(context, by_heads(pass, latents), up.slice(1, nope_, nope_ + value_),
                     Transpose::B, 0.f, values.transpose(0, 1));
  }
  return o;
}

/// q (T, n, d), not yet rotated, and kv_a, which is written: scratch.
Tensor Mla::few_queries(Pass& pass, const Tensor& x, const Norm& norm, const Tensor& kv_a) const {
  Context& context = pass.context;
  const DType type = pass.precision.inner();
  const kernels::RowsProduct to_kv{kv_a_.weight->operand, kv_a};
  const Tensor q = pass.scratch().take(type, {x.size(0), heads_ * (nope_ + rope_)});
  if (query_rank_ == 0) {
    kernels::rows_products(context, x, norm.weight->value, norm.epsilon, {},
                           {q_.weight->operand, q}, to_kv);
  } else {
    const Tensor latent = pass.scratch().take(type, {x.size(0), query_rank_});
    kernels::rows_products(context, x, norm.weight->value, norm.epsilon, {},
                           {q_a_.weight->operand, latent}, to_kv);
    kernels::rows_products(context, latent, q_norm_.weight->value, q_norm_.epsilon, {},
                           {q_b_.weight->operand, q}, {});
  }
  return q.split_last(heads_, nope_ + rope_);
}

void Mla::forward_few(Pass& pass, const Tensor& x, const Norm& norm, const CachedTokens& tokens,
                      const Rotary& rotary, const Tensor& cache) const {
  Context& context = pass.context;
  Arena& scratch = pass.scratch();
  const std::int64_t count = x.size(0);
  const DType type = pass.precision.inner();
  const Tensor up = kv_b_.weight->operand.reshape({heads_, nope_ + value_, latent_});
  const Tensor kv_a = scratch.take(pass.precision.activation, {count, latent_ + rope_});
  const Tensor q = few_queries(pass, x, norm, kv_a);

  const Tensor absorbed = scratch.take(type, {count, heads_, latent_ + rope_});
  kernels::latent_step(context, q, kv_a, kv_norm_.weight->value, kv_norm_.epsilon,
                       tokens.sequences.positions, rotary.cos, rotary.sin, tokens.slots,
                       up.slice(1, 0, nope_), cache, absorbed);
  const Tensor latents = scratch.take(type, {count, heads_, latent_});
  const auto& attend =
      pass.rows_alone ? kernels::attention_decode_alone : kernels::attention_decode;
  attend(context, absorbed, cache, tokens.pages, tokens.lengths, rotary.scale, latents);

  const Tensor o = scratch.take(type, {count, heads_ * value_});
  kernels::rows_products(
      context, latents.transpose(0, 1), {}, 0.f, {},
      {up.slice(1, nope_, nope_ + value_), o.split_last(heads_, value_).transpose(0, 1)}, {});
  kernels::rows_products(context, o, {}, 0.f, {}, {o_.weight->operand, x, true}, {});
}

}  // namespace tessera
