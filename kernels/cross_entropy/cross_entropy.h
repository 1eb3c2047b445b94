// SPDX-License-Identifier: MIT
// Next-token cross-entropy over rows of logits, with the gradient made in the same pass.
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

namespace cpu {
/// loss[r] = w[r] (logsumexp(logits[r]) - logits[r, targets[r]]), and 0 where targets[r] is -1
/// (ignored). Where `gradient_scale` is not 0, logits become their gradient times it:
///   logits[r, v] <- gradient_scale w[r] (softmax(logits[r])[v] - [v == targets[r]]), 0 where
///   ignored.
/// logits (rows, vocabulary) F32 or F64, row stride free; targets (rows) I32; loss (rows) as
/// logits; weights w (rows) as loss, or absent: 1 everywhere. Throws Error naming the row for a
/// target outside [-1, vocabulary).
void cross_entropy(Context& context, const Tensor& logits, const Tensor& targets,
                   const Tensor& weights, double gradient_scale, const Tensor& loss);

/// The same with the gradient in a tensor of its own: logits stay, and gradient (rows, vocabulary)
/// of the type of logits, or BF16 where that is F32, row stride free, is written; `gradient_scale`
/// is not 0. For products that take their operands in BF16. On the GPU logits may be BF16 in both,
/// with loss F32.
void cross_entropy_gradient(Context& context, const Tensor& logits, const Tensor& targets,
                            const Tensor& weights, double gradient_scale, const Tensor& loss,
                            const Tensor& gradient);
}  // namespace cpu

inline const Op<decltype(cpu::cross_entropy)> cross_entropy{"cross_entropy", cpu::cross_entropy};
inline const Op<decltype(cpu::cross_entropy_gradient)> cross_entropy_gradient{
    "cross_entropy_gradient", cpu::cross_entropy_gradient};

}  // namespace tessera::kernels
