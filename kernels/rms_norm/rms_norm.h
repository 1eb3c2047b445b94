// SPDX-License-Identifier: MIT
// RMSNorm (arXiv:1910.07467): y = x / sqrt(mean(x^2) + eps) * weight, by rows.
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

namespace cpu {
/// x (rows, d), row stride free; weight (d); rstd (rows), kept for backward;
/// y (rows, d), row stride free: the type of x, or BF16 where x is F32. x, weight, rstd F32 or F64.
/// y may be x.
void rms_norm_forward(Context& context, const Tensor& x, const Tensor& weight, float eps,
                      const Tensor& y, const Tensor& rstd);

/// dx += (or =, unless `accumulate`) the gradient of x; d_weight += that of weight.
/// dy, x, dx (rows, d), row strides free; all F32 or all F64. dx may be dy when not accumulating.
/// The sum over rows for d_weight is made in chunks that do not depend on the number of threads.
void rms_norm_backward(Context& context, const Tensor& dy, const Tensor& x, const Tensor& weight,
                       const Tensor& rstd, bool accumulate, const Tensor& dx,
                       const Tensor& d_weight);
}  // namespace cpu

inline const Op<decltype(cpu::rms_norm_forward)> rms_norm_forward{"rms_norm_forward",
                                                                  cpu::rms_norm_forward};
inline const Op<decltype(cpu::rms_norm_backward)> rms_norm_backward{"rms_norm_backward",
                                                                    cpu::rms_norm_backward};

}  // namespace tessera::kernels
