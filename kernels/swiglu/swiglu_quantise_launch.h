// SPDX-License-Identifier: MIT
//
// The launcher of SwiGLU with quantisation. Plain pointers and sizes; no CUDA header.
#pragma once

#include "kernels/quantise/quantise_launch.h"

namespace tessera::kernels::cuda::e4m3 {

/// SwiGLU's input in tiles of 1 x 128, gate and up apart; null: not kept.
struct QuantisedHalves {
  void* values = nullptr;    ///< (2, rows, width) E4M3
  float* scales = nullptr;   ///< (2, ceil(width / 128), scale_stride)
  int64_t scale_stride = 0;  ///< at least rows
};

/// y = row_weight * silu(gate) * up rounded to BF16, then as quantise_activation; gate_up
/// (rows, 2 width) BF16, gate first, width a multiple of 8. `y` (rows, width) BF16 and
/// `row_weights` (rows) may be null.
void swiglu_quantise(CUstream_st* stream, const void* gate_up, int64_t rows, int width,
                     const int32_t* live_rows, const float* row_weights, void* y,
                     const QuantisedHalves& kept, const QuantisedActivation& out);

}  // namespace tessera::kernels::cuda::e4m3
