// SPDX-License-Identifier: MIT
// Fine-grained mixture of experts with shared experts and loss-free balance (DeepSeek-V3 report,
// section 2.1.2). No token is dropped; an expert without tokens is normal.
#pragma once

#include <string>

#include "core/config/layout.h"
#include "core/model/context_exchange.h"
#include "core/model/expert_exchange.h"
#include "core/model/feed_forward.h"
#include "core/model/sequences.h"

namespace tessera {

/// Kept from forward for backward.
struct MoeStash {
  Tensor logits, scores;  ///< (T, experts)
  RoutedTokens routed;
  GatedStash gated;  ///< what the routed experts keep, whose outputs hold their weights already
  GatedStash shared;
};

/// The sequence-wise balance loss of a micro-batch.
struct BalanceTerm {
  double alpha = 0.0;           ///< 0: off
  double gradient_scale = 1.0;  ///< weight of this micro-batch in the step
  Tensor loss;                  ///< (1) F64, the layers' losses are written here one by one
};

class Moe {
 public:
  /// Declares gate, selection bias, those experts and shared experts under `prefix`.
  void declare(ParameterSet& parameters, const ModelConfig& config, const ExpertRange& experts,
               const std::string& prefix);

  /// y += experts of h; h (T, H) with its plain part, y (T, H) inner type. Slots per expert
  /// are left in stash.routed.loads.
  void forward(Pass& pass, const Operand& h, MoeStash& stash, const Tensor& y) const;

  /// x (T, H) += experts of `norm` of x, by the kernels for few rows. For layers that hold all of
  /// their experts.
  void forward_few(Pass& pass, const Tensor& x, const Norm& norm) const;
  bool holds_all_experts() const { return exchange_ == &local_exchange(); }

  /// Fills the stash once more but for SwiGLU's input, which backward makes then. What the router
  /// decided is there already; tokens are sent to other ranks' experts again.
  void make_again(Pass& pass, const Operand& h, MoeStash& stash) const;

  /// dh, written, from dy; both (T, H) inner type. `h` as Pass::saved() has it, with its plain
  /// part, and with Recompute::swiglu for a forward product too.
  void backward(Pass& pass, const Tensor& dy, const Operand& h, const Sequences& sequences,
                const MoeStash& stash, const BalanceTerm& balance, const Tensor& dh) const;

  /// How tokens reach the experts; `exchange` must outlive the layer's use. Until it is called all
  /// experts are held here.
  void set_exchange(const ExpertExchange& exchange) { exchange_ = &exchange; }

  /// How the balance loss counts picks where sequences are cut over ranks; `exchange` must outlive
  /// the layer's use.
  void set_context(const ContextExchange& exchange) { context_ = &exchange; }

  /// The selection bias, (experts) F32.
  const Tensor& bias() const { return bias_->value; }
  std::int64_t experts() const { return experts_; }

 private:
  void gate_forward(Pass& pass, const Tensor& h, const Tensor& logits) const;
  void route(Pass& pass, const Tensor& h, MoeStash& stash) const;
  void run_experts(Pass& pass, const Operand& h, MoeStash& stash, const Tensor& y) const;
  GatedStash gated_once_more(Pass& pass, const Operand& h, const MoeStash& stash) const;
  void experts_backward(Pass& pass, const Tensor& dy, const Operand& h, const MoeStash& stash,
                        const Tensor& d_weights, const Tensor& dh) const;
  /// Adds to dh and to the gate's gradient.
  void gate_products_backward(Pass& pass, const Tensor& d_logits, const Tensor& h,
                              const Tensor& dh) const;
  Tensor balance_gradient(Pass& pass, const Sequences& sequences, const MoeStash& stash,
                          const BalanceTerm& balance) const;
  void gate_backward(Pass& pass, const Tensor& d_weights, const Tensor& h,
                     const Sequences& sequences, const MoeStash& stash, const BalanceTerm& balance,
                     const Tensor& dh) const;
  static Tensor live_rows(const MoeStash& stash) {
    const Tensor& offsets = stash.routed.permutation.offsets;
    return offsets.slice(0, offsets.size(0) - 1, offsets.size(0));
  }

  std::int64_t experts_ = 0, width_ = 0;
  const ExpertExchange* exchange_ = &local_exchange();
  const ContextExchange* context_ = nullptr;
  kernels::RouterConfig router_;
  Parameter *gate_ = nullptr, *bias_ = nullptr;
  ExpertLinear gate_up_, down_;
  bool has_shared_ = false;
  FeedForward shared_;
};

}  // namespace tessera
