// SPDX-License-Identifier: MIT
// Rotary position embedding on interleaved pairs (RoFormer, arXiv:2104.09864; DeepSeek-V3 rotates
// (2i, 2i + 1), theta 10,000), in place.
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

namespace cpu {
/// For token t and pair i, with (c, s) = (cos, sin)[positions[t], i]:
///   (x0, x1) <- (c x0 - s x1, s x0 + c x1), or with `inverse` the transposed rotation, which is
/// also the backward operation.
/// x (tokens, heads, d) F32 or F64, on the GPU also BF16 (rotated in F32 and rounded once), token
/// and head strides free; positions (tokens) I32; cos, sin (max_positions, d / 2) F32, with YaRN
/// already in them.
void rope(Context& context, const Tensor& x, const Tensor& positions, const Tensor& cos,
          const Tensor& sin, bool inverse);
}  // namespace cpu

inline const Op<decltype(cpu::rope)> rope{"rope", cpu::rope};

}  // namespace tessera::kernels
