// SPDX-License-Identifier: MIT
// One product per expert over rows sorted by expert: the three products of a mixture-of-experts
// layer (DeepSeekMoE, arXiv:2401.06066, section 3).
//
// Rows of expert e are [offsets[e], offsets[e + 1]); offsets (experts + 1) are I32 on the device of
// the tensors and multiples of kGroupAlignment, as kernels/permute makes them. A group may be
// empty. Rows past offsets[experts] are not read; in forward and input_grad they are not written.
// Types as in kernels/product: operands F32, BF16 or F64 (both alike), results F32 (F64).
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

namespace cpu {
/// c[rows of e] = a[rows of e] b[e]^T; a (rows, k), b (experts, n, k), c (rows, n).
void grouped_product(Context& context, const Tensor& a, const Tensor& b, const Tensor& offsets,
                     const Tensor& c);

/// da[rows of e] = dc[rows of e] b[e]; dc (rows, n), b (experts, n, k), da (rows, k).
void grouped_product_input_grad(Context& context, const Tensor& dc, const Tensor& b,
                                const Tensor& offsets, const Tensor& da);

/// db[e] = dc[rows of e]^T a[rows of e] + beta db[e]; dc (rows, n), a (rows, k), db (experts, n,
/// k); beta is 0 or 1. Deterministic.
void grouped_product_weight_grad(Context& context, const Tensor& dc, const Tensor& a,
                                 const Tensor& offsets, float beta, const Tensor& db);
}  // namespace cpu

inline const Op<decltype(cpu::grouped_product)> grouped_product{"grouped_product",
                                                                cpu::grouped_product};
inline const Op<decltype(cpu::grouped_product_input_grad)> grouped_product_input_grad{
    "grouped_product_input_grad", cpu::grouped_product_input_grad};
inline const Op<decltype(cpu::grouped_product_weight_grad)> grouped_product_weight_grad{
    "grouped_product_weight_grad", cpu::grouped_product_weight_grad};

}  // namespace tessera::kernels
