// SPDX-License-Identifier: MIT
// Keeping experts evenly loaded: the sequence-wise loss (DeepSeek-V3 report, eq. 17 to 20) and the
// update of the selection bias (arXiv:2408.15664; report, section 2.1.2).
#pragma once

#include "core/base/op.h"
#include "kernels/balance/bias_update.h"

namespace tessera::kernels {

namespace cpu {
/// Per sequence s of length T: loss = alpha * sum_i f_i P_i, where f_i = N / (k T) * number of its
/// tokens whose top-k of the scores alone holds i, and P_i = mean over tokens of s_i / sum_j s_j.
/// Writes into `loss` (1) F64 the mean over the non-empty sequences, and into d_scores
/// (tokens, experts) its gradient times `gradient_scale`.
/// scores (tokens, experts) F32 or F64 as router_forward gives them, d_scores alike; starts
/// (sequences + 1) I32 as in kernels/attention.
void sequence_balance(Context& context, const Tensor& scores, const Tensor& starts, int top_k,
                      double alpha, double gradient_scale, const Tensor& loss,
                      const Tensor& d_scores);

/// bias (experts) F32 from counts (experts) I64, the load over the whole global batch. With the
/// mean load m: b falls for experts above m, rises for those below, and stays for those at it.
void bias_update(Context& context, const Tensor& counts, float speed, BiasUpdate rule,
                 const Tensor& bias);
}  // namespace cpu

inline const Op<decltype(cpu::sequence_balance)> sequence_balance{"sequence_balance",
                                                                  cpu::sequence_balance};
inline const Op<decltype(cpu::bias_update)> bias_update{"bias_update", cpu::bias_update};

}  // namespace tessera::kernels
