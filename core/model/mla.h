// SPDX-License-Identifier: MIT
// Multi-head latent attention (DeepSeek-V3 report, section 2.1.1, eq. 1 to 11).
// T tokens, H hidden, n heads, c KV latent, r rotary, d = d_nope + r, v value size.
#pragma once

#include <string>

#include "core/config/model_config.h"
#include "core/model/context_exchange.h"
#include "core/model/latent_cache.h"
#include "core/model/layers.h"
#include "core/model/sequences.h"
#include "kernels/attention/attention.h"
#include "kernels/e5m6/e5m6.h"

namespace tessera {

/// Kept from forward for backward.
struct MlaStash {
  Tensor query_latent, query_latent_rstd;  ///< (T, q rank); with a latent only
  Operand query_latent_normed;             ///< (T, q rank)
  Tensor q;                                ///< (T, n, d), rotated
  Tensor kv_a;                             ///< (T, c + r), rotary part rotated
  Tensor latent_rstd;                      ///< (T)
  Operand latent_normed;                   ///< (T, c)
  Tensor k;                                ///< (T, n, d), where keys are not read in parts
  Tensor k_rope;                           ///< (T, 1, r), where they are; of inner type
  Tensor kv;                               ///< (T, n, d_nope + v)
  Tensor o, lse;                           ///< (T, n, v), (n, T)
  kernels::PackedE5m6 o_packed;            ///< (T, n v): kept instead of o where it is packed
  Operand o_operand;                       ///< (T, n v)
};

class Mla {
 public:
  /// Declares the weights of `prefix` ("model.layers.3.self_attn.").
  void declare(ParameterSet& parameters, const ModelConfig& config, const std::string& prefix);

  /// y += attention of h; h (T, H), y (T, H) inner type. Leaves scratch behind that the stash
  /// points to: the caller frames it.
  void forward(Pass& pass, const Operand& h, const Sequences& sequences, const Rotary& rotary,
               MlaStash& stash, const Tensor& y) const;

  /// dh (T, H), written, from dy (T, H); adds the gradients of the weights. `h` as Pass::saved()
  /// has it.
  void backward(Pass& pass, const Tensor& dy, const Operand& h, const Sequences& sequences,
                const Rotary& rotary, const MlaStash& stash, const Tensor& dh) const;

  /// y += attention of the new tokens' h over everything in the cache of this layer, theirs
  /// included, which this call writes. With `tokens.fresh` in the plain form, else in the absorbed
  /// one (section 2.1.1 of the report; appendix of arXiv:2405.04434).
  void forward_cached(Pass& pass, const Operand& h, const CachedTokens& tokens,
                      const Rotary& rotary, const Tensor& cache, const Tensor& y) const;

  /// The same by the kernels for few rows: x (T, H) += attention of `norm` of x.
  void forward_few(Pass& pass, const Tensor& x, const Norm& norm, const CachedTokens& tokens,
                   const Rotary& rotary, const Tensor& cache) const;

  /// The way to the latents of other ranks' tokens; `exchange` must outlive the layer's use.
  void set_context(const ContextExchange& exchange) { context_ = &exchange; }

 private:
  /// Whether backward makes the queries again.
  bool makes_query_again(const Pass& pass) const {
    return pass.recompute.up_projections && query_rank_ > 0;
  }
  Tensor project_query(Pass& pass, const Operand& h, std::int64_t tokens, MlaStash& stash) const;
  void make_query_again(Pass& pass, const Tensor& positions, const Rotary& rotary,
                        MlaStash& stash) const;
  /// The latent and the rotary key, rotated, before the latent's norm.
  void project_kv_a(Pass& pass, const Operand& h, const Tensor& positions, const Rotary& rotary,
                    MlaStash& stash) const;
  void project_latent(Pass& pass, const Operand& h, const Tensor& positions, const Rotary& rotary,
                      MlaStash& stash) const;
  Tensor kept_output(Pass& pass, std::int64_t tokens, MlaStash& stash) const;
  void output_forward(Pass& pass, MlaStash& stash, const Tensor& y) const;
  Tensor output_backward(Pass& pass, const Tensor& dy, MlaStash& stash) const;
  /// Whether attention reads keys in parts: of kv, and the one rotary key.
  bool keys_in_parts(const Pass& pass) const;
  kernels::Keys keys(const MlaStash& stash) const;
  /// Fills kv of the stash from the normed latent, and k with the rotary key where it is needed; in
  /// `arena`.
  void keys_and_values(Pass& pass, const Operand& latent, Arena& arena, MlaStash& stash) const;
  void query_backward(Pass& pass, const Tensor& dq, const Operand& h, const MlaStash& stash,
                      const Tensor& dh) const;
  void latent_backward(Pass& pass, const Tensor& d_kv, const Tensor& d_kv_a, const Operand& h,
                       const Operand& latent, const MlaStash& stash, const Tensor& dh) const;
  void kv_a_backward(Pass& pass, const Tensor& d_kv_a, const Operand& h, const Tensor& dh) const;

  // Where sequences are cut (mla_context.cpp).
  const ContextExchange& latent_exchange() const;
  MlaStash seen_latents(Pass& pass, const ContextCut& cut, const Tensor& kv_a,
                        Arena& operands) const;
  void cut_forward(Pass& pass, const ContextCut& cut, const Rotary& rotary, MlaStash& stash) const;
  void cut_backward(Pass& pass, const Tensor& d_o, const Operand& h, const Sequences& sequences,
                    const Rotary& rotary, const MlaStash& stash, const Tensor& dq,
                    const Tensor& dh) const;

  void packed_heads(Pass& pass, const Tensor& x, const kernels::PackedWeight& w,
                    const Tensor& to) const;
  Tensor few_queries(Pass& pass, const Tensor& x, const Norm& norm, const Tensor& kv_a) const;
  Tensor absorbed_attention(Pass& pass, const Tensor& q, const CachedTokens& tokens,
                            const Rotary& rotary, const Tensor& cache) const;
  Tensor rotary_part(const Tensor& q) const { return q.slice(2, nope_, nope_ + rope_); }
  Tensor rotary_key(const Tensor& kv_a) const;

  std::int64_t heads_ = 0, nope_ = 0, rope_ = 0, value_ = 0, latent_ = 0, query_rank_ = 0;
  Linear q_, q_a_, q_b_, kv_a_, kv_b_, o_;
  Norm q_norm_, kv_norm_;
  const ContextExchange* context_ = nullptr;
};

}  // namespace tessera
