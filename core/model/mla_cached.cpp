// SPDX-License-Identifier: MIT
// MLA over the latent cache. In the absorbed form W_UK goes to the query and W_UV to the output, so
// that keys and values are the cached latent itself: q' = W_UK^T q_c.
#include "core/model/mla.h"
#include "kernels/attention_decode/attention_decode.h"
#include "kernels/cache_write/cache_write.h"
#include "kernels/convert/convert.h"
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
/// A contiguous copy (heads, T, d) of x (T, heads, d) in the type that products read.
Tensor by_heads(Pass& pass, const Tensor& x) {
  const Tensor view = x.transpose(0, 1);
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

}  // namespace tessera
