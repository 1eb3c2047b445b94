// SPDX-License-Identifier: MIT
// SwiGLU (arXiv:2002.05202): y = w silu(gate) * up, with silu(z) = z * sigmoid(z) and a weight w
// per row: the gate weights of experts, which multiply here and not at the experts' outputs so that
// nothing of the outputs needs to be kept for backward.
#pragma once

#include "core/base/op.h"
#include "kernels/quantise/quantise.h"

namespace tessera::kernels {

/// SwiGLU's input in tiles of 1 x 128, gate and up apart: what is kept of it for backward.
struct QuantisedHalves {
  Tensor values;  ///< (2, R, C) F8E4M3: gate, up
  Tensor scales;  ///< (2, scale_tiles(C), R or more) F32
};

namespace cpu {
/// gate_up (rows, 2 width): gate in the first half of a row, up in the second; y (rows, width): the
/// type of gate_up, or BF16 where that is F32. gate_up F32 or F64, contiguous; on the GPU also
/// BF16, with y BF16. `live_rows` (1) I32 may be absent; rows from live_rows[0] on are then neither
/// read nor written. row_weights (rows) F32, or F64 where gate_up is, may be absent: all 1.
void swiglu_forward(Context& context, const Tensor& gate_up, const Tensor& live_rows,
                    const Tensor& row_weights, const Tensor& y);

/// d_gate_up from dy (rows, width); d_gate_up may be F32, F64 or BF16 (from F32) and may share the
/// memory of gate_up when their types are equal. On the GPU dy, gate_up, d_gate_up and y may also
/// all be BF16. Also writes y again where `y` is present (recomputed for the weight gradient of the
/// layer that follows; same types as in forward), and with row_weights their gradients,
/// d_row_weights (rows), of live rows.
void swiglu_backward(Context& context, const Tensor& dy, const Tensor& gate_up,
                     const Tensor& live_rows, const Tensor& row_weights, const Tensor& d_gate_up,
                     const Tensor& y, const Tensor& d_row_weights);

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
}  // namespace cpu

inline const Op<decltype(cpu::swiglu_forward)> swiglu_forward{"swiglu_forward",
                                                              cpu::swiglu_forward};
inline const Op<decltype(cpu::swiglu_backward)> swiglu_backward{"swiglu_backward",
                                                                cpu::swiglu_backward};
inline const Op<decltype(cpu::swiglu_quantise)> swiglu_quantise{"swiglu_quantise",
                                                                cpu::swiglu_quantise};
inline const Op<decltype(cpu::swiglu_backward_quantise)> swiglu_backward_quantise{
    "swiglu_backward_quantise", cpu::swiglu_backward_quantise};

}  // namespace tessera::kernels
