// SPDX-License-Identifier: MIT
// RMSNorm (arXiv:1910.07467): y = x / sqrt(mean(x^2) + eps) * weight, by rows.
#pragma once

#include "core/base/op.h"
#include "kernels/quantise/quantise.h"

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

/// rms_norm_forward's y rounded to BF16, and quantised. x (R, C) F32 or F64, on the GPU F32 or
/// BF16, row stride free (on the GPU a multiple of 16 bytes); weight (C) and rstd (R) F32 or F64;
/// y (R, C) BF16 (as x for F64) may be absent. copy (R, C), which may be absent too: x again,
/// contiguous, for the residual stream.
void rms_norm_quantise(Context& context, const Tensor& x, const Tensor& weight, float eps,
                       const Tensor& y, const Tensor& copy, const Tensor& rstd,
                       const Quantised& out);

/// The same from the rstd that forward kept: for backward.
void rms_norm_requantise(Context& context, const Tensor& x, const Tensor& weight,
                         const Tensor& rstd, const Tensor& y, const Quantised& out);
}  // namespace cpu

inline const Op<decltype(cpu::rms_norm_forward)> rms_norm_forward{"rms_norm_forward",
                                                                  cpu::rms_norm_forward};
inline const Op<decltype(cpu::rms_norm_backward)> rms_norm_backward{"rms_norm_backward",
                                                                    cpu::rms_norm_backward};
inline const Op<decltype(cpu::rms_norm_quantise)> rms_norm_quantise{"rms_norm_quantise",
                                                                    cpu::rms_norm_quantise};
inline const Op<decltype(cpu::rms_norm_requantise)> rms_norm_requantise{"rms_norm_requantise",
                                                                        cpu::rms_norm_requantise};

}  // namespace tessera::kernels
