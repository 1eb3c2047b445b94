// SPDX-License-Identifier: MIT
// Sums for reports and for the balance of experts.
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

namespace cpu {
/// total (1) F64 += sum of x (any shape, contiguous; F32 or F64), in F64 and in chunks that do not
/// depend on the number of threads.
void sum(Context& context, const Tensor& x, const Tensor& total);

/// total[i] += counts[i]; both (n) I64.
void add_counts(Context& context, const Tensor& counts, const Tensor& total);
}  // namespace cpu

inline const Op<decltype(cpu::sum)> sum{"sum", cpu::sum};
inline const Op<decltype(cpu::add_counts)> add_counts{"add_counts", cpu::add_counts};

}  // namespace tessera::kernels
