// SPDX-License-Identifier: MIT
// One pre-norm transformer block: x + attention(norm(x)), then + feed-forward(norm(.)), dense or
// mixture of experts.
#pragma once

#include <string>

#include "core/model/feed_forward.h"
#include "core/model/mla.h"
#include "core/model/moe.h"

namespace tessera {

/// With Recompute::blocks x and the router's decision alone.
struct BlockStash {
  Tensor x;               ///< (T, H) the block's input
  Tensor attention_rstd;  ///< (T)
  Operand attention_in;   ///< (T, H)
  MlaStash attention;
  Tensor middle;    ///< (T, H) after attention
  Tensor ffn_rstd;  ///< (T)
  Operand ffn_in;   ///< (T, H)
  GatedStash dense;
  MoeStash moe;
};

class Block {
 public:
  /// Declares the weights of `prefix` ("model.layers.3."); `layer` decides dense or experts.
  /// A layer with experts gets those of `experts` alone.
  void declare(ParameterSet& parameters, const ModelConfig& config, std::int64_t layer,
               const ExpertRange& experts, const std::string& prefix);

  /// Returns the block's output (T, H), kept.
  Tensor forward(Pass& pass, const Tensor& x, const Sequences& sequences, const Rotary& rotary,
                 BlockStash& stash) const;

  /// dx holds the gradient of the output and becomes that of the input; (T, H). With
  /// Recompute::blocks the stash is made again first, in pass.again: all that backward reads, so
  /// neither the last products of the feed-forward nor what comes back from other ranks' experts.
  void backward(Pass& pass, const Sequences& sequences, const Rotary& rotary,
                const BlockStash& stash, const BalanceTerm& balance, const Tensor& dx) const;

  /// x becomes the block's output; the new tokens go into the cache of this layer.
  void forward_cached(Pass& pass, const CachedTokens& tokens, const Rotary& rotary,
                      const Tensor& cache, BlockStash& stash, const Tensor& x) const;

  /// The same by the kernels for few rows.
  void forward_few(Pass& pass, const CachedTokens& tokens, const Rotary& rotary,
                   const Tensor& cache, const Tensor& x) const;

  void set_exchange(const ExpertExchange& exchange) { moe_.set_exchange(exchange); }
  /// For sequences that are cut over ranks; `exchange` must outlive the block's use.
  void set_context(const ContextExchange& exchange) {
    attention_.set_context(exchange);
    moe_.set_context(exchange);
  }
  bool is_moe() const { return is_moe_; }
  const Moe& moe() const { return moe_; }

 private:
  /// From stash.x to stash.middle.
  void attend(Pass& pass, const Sequences& sequences, const Rotary& rotary,
              BlockStash& stash) const;
  /// From stash.middle to y.
  void feed_forward(Pass& pass, BlockStash& stash, const Tensor& y) const;
  void feed_forward(Pass& pass, const Operand& h, BlockStash& stash, const Tensor& y) const;
  void make_again(Pass& pass, const Sequences& sequences, const Rotary& rotary,
                  BlockStash& stash) const;
  void backward_of(Pass& pass, const Sequences& sequences, const Rotary& rotary,
                   const BlockStash& stash, const BalanceTerm& balance, const Tensor& dx) const;

  bool is_moe_ = false;
  Norm attention_norm_, ffn_norm_;
  Mla attention_;
  FeedForward dense_;
  Moe moe_;
};

}  // namespace tessera
