// SPDX-License-Identifier: MIT
// The sequence-wise balance loss where sequences are cut over several ranks (context parallelism):
// picks are counted first, added up over the ranks, and then each rank has its tokens' part.
// On the CPU alone.
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

namespace cpu {
/// counts (sequences, experts) I64, written: how many of a sequence's tokens here have the expert
/// in the top-k of the scores alone. scores and starts as in sequence_balance().
void sequence_picks(Context& context, const Tensor& scores, const Tensor& starts, int top_k,
                    const Tensor& counts);

/// As sequence_balance(), of the tokens here alone: `loss` (1) F64 is their part of it, so that the
/// losses of all ranks add up to that of whole sequences. `counts` are of whole sequences, whose
/// tokens `lengths` (sequences) I32 says.
void sequence_balance_part(Context& context, const Tensor& scores, const Tensor& starts,
                           const Tensor& lengths, const Tensor& counts, int top_k, double alpha,
                           double gradient_scale, const Tensor& loss, const Tensor& d_scores);
}  // namespace cpu

inline const Op<decltype(cpu::sequence_picks)> sequence_picks{"sequence_picks",
                                                              cpu::sequence_picks};
inline const Op<decltype(cpu::sequence_balance_part)> sequence_balance_part{
    "sequence_balance_part", cpu::sequence_balance_part};

}  // namespace tessera::kernels
