// SPDX-License-Identifier: MIT
// Quantisation to FP8 E4M3 in tiles: the operands of the recipe `blockwise` (DeepSeek-V3 report,
// section 3.3.2), alone and fused with the operation that makes them. The recipe `tensorwise` has
// one tile, the whole matrix, and stores its scale where the tiles' scales would be.
//
// Every value is rounded to BF16 first, whatever type it comes in. Then for every tile, in FP32
// with IEEE rounding:
//   m = max(largest |x| of the tile, 1e-4)       (a NaN is passed over here, and stays NaN)
//   scale = m / 448
//   value = E4M3(x * (448 / m))                  (round to nearest even, saturating)
// so that x is about value * scale. CPU and GPU agree in every bit of values and scales.
#pragma once

#include "core/base/op.h"
#include "kernels/permute/permute.h"

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

/// SwiGLU's input in tiles of 1 x 128, gate and up apart: what is kept of it for backward.
struct QuantisedHalves {
  Tensor values;  ///< (2, R, C) F8E4M3: gate, up
  Tensor scales;  ///< (2, scale_tiles(C), R or more) F32
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

/// y = row_weight * swiglu(gate_up) rounded to BF16, and quantised. gate_up (R, 2 C) BF16 (on the
/// CPU also F32 or F64) as in kernels/swiglu; row_weights (R) F32 may be absent: all 1; y (R, C) as
/// gate_up but for BF16 on the GPU, may be absent. `kept`, where present, is gate_up rounded to
/// BF16 and quantised.
void swiglu_quantise(Context& context, const Tensor& gate_up, const Tensor& live_rows,
                     const Tensor& row_weights, const Tensor& y, const QuantisedHalves& kept,
                     const Quantised& out);

/// Backward of swiglu_quantise from what it kept. dy (R, C) is the gradient of y, BF16 (on the CPU
/// also F32 or F64). d_gate_up (R, 2 C): the gradient of gate_up, rounded to BF16 and quantised. y:
/// the weighted result again, for the weight gradient of the layer that follows. d_row_weights (R)
/// F32 (F64 on the CPU): dy . swiglu(gate_up) of each live row; present where row_weights are.
void swiglu_backward_quantise(Context& context, const Tensor& dy, const QuantisedHalves& kept,
                              const Tensor& live_rows, const Tensor& row_weights,
                              const Quantised& d_gate_up, const Quantised& y,
                              const Tensor& d_row_weights);

/// permute_forward's rows of x (tokens, C), quantised; zeros in padding rows; rows (and columns of
/// values_t) from offsets[experts] on are not written. With values_t the permutation's alignment is
/// a multiple of 128, so that no tile has tokens of two experts. x F32, BF16 or F64, contiguous.
void permute_quantise(Context& context, const Tensor& x, const Permutation& permutation,
                      const Quantised& out);

/// What permute_quantise writes by rows, from tokens that are quantised by rows already: a row's
/// tiles are the same wherever it stands. x (tokens, C) and out (rows, C) by rows.
void permute_tiles(Context& context, const Quantised& x, const Permutation& permutation,
                   const Quantised& out);

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

inline const Op<decltype(cpu::quantise)> quantise{"quantise", cpu::quantise};
inline const Op<decltype(cpu::quantise_weight)> quantise_weight{"quantise_weight",
                                                                cpu::quantise_weight};
inline const Op<decltype(cpu::quantise_tensor)> quantise_tensor{"quantise_tensor",
                                                                cpu::quantise_tensor};
inline const Op<decltype(cpu::quantise_weight_tensor)> quantise_weight_tensor{
    "quantise_weight_tensor", cpu::quantise_weight_tensor};
inline const Op<decltype(cpu::swiglu_quantise)> swiglu_quantise{"swiglu_quantise",
                                                                cpu::swiglu_quantise};
inline const Op<decltype(cpu::swiglu_backward_quantise)> swiglu_backward_quantise{
    "swiglu_backward_quantise", cpu::swiglu_backward_quantise};
inline const Op<decltype(cpu::permute_quantise)> permute_quantise{"permute_quantise",
                                                                  cpu::permute_quantise};
inline const Op<decltype(cpu::permute_tiles)> permute_tiles{"permute_tiles", cpu::permute_tiles};
inline const Op<decltype(cpu::rms_norm_quantise)> rms_norm_quantise{"rms_norm_quantise",
                                                                    cpu::rms_norm_quantise};

inline const Op<decltype(cpu::rms_norm_requantise)> rms_norm_requantise{"rms_norm_requantise",
                                                                        cpu::rms_norm_requantise};

}  // namespace tessera::kernels
