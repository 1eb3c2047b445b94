// SPDX-License-Identifier: MIT
// Sorting tokens by expert and back: the plan, the copy to expert order (dispatch) and the weighted
// sum (combine), with their gradients. No token is dropped.
#pragma once

#include "core/base/op.h"
#include "kernels/quantise/quantise.h"

namespace tessera::kernels {

/// The first row of every expert is a multiple of the alignment, so that products see few distinct
/// sizes and whole tiles. Rows between an expert's last token and the next start are padding and
/// hold zeros.
inline constexpr std::int64_t kGroupAlignment = 16;

/// In place of an expert: the slot picks none of those that are planned for, as its expert is on
/// another rank. Such a slot has no row, is counted nowhere, and adds nothing.
inline constexpr std::int32_t kNoPick = -2;

/// Rows that tokens * top_k slots over `experts` experts can need at most, padding included: every
/// expert that has a slot at all wastes at most alignment - 1 rows.
constexpr std::int64_t max_permuted_rows(std::int64_t tokens, std::int64_t top_k,
                                         std::int64_t experts,
                                         std::int64_t alignment = kGroupAlignment) {
  const std::int64_t slots = tokens * top_k;
  const std::int64_t most = slots + (experts < slots ? experts : slots) * (alignment - 1);
  return most / alignment * alignment;
}

/// All on the device of the operation, so that nothing waits for the host.
struct Permutation {
  Tensor counts;       ///< (experts) I64: slots per expert in this batch
  Tensor offsets;      ///< (experts + 1) I32: first row of each expert, aligned; last: rows used
  Tensor row_of_slot;  ///< (tokens, top_k) I32: where the copy of token t for its i-th pick is; -1
                       ///< where the slot picks nothing
  Tensor slot_of_row;  ///< (rows) I32: t * top_k + i, or -1 for padding; rows = max_permuted_rows
  std::int64_t alignment = kGroupAlignment;  ///< any, on any device
};

namespace cpu {
/// Fills `permutation` from picks (tokens, top_k) I32 in [0, experts), or kNoPick. Within an expert
/// rows keep the order of tokens. counts is written, not added to. Throws Error when slot_of_row
/// has too few rows (on the GPU: fewer than max_permuted_rows, since the number used is not known
/// to the host; the other operations there want tensors of as many).
void permute_plan(Context& context, const Tensor& picks, const Permutation& permutation);

/// y[row] = x[token of row], zeros in padding rows up to offsets[experts]; rows beyond are not
/// written. x (tokens, d) F32, BF16 or F64; y (rows, d): the type of x, or BF16 from F32.
void permute_forward(Context& context, const Tensor& x, const Permutation& permutation,
                     const Tensor& y);

/// out[t] += sum over the picks of t of y[row], in the order of picks, rounded once: what experts
/// made of a token, whose gate weights their rows hold already (kernels/swiglu), and the gradient
/// of permute_forward. y (rows, d), out (tokens, d), F32 or F64; on the GPU each F32 or BF16.
void combine(Context& context, const Tensor& y, const Permutation& permutation, const Tensor& out);

/// row_weights[row] = the weight of the row's slot, 0 where it has none; weights (tokens, top_k),
/// row_weights (rows), all of it written. F32 or F64.
void permute_weights(Context& context, const Tensor& weights, const Permutation& permutation,
                     const Tensor& row_weights);

/// d_weights[t, i] = d_row_weights[row_of_slot[t, i]], 0 where the slot has no row; F32 or F64.
void permute_weights_backward(Context& context, const Tensor& d_row_weights,
                              const Permutation& permutation, const Tensor& d_weights);

/// permute_forward's rows of x (tokens, C), quantised; zeros in padding rows; rows (and columns of
/// values_t) from offsets[experts] on are not written. With values_t the permutation's alignment is
/// a multiple of 128, so that no tile has tokens of two experts. x F32, BF16 or F64, contiguous.
void permute_quantise(Context& context, const Tensor& x, const Permutation& permutation,
                      const Quantised& out);

/// What permute_quantise writes by rows, from tokens that are quantised by rows already: a row's
/// tiles are the same wherever it stands. x (tokens, C) and out (rows, C) by rows.
void permute_tiles(Context& context, const Quantised& x, const Permutation& permutation,
                   const Quantised& out);
}  // namespace cpu

inline const Op<decltype(cpu::permute_plan)> permute_plan{"permute_plan", cpu::permute_plan};
inline const Op<decltype(cpu::permute_forward)> permute_forward{"permute_forward",
                                                                cpu::permute_forward};
inline const Op<decltype(cpu::combine)> combine{"combine", cpu::combine};
inline const Op<decltype(cpu::permute_weights)> permute_weights{"permute_weights",
                                                                cpu::permute_weights};
inline const Op<decltype(cpu::permute_weights_backward)> permute_weights_backward{
    "permute_weights_backward", cpu::permute_weights_backward};
inline const Op<decltype(cpu::permute_quantise)> permute_quantise{"permute_quantise",
                                                                  cpu::permute_quantise};
inline const Op<decltype(cpu::permute_tiles)> permute_tiles{"permute_tiles", cpu::permute_tiles};

}  // namespace tessera::kernels
