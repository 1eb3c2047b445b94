// SPDX-License-Identifier: MIT
#include "core/model/gated.h"

namespace tessera {

namespace {
/// Where the input of SwiGLU stays for backward.
Arena& gated_memory(const Pass& pass) {
  return pass.recompute.swiglu ? pass.scratch() : pass.keep;
}

void take_kept_tiles(Pass& pass, std::int64_t rows, std::int64_t width, GatedStash& s) {
  Arena& arena = gated_memory(pass);
  s.kept.values = arena.take(DType::F8E4M3, {2, rows, width});
  s.kept.scales = arena.take(DType::F32, {2, kernels::scale_tiles(width), rows});
}

/// Blockwise: fills the kept tiles, and returns the output as tiles in scratch.
Operand quantise_gated(Pass& pass, const Tensor& gate_up, const Tensor& live_rows,
                       const Tensor& row_weights, const GatedStash& s) {
  Operand activated;
  take_rows(pass.scratch(), gate_up.size(0), gate_up.size(1) / 2, activated.tiles);
  kernels::swiglu_quantise(pass.context, gate_up, live_rows, row_weights, {}, s.kept,
                           activated.tiles);
  return activated;
}
}  // namespace

Tensor take_gate_up(Pass& pass, std::int64_t rows, std::int64_t width, GatedStash& s) {
  const DType type = pass.precision.inner();
  if (pass.precision.fp8_backward()) return pass.scratch().take(type, {rows, 2 * width});
  s.gate_up = gated_memory(pass).take(type, {rows, 2 * width});
  return s.gate_up;
}

Operand gated_forward(Pass& pass, const Tensor& gate_up, const Tensor& live_rows,
                      const Tensor& row_weights, GatedStash& s) {
  const std::int64_t rows = gate_up.size(0), width = gate_up.size(1) / 2;
  if (pass.precision.fp8_backward()) {
    take_kept_tiles(pass, rows, width, s);
    return quantise_gated(pass, gate_up, live_rows, row_weights, s);
  }
  const Tensor y = pass.scratch().take(pass.precision.operand, {rows, width});
  kernels::swiglu_forward(pass.context, gate_up, live_rows, row_weights, y);
  return pass.input(y, live_rows);
}

void gated_again(Pass& pass, std::int64_t rows, std::int64_t width, const Tensor& live_rows,
                 const Tensor& row_weights, const std::function<void(const Tensor&)>& product,
                 GatedStash& s) {
  if (!pass.precision.fp8_backward()) return product(take_gate_up(pass, rows, width, s));
  take_kept_tiles(pass, rows, width, s);
  Arena::Frame frame(pass.scratch());
  const Tensor gate_up = take_gate_up(pass, rows, width, s);
  product(gate_up);
  quantise_gated(pass, gate_up, live_rows, row_weights, s);
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
