// SPDX-License-Identifier: MIT
// Matrix products: the linear layers, forward and backward.
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

/// Which operand is read transposed.
enum class Transpose : std::uint8_t {
  None,  ///< a (m, k), b (k, n): the gradient of an input, dx = dy W
  B,     ///< a (m, k), b (n, k): a linear layer, y = x W^T
  A,     ///< a (k, m), b (k, n): the gradient of a weight, dW = dy^T x
};

namespace cpu {
/// c = a b + beta c, with a and b read as `transpose` says; c is (m, n) after that.
/// Rank 2, or rank 3 with equal first dimensions: one product per index of it (heads, for example).
/// a and b: both F32, both BF16 or both F64, rows contiguous, any row and batch stride.
/// c: F32 (F64 for F64; on the GPU also BF16 for BF16, rounded once), rows contiguous, any row and
/// batch stride; must not overlap a or b.
/// beta is 0 (c is only written, and may hold NaN before) or 1. Sums are in F32 at least.
/// m, n or k may be 0; with k = 0, c = beta c.
/// Deterministic for the same shapes and number of threads.
void product(Context& context, const Tensor& a, const Tensor& b, Transpose transpose, float beta,
             const Tensor& c);
}  // namespace cpu

inline const Op<decltype(cpu::product)> product{"product", cpu::product};

/// Floating-point operations per second of a square F32 or BF16 product on this machine, measured
/// now: the ceiling that rates are compared with. Its matrices have the order 1024 on the CPU and
/// 8192 on the GPU.
double measure_product_flops(DType dtype, Device device = Device::Cpu);

/// Whether products of this type have instructions of their own here (BF16: AVX-512 BF16 or AMX).
/// Otherwise operands are widened to F32 first; values are the same but for the order of sums.
bool has_native_product(DType dtype);

}  // namespace tessera::kernels
