// SPDX-License-Identifier: MIT
#include "core/model/gated.h"

namespace tessera {

Tensor take_gate_up(Pass& pass, std::int64_t rows, std::int64_t width, GatedStash& s) {
  const DType type = pass.precision.inner();
  if (pass.precision.fp8_backward()) return pass.scratch().take(type, {rows, 2 * width});
  s.gate_up = pass.keep.take(type, {rows, 2 * width});
  return s.gate_up;
}

Operand gated_forward(Pass& pass, const Tensor& gate_up, const Tensor& live_rows,
                      const Tensor& row_weights, GatedStash& s) {
  const std::int64_t rows = gate_up.size(0), width = gate_up.size(1) / 2;
  Operand activated;
  if (pass.precision.fp8_backward()) {
    s.kept.values = pass.keep.take(DType::F8E4M3, {2, rows, width});
    s.kept.scales = pass.keep.take(DType::F32, {2, kernels::scale_tiles(width), rows});
    take_rows(pass.scratch(), rows, width, activated.tiles);
    kernels::swiglu_quantise(pass.context, gate_up, live_rows, row_weights, {}, s.kept,
                             activated.tiles);
    return activated;
  }
  const Tensor y = pass.scratch().take(pass.precision.operand, {rows, width});
  kernels::swiglu_forward(pass.context, gate_up, live_rows, row_weights, y);
  return pass.input(y, live_rows);
}

Operand take_gated_gradient(Pass& pass, std::int64_t rows, std::int64_t width) {
  Operand made;
  if (pass.precision.fp8_backward()) {
    take_rows(pass.scratch(), rows, 2 * width, made.tiles);
    take_transposed(pass.weight_operands(), rows, 2 * width, made.tiles);
  } else {
    made.plain = pass.weight_operands().take(pass.precision.operand, {rows, 2 * width});
  }
  return made;
}

Operand gated_backward(Pass& pass, const Tensor& d_activated, const Tensor& live_rows,
                       const Tensor& row_weights, const GatedStash& s, const Operand& d_gate_up,
                       const Tensor& d_row_weights) {
  const std::int64_t rows = d_activated.size(0), width = d_activated.size(1);
  Operand activated;
  if (pass.precision.fp8_backward()) {
    take_transposed(pass.weight_operands(), rows, width, activated.tiles);
    kernels::swiglu_backward_quantise(pass.context, d_activated, s.kept, live_rows, row_weights,
                                      d_gate_up.tiles, activated.tiles, d_row_weights);
    return activated;
  }
  activated.plain = pass.weight_operands().take(pass.precision.operand, {rows, width});
  kernels::swiglu_backward(pass.context, d_activated, s.gate_up, live_rows, row_weights,
                           d_gate_up.plain, activated.plain, d_row_weights);
  return activated;
}

}  // namespace tessera
