// SPDX-License-Identifier: MIT
// Products of operands in E4M3 (kernels/quantise): the linear layers of the recipes `blockwise`
// (DeepSeek-V3 report, section 3.3: all three products) and `tensorwise` (the forward product),
// dense or one product per expert.
//
// A value is its E4M3 number times its scale. Sums of 128 products are made by the tensor cores
// (about 14 bits on Hopper) and added in F32; the CPU dequantises and sums in F32 (F64 for F64).
//
// `offsets` (experts + 1) I32 say which rows are whose, as in kernels/grouped_product but in
// multiples of 128 (kScaleTile), so that no tile has rows of two experts; rows past
// offsets[experts] are neither read nor written. Absent: one matrix of weights and all rows, of any
// number. Sizes of weights are multiples of 16. Results are contiguous.
#pragma once

#include "core/base/op.h"
#include "kernels/quantise/quantise.h"

namespace tessera::kernels {

namespace cpu {
/// c[rows of e] = a[rows of e] b[e]^T + beta c. a by rows (rows, k); b.values (experts, n, k);
/// c (rows, n) F32, or F64; on the GPU BF16 too, where the product is rounded before it is added.
/// beta is 0 or 1.
void product_fp8(Context& context, const Quantised& a, const QuantisedWeight& b,
                 const Tensor& offsets, float beta, const Tensor& c);

/// da[rows of e] = dc[rows of e] b[e] + beta da. dc by rows (rows, n); b.values_t (experts, k, n);
/// da (rows, k), types as above.
void product_fp8_input_grad(Context& context, const Quantised& dc, const QuantisedWeight& b,
                            const Tensor& offsets, float beta, const Tensor& da);

/// db[e] = dc[rows of e]^T a[rows of e] + beta db[e]. dc transposed (n, rows), a transposed
/// (k, rows); db (experts, n, k) F32, or F64; beta is 0 or 1. Deterministic.
void product_fp8_weight_grad(Context& context, const Quantised& dc, const Quantised& a,
                             const Tensor& offsets, float beta, const Tensor& db);

/// c = a b^T of E4M3 numbers with scales of 1, by the library of the device: what benchmarks set
/// beside the operations above; no layer uses it. a (m, k), b (n, k), multiples of 16; c (m, n)
/// F32, or F64; on the GPU BF16 too.
void library_product_fp8(Context& context, const Tensor& a, const Tensor& b, const Tensor& c);
}  // namespace cpu

inline const Op<decltype(cpu::product_fp8)> product_fp8{"product_fp8", cpu::product_fp8};
inline const Op<decltype(cpu::product_fp8_input_grad)> product_fp8_input_grad{
    "product_fp8_input_grad", cpu::product_fp8_input_grad};
inline const Op<decltype(cpu::product_fp8_weight_grad)> product_fp8_weight_grad{
    "product_fp8_weight_grad", cpu::product_fp8_weight_grad};
inline const Op<decltype(cpu::library_product_fp8)> library_product_fp8{"library_product_fp8",
                                                                        cpu::library_product_fp8};

}  // namespace tessera::kernels
