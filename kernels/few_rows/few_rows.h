// SPDX-License-Identifier: MIT
// The layers of a model for a few rows at a time, as decoding has them: products that read every
// weight once and wait for nothing else, with what stands before them in the same launch.
//
// All of them sum each element of a row in an order that the length of the sum alone decides: what
// a row becomes does not depend on the rows beside it, to the last bit.
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

/// Up to this many rows the operations here are faster than those for many.
inline constexpr std::int64_t kFewRows = 8;

/// One product of rows_products: y = n w^T, or y += n w^T.
struct RowsProduct {
  Tensor w;  ///< (columns, k), or (count, columns, k)
  Tensor y;  ///< (T, columns), or (count, T, columns)
  bool add = false;
};

/// The weights of a layer with experts. The shared experts may be absent.
struct ExpertWeights {
  Tensor gate_up;         ///< (experts, 2 width, H): gate above, up below
  Tensor down;            ///< (experts, H, width)
  Tensor shared_gate_up;  ///< (2 shared width, H)
  Tensor shared_down;     ///< (H, shared width)

  std::int64_t width() const { return down.size(2); }
  std::int64_t shared_width() const { return shared_down ? shared_down.size(1) : 0; }
  std::int64_t widest() const { return width() > shared_width() ? width() : shared_width(); }
  /// Experts that read one token.
  std::int64_t slots(std::int64_t top_k) const { return top_k + (shared_down ? 1 : 0); }
};

namespace cpu {
/// One or two products (`second` may be absent) of the same rows: n = x, or with `norm` (k)
/// n = x norm / sqrt(mean(x^2) + epsilon). n is rounded to BF16 where `normed` or w is of that
/// type, on the GPU always. x (T, k), or (count, T, k) without `norm` and `second`, rows strided;
/// `normed` (T, k) may be absent, else receives n. x, w and y: F32, BF16 or F64, each its own; on
/// the GPU F32 or BF16, x BF16 where there is no norm; k a multiple of 8 there.
void rows_products(Context& context, const Tensor& x, const Tensor& norm, float epsilon,
                   const Tensor& normed, const RowsProduct& first, const RowsProduct& second);

/// What MLA does between its products for new tokens: cache row slots[t] = [kv_a[t] normed over
/// its first c columns with `norm` (c) and epsilon; the rest of kv_a[t], rotated], and absorbed[t,
/// h] = [the first d - r columns of q[t, h] times up[h]; the last r, rotated]. q (T, heads, d), up
/// (heads, d - r, c) and absorbed (T, heads, c + r), heads strided: all of one type, F32 or F64, on
/// the GPU BF16, with c a multiple of 8; kv_a (T, c + r) F32 or F64; positions and slots (T) I32;
/// cos, sin (positions, r / 2) F32 as in kernels/rope; cache (pages, page tokens, c + r) F32, BF16
/// or F64, contiguous. Throws Error for a position outside the tables or a slot outside the cache.
void latent_step(Context& context, const Tensor& q, const Tensor& kv_a, const Tensor& norm,
                 float epsilon, const Tensor& positions, const Tensor& cos, const Tensor& sin,
                 const Tensor& slots, const Tensor& up, const Tensor& cache,
                 const Tensor& absorbed);

/// y[t] += sum over the picks of t of weights[t, i] down[e] swiglu(gate_up[e] h[t]), and the shared
/// expert's with weight 1. h (T, H), picks (T, k) I32, weights (T, k) F32 or F64; activated
/// (T, slots(k), widest()): room for what is between, of the type of h, to which gate and up are
/// rounded. y (T, H) F32, BF16 or F64. On the GPU h and weights of experts are BF16, and H and
/// both widths multiples of 8. A pick that is no expert adds nothing.
void few_experts(Context& context, const Tensor& h, const Tensor& picks, const Tensor& weights,
                 const ExpertWeights& experts, const Tensor& activated, const Tensor& y);
}  // namespace cpu

inline const Op<decltype(cpu::rows_products)> rows_products{"rows_products", cpu::rows_products};
inline const Op<decltype(cpu::latent_step)> latent_step{"latent_step", cpu::latent_step};
inline const Op<decltype(cpu::few_experts)> few_experts{"few_experts", cpu::few_experts};

}  // namespace tessera::kernels
