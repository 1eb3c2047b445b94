// SPDX-License-Identifier: MIT
// Fine-grained mixture of experts with shared experts and loss-free balance (DeepSeek-V3 report,
// section 2.1.2). No token is dropped; an expert without tokens is normal.
#pragma once

#include <string>

#include "core/config/model_config.h"
#include "core/model/feed_forward.h"
#include "core/model/sequences.h"
#include "kernels/permute/permute.h"

namespace tessera {

/// Kept from forward for backward. R = max_permuted_rows(T, top-k, experts, alignment).
struct MoeStash {
  Tensor logits, scores, picks, weights;  ///< (T, experts) twice; (T, top-k) I32; (T, top-k)
  kernels::Permutation permutation;
  GatedStash gated;    ///< what the routed experts keep
  Tensor row_weights;  ///< (R) gate weights, which experts' outputs hold already
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
  /// Declares gate, selection bias, experts and shared experts under `prefix`.
  void declare(ParameterSet& parameters, const ModelConfig& config, const std::string& prefix);

  /// y += experts of h; h (T, H) with its plain part, y (T, H) inner type. Slots per expert
  /// are left in stash.permutation.counts.
  void forward(Pass& pass, const Operand& h, MoeStash& stash, const Tensor& y) const;

  /// dh, written, from dy; both (T, H) inner type. `h` as Pass::saved() has it, with its plain
  /// part.
  void backward(Pass& pass, const Tensor& dy, const Operand& h, const Sequences& sequences,
                const MoeStash& stash, const BalanceTerm& balance, const Tensor& dh) const;

  /// The selection bias, (experts) F32.
  const Tensor& bias() const { return bias_->value; }
  std::int64_t experts() const { return experts_; }

 private:
  void gate_forward(Pass& pass, const Tensor& h, const Tensor& logits) const;
  void route(Pass& pass, const Tensor& h, MoeStash& stash) const;
  Tensor permuted(Pass& pass, const Tensor& x, const MoeStash& stash) const;
  /// The rows of tokens in the order of experts; `h` (T, H).
  Operand dispatch(Pass& pass, const Operand& h, const MoeStash& stash) const;
  Operand permuted_operand(Pass& pass, const Tensor& x, const MoeStash& stash, bool by_rows) const;
  void run_experts(Pass& pass, const Operand& h, MoeStash& stash, const Tensor& y) const;
  void experts_backward(Pass& pass, const Tensor& dy, const Tensor& h, const MoeStash& stash,
                        const Tensor& d_weights, const Tensor& dh) const;
  /// Adds to dh and to the gate's gradient.
  void gate_products_backward(Pass& pass, const Tensor& d_logits, const Tensor& h,
                              const Tensor& dh) const;
  void gate_backward(Pass& pass, const Tensor& d_weights, const Tensor& h,
                     const Sequences& sequences, const MoeStash& stash, const BalanceTerm& balance,
                     const Tensor& dh) const;
  Tensor live_rows(const MoeStash& stash) const {
    return stash.permutation.offsets.slice(0, experts_, experts_ + 1);
  }

  std::int64_t experts_ = 0, width_ = 0;
  kernels::RouterConfig router_;
  Parameter *gate_ = nullptr, *bias_ = nullptr;
  ExpertLinear gate_up_, down_;
  bool has_shared_ = false;
  FeedForward shared_;
};

}  // namespace tessera
