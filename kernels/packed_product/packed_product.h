// SPDX-License-Identifier: MIT
// Products with weights in 8 and 4 bits, for inference on the CPU: y = x W^T, dense or one matrix
// per expert over rows sorted by expert (DeepSeek-V3 report, eq. 12 to 14).
#pragma once

#include "core/base/op.h"
#include "kernels/packed_product/packed_weight.h"

namespace tessera::kernels {

namespace cpu {
/// y = x w^T + beta y; x (rows, k), y (rows, n), F32, rows contiguous with any stride; beta is 0 (y
/// is only written) or 1.
/// `offsets` absent: w is one matrix. Else (batch + 1) I32, rising: rows [offsets[e], offsets[e +
/// 1]) are multiplied by matrix e, and rows past the last offset are neither read nor written.
///
/// Each row of x is rounded to 16 bits with one scale, its largest magnitude / 32767; products and
/// sums within a block of 32 are then exact, and the rest is in F32. With one row that is bound by
/// memory; the error against F64 is 1 to 4e-5 of the result.
/// A row of y has the same bits whatever other rows there are, and on any number of threads. A row
/// of x that holds a NaN or an infinity gives NaN.
/// F64 (both x and y): nothing is rounded; for references.
void packed_product(Context& context, const Tensor& x, const PackedWeight& w, const Tensor& offsets,
                    float beta, const Tensor& y);
}  // namespace cpu

inline const Op<decltype(cpu::packed_product)> packed_product{"packed_product",
                                                              cpu::packed_product};

}  // namespace tessera::kernels
