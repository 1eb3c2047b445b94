// SPDX-License-Identifier: MIT
#include "core/model/block.h"

#include <utility>

#include "core/base/error.h"

namespace tessera {

void Block::declare(ParameterSet& parameters, const ModelConfig& c, std::int64_t layer,
                    const ExpertRange& experts, const std::string& prefix) {
  const auto norm = [&](const char* name) {
    return Norm{&parameters.declare(prefix + name + ".weight", {c.hidden_size}, Init::Ones, false),
                static_cast<float>(c.rms_norm_eps)};
  };
  is_moe_ = c.is_moe_layer(layer);
  attention_norm_ = norm("input_layernorm");
  attention_.declare(parameters, c, prefix + "self_attn.");
  ffn_norm_ = norm("post_attention_layernorm");
  if (is_moe_) {
    moe_.declare(parameters, c, experts, prefix + "mlp.");
  } else {
    dense_.declare(parameters, c.hidden_size, c.intermediate_size, prefix + "mlp.");
  }
}

void Block::feed_forward(Pass& pass, const Operand& h, BlockStash& s, const Tensor& y) const {
  if (is_moe_) {
    moe_.forward(pass, h, s.moe, y);
  } else {
    dense_.forward(pass, h, s.dense, y);
  }
}

/// The stream goes on in copies of x, to which the layers' last products add.
void Block::attend(Pass& pass, const Sequences& sequences, const Rotary& rotary,
                   BlockStash& s) const {
  s.middle = pass.keep.take(s.x.dtype(), {s.x.size(0), s.x.size(1)});
  pass.look();
  Arena::Frame frame(pass.scratch());
  s.attention_in = attention_norm_.input(pass, s.x, s.attention_rstd, false, s.middle);
  attention_.forward(pass, s.attention_in, sequences, rotary, s.attention, s.middle);
}

void Block::feed_forward(Pass& pass, BlockStash& s, const Tensor& y) const {
  pass.look();
  Arena::Frame frame(pass.scratch());
  s.ffn_in = ffn_norm_.input(pass, s.middle, s.ffn_rstd, is_moe_, y);
  feed_forward(pass, s.ffn_in, s, y);
}

Tensor Block::forward(Pass& pass, const Tensor& x, const Sequences& sequences, const Rotary& rotary,
                      BlockStash& s) const {
  s.x = x;
  const Tensor y = pass.keep.take(x.dtype(), {x.size(0), x.size(1)});
  if (!pass.recompute.blocks) {
    attend(pass, sequences, rotary, s);
    feed_forward(pass, s, y);
    return y;
  }
  Arena::Frame frame(pass.scratch());
  Pass passing = pass.keeping_in(pass.scratch());
  passing.recompute = {};
  BlockStash gone;
  gone.x = x;
  attend(passing, sequences, rotary, gone);
  feed_forward(passing, gone, y);
  s.moe.scores = gone.moe.scores;
  s.moe.routed = std::move(gone.moe.routed);
  s.moe.routed.ranks.received = {};
  return y;
}

void Block::make_again(Pass& pass, const Sequences& sequences, const Rotary& rotary,
                       BlockStash& s) const {
  attend(pass, sequences, rotary, s);
  pass.look();
  Arena::Frame frame(pass.scratch());
  s.ffn_in = ffn_norm_.input(pass, s.middle, s.ffn_rstd, is_moe_);
  if (is_moe_) moe_.make_again(pass, s.ffn_in, s.moe);
}

void Block::backward(Pass& pass, const Sequences& sequences, const Rotary& rotary,
                     const BlockStash& s, const BalanceTerm& balance, const Tensor& dx) const {
  if (!pass.recompute.blocks) return backward_of(pass, sequences, rotary, s, balance, dx);
  require(pass.again, "model", "backward has no memory to make a block again");
  Arena::Frame frame(*pass.again);
  Pass again = pass.keeping_in(*pass.again);
  again.recompute.blocks = false;
  again.recompute.swiglu = true;  // backward makes it where it reads it: once, as here, but shorter
  BlockStash made = s;
  make_again(again, sequences, rotary, made);
  backward_of(again, sequences, rotary, made, balance, dx);
}

void Block::backward_of(Pass& pass, const Sequences& sequences, const Rotary& rotary,
                        const BlockStash& s, const BalanceTerm& balance, const Tensor& dx) const {
  Arena::Frame frame(pass.scratch());
  const Tensor dh = pass.scratch().take(dx.dtype(), {dx.size(0), dx.size(1)});
  pass.look();
  {
    Arena::Frame of_ffn(pass.scratch());
    const Operand h =
        ffn_norm_.saved(pass, s.ffn_in, s.middle, s.ffn_rstd, is_moe_, pass.recompute.swiglu);
    if (is_moe_) {
      moe_.backward(pass, dx, h, sequences, s.moe, balance, dh);
    } else {
      dense_.backward(pass, pass.gradient(dx), h, s.dense, 0.f, dh);
    }
  }
  ffn_norm_.backward(pass.context, dh, s.middle, s.ffn_rstd, true, dx);
  pass.look();
  const Operand h = attention_norm_.saved(pass, s.attention_in, s.x, s.attention_rstd);
  attention_.backward(pass, dx, h, sequences, rotary, s.attention, dh);
  attention_norm_.backward(pass.context, dh, s.x, s.attention_rstd, true, dx);
}

void Block::forward_few(Pass& pass, const CachedTokens& tokens, const Rotary& rotary,
                        const Tensor& cache, const Tensor& x) const {
  {
    Arena::Frame frame(pass.scratch());
    attention_.forward_few(pass, x, attention_norm_, tokens, rotary, cache);
  }
  Arena::Frame frame(pass.scratch());
  if (is_moe_) {
    moe_.forward_few(pass, x, ffn_norm_);
  } else {
    dense_.forward_few(pass, x, ffn_norm_);
  }
}

void Block::forward_cached(Pass& pass, const CachedTokens& tokens, const Rotary& rotary,
                           const Tensor& cache, BlockStash& s, const Tensor& x) const {
  if (pass.few_rows && (!is_moe_ || moe_.holds_all_experts())) {
    return forward_few(pass, tokens, rotary, cache, x);
  }
  {
    Arena::Frame frame(pass.scratch());
    const Operand h = attention_norm_.input(pass, x, s.attention_rstd);
    attention_.forward_cached(pass, h, tokens, rotary, cache, x);
  }
  Arena::Frame frame(pass.scratch());
  const Operand h = ffn_norm_.input(pass, x, s.ffn_rstd, is_moe_);
  feed_forward(pass, h, s, x);
}

}  // namespace tessera
