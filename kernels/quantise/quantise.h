// SPDX-License-Identifier: MIT
// Quantisation to FP8 E4M3 in tiles: the operands of the recipe `blockwise` (DeepSeek-V3 report,
// section 3.3.2). The recipe `tensorwise` has one tile, the whole matrix, and stores its scale
// where the tiles' scales would be. Quantisation that is fused with the operation which makes the
// values stands beside that operation: kernels/swiglu, kernels/rms_norm, kernels/permute,
// kernels/adamw.
//
// Every value is rounded to BF16 first, whatever type it comes in. Then for every tile, in FP32
// with IEEE rounding:
//   m = max(largest |x| of the tile, 1e-4)       (a NaN is passed over here, and stays NaN)
//   scale = m / 448
//   value = E4M3(x * (448 / m))                  (round to nearest even, saturating)
// so that x is about value * scale. CPU and GPU agree in every bit of values and scales.
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

inline constexpr std::int64_t kScaleTile = 128;

/// Number of tiles over `extent`.
constexpr std::int64_t scale_tiles(std::int64_t extent) {
  return (extent + kScaleTile - 1) / kScaleTile;
}

/// A matrix (R, C) of activations or their gradients in one or both layouts; C a multiple of 8.
/// A layout is absent where its `values` are.
struct Quantised {
  /// Tiles of 1 x 128 along a row: operand of the forward product and of the input gradient.
  Tensor values;  ///< (R, C) F8E4M3, contiguous
  Tensor scales;  ///< (scale_tiles(C), R or more) F32: row r, tile t at [t, r]
  /// Tiles of 128 x 1 along tokens, transposed: operand of the weight gradient.
  Tensor values_t;  ///< (C, R rounded up to 16, or more) F8E4M3; zeros from R to the next 16
  Tensor scales_t;  ///< (scale_tiles(R), C or more) F32: column c, tile t at [t, c]
};

/// Weights (batch, n, k) in blocks of 128 x 128; n and k multiples of 16.
struct QuantisedWeight {
  Tensor values;    ///< (batch, n, k) F8E4M3
  Tensor scales;    ///< (batch, scale_tiles(n), scale_tiles(k)) F32
  Tensor values_t;  ///< (batch, k, n): the same numbers, for the input gradient; may be absent
  Tensor scales_t;  ///< (batch, scale_tiles(k), scale_tiles(n))
};

namespace cpu {
/// x (R, C) F32, BF16 or F64, contiguous. `live_rows` (1) I32 may be absent; rows from live_rows[0]
/// on are then neither read nor written (in values_t: but for the zeros up to the next 16).
void quantise(Context& context, const Tensor& x, const Tensor& live_rows, const Quantised& out);

/// w (batch, n, k) F32, BF16 or F64, contiguous. A block's largest |w| is of w itself, unrounded,
/// and so are the values: master weights go to FP8 without BF16 in between.
void quantise_weight(Context& context, const Tensor& w, const QuantisedWeight& out);

/// The layout by rows with one scale for all live rows of x, from their largest |x|.
void quantise_tensor(Context& context, const Tensor& x, const Tensor& live_rows,
                     const Quantised& out);

/// As quantise_weight with one scale for each matrix of the batch; `values` alone.
void quantise_weight_tensor(Context& context, const Tensor& w, const QuantisedWeight& out);

}  // namespace cpu

inline const Op<decltype(cpu::quantise)> quantise{"quantise", cpu::quantise};
inline const Op<decltype(cpu::quantise_weight)> quantise_weight{"quantise_weight",
                                                                cpu::quantise_weight};
inline const Op<decltype(cpu::quantise_tensor)> quantise_tensor{"quantise_tensor",
                                                                cpu::quantise_tensor};
inline const Op<decltype(cpu::quantise_weight_tensor)> quantise_weight_tensor{
    "quantise_weight_tensor", cpu::quantise_weight_tensor};

}  // namespace tessera::kernels
