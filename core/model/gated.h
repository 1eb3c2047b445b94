// SPDX-License-Identifier: MIT
// SwiGLU between the two products of a feed-forward layer or of experts, by recipe: what is kept of
// its input, and its output and gradients as the products read them. The output is never kept: it
// is computed again in backward, from the input that is kept or, with Recompute::swiglu, made again
// by the product before it.
//
// Blockwise (DeepSeek-V3 report, section 3.3.3): the input is kept in E4M3, tiles of 1 x 128, and
// backward computes from that. A weight per row multiplies the output: the gate weights of experts,
// so that nothing of the experts' outputs needs to be kept.
#pragma once

#include <functional>

#include "core/model/layers.h"
#include "kernels/swiglu/swiglu.h"

namespace tessera {

struct GatedStash {
  Tensor gate_up;                 ///< (R, 2 width) inner type; all recipes but blockwise
  kernels::QuantisedHalves kept;  ///< blockwise
};

/// Where the product of gate and up goes, (rows, 2 width): kept, or scratch where E4M3 is kept or
/// nothing is (Recompute::swiglu).
Tensor take_gate_up(Pass& pass, std::int64_t rows, std::int64_t width, GatedStash& stash);

/// silu(gate) * up as the operand of the next product; scratch. `live_rows` (1) I32 may be absent.
/// `row_weights` (R) activation type, may be absent.
Operand gated_forward(Pass& pass, const Tensor& gate_up, const Tensor& live_rows,
                      const Tensor& row_weights, GatedStash& stash);

/// Fills the stash as forward did: `product` writes gate and up into the tensor that it is given.
/// Where forward would have kept them, with Recompute::swiglu scratch.
void gated_again(Pass& pass, std::int64_t rows, std::int64_t width, const Tensor& live_rows,
                 const Tensor& row_weights, const std::function<void(const Tensor&)>& product,
                 GatedStash& stash);

/// Room for the gradient of gate and up, (rows, 2 width), as both products of backward read it;
/// scratch and Pass::weight_operands().
Operand take_gated_gradient(Pass& pass, std::int64_t rows, std::int64_t width);

/// Fills d_gate_up from d_activated (R, width) inner type, and returns the (weighted) output again
/// as the weight gradient of the next product reads it; in Pass::weight_operands(). d_row_weights
/// (R) is written where row_weights are.
Operand gated_backward(Pass& pass, const Tensor& d_activated, const Tensor& live_rows,
                       const Tensor& row_weights, const GatedStash& stash, const Operand& d_gate_up,
                       const Tensor& d_row_weights);

}  // namespace tessera
