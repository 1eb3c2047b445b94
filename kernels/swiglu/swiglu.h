// SPDX-License-Identifier: MIT
// SwiGLU (arXiv:2002.05202): y = silu(gate) * up, with silu(z) = z * sigmoid(z).
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

namespace cpu {
/// gate_up (rows, 2 width): gate in the first half of a row, up in the second; y (rows, width): the
/// type of gate_up, or BF16 where that is F32. gate_up F32 or F64, contiguous; on the GPU also
/// BF16, with y BF16. `live_rows` (1) I32 may be absent; rows from live_rows[0] on are then neither
/// read nor written.
void swiglu_forward(Context& context, const Tensor& gate_up, const Tensor& live_rows,
                    const Tensor& y);

/// d_gate_up from dy (rows, width); d_gate_up may be F32, F64 or BF16 (from F32) and may share the
/// memory of gate_up when their types are equal. On the GPU dy, gate_up, d_gate_up and y may also
/// all be BF16. Also writes y again where `y` is present
/// (recomputed for the weight gradient of the layer that follows; same types as in forward).
void swiglu_backward(Context& context, const Tensor& dy, const Tensor& gate_up,
                     const Tensor& live_rows, const Tensor& d_gate_up, const Tensor& y);
}  // namespace cpu

inline const Op<decltype(cpu::swiglu_forward)> swiglu_forward{"swiglu_forward",
                                                              cpu::swiglu_forward};
inline const Op<decltype(cpu::swiglu_backward)> swiglu_backward{"swiglu_backward",
                                                                cpu::swiglu_backward};

}  // namespace tessera::kernels
