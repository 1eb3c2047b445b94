// SPDX-License-Identifier: MIT
// Attention of a part of the queries: those of one rank where sequences are cut over several
// (context parallelism), against all keys that they see.
//
// Shapes as in attention.h, but q, o, d_o, dq (queries, heads, .), lse (heads, queries) and k, v,
// dk, dv (keys, heads, .) differ in their first extent.
// ranges (n, 4) I32, rows {from, to, first, own}: query from + i sees the keys [first, own + i].
// Ranges follow each other from 0 to `queries`; `first` does not fall, ranges with the same `first`
// are parts of one sequence, and sequences share no keys. Keys that no query sees are read by
// nobody, and their gradient is 0.
// Types: all F32, or all F64. On the CPU alone.
#pragma once

#include "kernels/attention/attention.h"

namespace tessera::kernels {

namespace cpu {
/// o_i = sum_j softmax_j(scale q_i . k_j) v_j; lse_i = log sum_j exp(scale q_i . k_j): what
/// attention_forward() has for whole sequences, but for the rounding of sums.
void attention_ranges_forward(Context& context, const Tensor& q, const Keys& k, const Tensor& v,
                              const Tensor& ranges, float scale, const Tensor& o,
                              const Tensor& lse);

/// Gradients of q, k, v from that of o, as attention_backward() has them: those of keys and values
/// are from these queries alone. Deterministic.
void attention_ranges_backward(Context& context, const Tensor& q, const Keys& k, const Tensor& v,
                               const Tensor& ranges, float scale, const Tensor& o,
                               const Tensor& lse, const Tensor& d_o, const Tensor& dq,
                               const Keys& dk, const Tensor& dv);
}  // namespace cpu

inline const Op<decltype(cpu::attention_ranges_forward)> attention_ranges_forward{
    "attention_ranges_forward", cpu::attention_ranges_forward};
inline const Op<decltype(cpu::attention_ranges_backward)> attention_ranges_backward{
    "attention_ranges_backward", cpu::attention_ranges_backward};

}  // namespace tessera::kernels
