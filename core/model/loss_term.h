// SPDX-License-Identifier: MIT
// What a head makes of logits: a loss for each token, and its gradient. Pre-training and
// fine-tuning take the cross-entropy; other ends of training (preferences, rewards) are further
// terms.
#pragma once

#include "core/base/context.h"
#include "core/base/tensor.h"

namespace tessera {

class LossTerm {
 public:
  virtual ~LossTerm() = default;
  /// False: losses alone are wanted, for validation.
  virtual bool has_gradient() const = 0;
  /// For the tokens [from, from + rows) of the micro-batch: `losses` (rows) is written, and with a
  /// gradient `gradient` (rows, vocabulary) too, already scaled for the step. `gradient` has the
  /// operand type, and may be `logits` (rows, vocabulary), which is not read afterwards.
  virtual void apply(Context& context, const Tensor& logits, std::int64_t from,
                     const Tensor& losses, const Tensor& gradient) const = 0;
};

/// scale * sum of weights[t] * cross-entropy of targets[t].
class CrossEntropy : public LossTerm {
 public:
  /// targets (T) I32, -1: not a target; weights (T) of activation type, absent: 1. `scale` of 0: no
  /// gradient.
  CrossEntropy(const Tensor& targets, const Tensor& weights, double scale)
      : targets_(targets), weights_(weights), scale_(scale) {}

  bool has_gradient() const override { return scale_ != 0.0; }
  void apply(Context& context, const Tensor& logits, std::int64_t from, const Tensor& losses,
             const Tensor& gradient) const override;

 private:
  Tensor targets_, weights_;
  double scale_;
};

}  // namespace tessera
