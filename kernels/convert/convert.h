// SPDX-License-Identifier: MIT
// Copies between types and layouts, sums and fills.
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

/// x as a sum of three BF16 numbers, x = p0 + p1 + p2 to 2^-24 of x, in the order in which one
/// side of a product lists them: with both sides concatenated along the sum,
/// a b = a0 b0 + a0 b1 + a0 b2 + a1 b0 + a1 b1 + a2 b0 is a product of BF16 with the error of F32.
enum class Terms : std::uint8_t {
  Left,   ///< p0 p0 p0 p1 p1 p2
  Right,  ///< p0 p1 p2 p0 p1 p0
};

namespace cpu {
/// y = x, rounded to nearest even. Same shape, rank 1 to 3, strides free but for the last
/// dimension. F32 to F32, BF16 or F64, BF16 to F32 or BF16, F64 to F64 or F32. y may be x when
/// nothing changes type.
void convert(Context& context, const Tensor& x, const Tensor& y);

/// y += x; same shape and type (F32 or F64), rank 1 to 3, strides free but for the last dimension.
void add(Context& context, const Tensor& x, const Tensor& y);

/// y = value everywhere; any numeric type, contiguous.
void fill(Context& context, double value, const Tensor& y);

/// y (6, r, c) BF16, strides free but for the last dimension, from x (r, c) F32 (F64 is rounded to
/// it), contiguous.
void split_terms(Context& context, const Tensor& x, Terms terms, const Tensor& y);
}  // namespace cpu

inline const Op<decltype(cpu::convert)> convert{"convert", cpu::convert};
inline const Op<decltype(cpu::add)> add{"add", cpu::add};
inline const Op<decltype(cpu::fill)> fill{"fill", cpu::fill};
inline const Op<decltype(cpu::split_terms)> split_terms{"split_terms", cpu::split_terms};

/// Which part of x the j-th of the six is.
constexpr int part_of_term(Terms terms, int j) {
  constexpr int kLeft[] = {0, 0, 0, 1, 1, 2}, kRight[] = {0, 1, 2, 0, 1, 0};
  return terms == Terms::Left ? kLeft[j] : kRight[j];
}

}  // namespace tessera::kernels
