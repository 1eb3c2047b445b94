// SPDX-License-Identifier: MIT
// Causal softmax attention over packed sequences, forward and backward, without keeping the scores
// (FlashAttention, arXiv:2205.14135; DeepSeek-V3 report, section 2.1.1, plain form).
//
// Shapes: q, k (tokens, heads, d_qk), v, o (tokens, heads, d_v), lse (heads, tokens). d_qk and d_v
// may differ (192 and 128 in DeepSeek-V3). Token and head strides are free, so that slices of wider
// tensors can be passed; the last dimension is contiguous.
// starts (sequences + 1) I32: sequence s is the tokens [starts[s], starts[s + 1]); starts[0] = 0,
// the last is `tokens`; a sequence may be empty. Token i sees the tokens j <= i of its sequence.
// Types: all F32, or all F64 (lse as the rest). On the GPU also all BF16 with lse F32; P and dS are
// then rounded to BF16 on Hopper, and dq depends on the order of its sums from run to run unless
// the context is deterministic.
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

/// Keys of all heads, or their gradients: whole, or in two tensors that are read as one. What MLA's
/// heads share need then not be copied to each of them.
struct Keys {
  Tensor rows;  ///< (tokens, heads, d_qk), or their first columns where there is a tail
  Tensor tail;  ///< the other columns, (tokens, heads, r); of keys also (tokens, 1, r): all heads'

  Keys(const Tensor& all) : rows(all) {}  // NOLINT: whole keys are a tensor
  Keys(const Tensor& first, const Tensor& others) : rows(first), tail(others) {}
  std::int64_t width() const { return rows.size(2) + (tail ? tail.size(2) : 0); }
  bool is_shared() const { return tail && tail.size(1) == 1; }
};

/// Keys of BF16 are read in parts at full speed where the first has so many columns.
inline constexpr std::int64_t kFirstKeyColumns = 128;

namespace cpu {
/// o_i = sum_j softmax_j(scale q_i . k_j) v_j; lse_i = log sum_j exp(scale q_i . k_j).
/// `max_length`: no sequence is longer. o must not overlap the inputs.
void attention_forward(Context& context, const Tensor& q, const Keys& k, const Tensor& v,
                       const Tensor& starts, std::int64_t max_length, float scale, const Tensor& o,
                       const Tensor& lse);

/// Gradients of q, k, v from that of o; written, not added to. dq, dk, dv must not overlap inputs
/// or each other, and have free token and head strides too. dk is in parts as k is, but for one row
/// of a shared tail per head: adding them up is the caller's. Deterministic.
void attention_backward(Context& context, const Tensor& q, const Keys& k, const Tensor& v,
                        const Tensor& starts, std::int64_t max_length, float scale, const Tensor& o,
                        const Tensor& lse, const Tensor& d_o, const Tensor& dq, const Keys& dk,
                        const Tensor& dv);
}  // namespace cpu

inline const Op<decltype(cpu::attention_forward)> attention_forward{"attention_forward",
                                                                    cpu::attention_forward};
inline const Op<decltype(cpu::attention_backward)> attention_backward{"attention_backward",
                                                                      cpu::attention_backward};

}  // namespace tessera::kernels
