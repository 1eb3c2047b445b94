// SPDX-License-Identifier: MIT
// AdamW (arXiv:1711.05101) on FP32 master weights, and the global gradient norm.
#pragma once

#include "core/base/op.h"
#include "kernels/quantise/quantise.h"

namespace tessera::kernels {

struct AdamWConfig {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double weight_decay = 0.1;  ///< decoupled; the caller gives 0 for norms and biases
  std::int64_t step = 1;      ///< counts from 1, for the bias corrections
};

namespace cpu {
/// sum (1) F64 += sum of squares of x (any shape, contiguous; F32 or F64), in F64 and in chunks
/// that do not depend on the number of threads.
void sum_of_squares(Context& context, const Tensor& x, const Tensor& sum);

/// scale (1) F64 = min(1, max_norm / sqrt(sum)); 1 where max_norm is 0. Not finite stays not
/// finite.
void clip_scale(Context& context, const Tensor& sum, double max_norm, const Tensor& scale);

/// One step with g = scale[0] * gradient:
///   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;
///   w = w (1 - lr * decay) - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).
/// weight, gradient F32, contiguous, equal sizes; m, v F32 or BF16 (then rounded to nearest even
/// when stored; the step uses them unrounded). Or all of them F64: the reference. `copy` may be
/// absent; else it gets the new weights in BF16 (or their own type on the CPU), for products to
/// read. Order of arithmetic follows PyTorch's AdamW, the reference for whole runs.
void adamw(Context& context, const AdamWConfig& config, const Tensor& gradient, const Tensor& scale,
           const Tensor& weight, const Tensor& m, const Tensor& v, const Tensor& copy);

/// adamw() without a copy, and quantise_weight() of the new weights, (batch, n, k) F32, which the
/// GPU then has not to read again. `out` has both layouts. Results are those of the two operations.
void adamw_quantise(Context& context, const AdamWConfig& config, const Tensor& gradient,
                    const Tensor& scale, const Tensor& weight, const Tensor& m, const Tensor& v,
                    const QuantisedWeight& out);
}  // namespace cpu

inline const Op<decltype(cpu::sum_of_squares)> sum_of_squares{"sum_of_squares",
                                                              cpu::sum_of_squares};
inline const Op<decltype(cpu::clip_scale)> clip_scale{"clip_scale", cpu::clip_scale};
inline const Op<decltype(cpu::adamw)> adamw{"adamw", cpu::adamw};
inline const Op<decltype(cpu::adamw_quantise)> adamw_quantise{"adamw_quantise",
                                                              cpu::adamw_quantise};

}  // namespace tessera::kernels
