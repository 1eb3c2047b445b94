// SPDX-License-Identifier: MIT
// Copies between types and layouts, sums and fills.
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

namespace cpu {
/// y = x, rounded to nearest even. Same shape, rank 1 to 3, strides free but for the last
/// dimension. F32 to F32, BF16 or F64, BF16 to F32, F64 to F64 or F32. y may be x when nothing
/// changes type.
void convert(Context& context, const Tensor& x, const Tensor& y);

/// y += x; same shape and type (F32 or F64), rank 1 to 3, strides free but for the last dimension.
void add(Context& context, const Tensor& x, const Tensor& y);

/// y = value everywhere; any numeric type, contiguous.
void fill(Context& context, double value, const Tensor& y);
}  // namespace cpu

inline const Op<decltype(cpu::convert)> convert{"convert", cpu::convert};
inline const Op<decltype(cpu::add)> add{"add", cpu::add};
inline const Op<decltype(cpu::fill)> fill{"fill", cpu::fill};

}  // namespace tessera::kernels
