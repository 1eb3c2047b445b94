// SPDX-License-Identifier: MIT
// Precision recipes: what each product of a linear layer is computed in.
#pragma once

#include <string_view>

#include "core/base/dtype.h"

namespace tessera {

/// `Fp32`: everything in FP32. `Bf16`: operands of products rounded to BF16, sums and everything
/// between products in FP32 on the CPU; on the GPU see Precision::narrow. `Tensorwise`,
/// `Blockwise`: FP8 (see docs of the recipes).
enum class Recipe : std::uint8_t { Fp32, Bf16, Tensorwise, Blockwise };

/// "fp32", "bf16", "tensorwise", "blockwise". Throws Error for another word.
Recipe recipe_from_name(std::string_view name);
std::string_view name_of(Recipe recipe);

/// Types of a model that lives on a device: of activations, master weights and gradients, and of
/// the operands of products.
struct Precision {
  DType activation = DType::F32;  ///< F32, or F64 in tests of gradients
  DType operand = DType::F32;     ///< F32, BF16, or F64 where activations are
  /// Results of products that stay within a layer (queries, keys, gate and up, experts' outputs and
  /// their gradients) are kept as operands are. The residual stream, norms, logits, master weights
  /// and gradients of weights are not. Only the GPU's operations take such tensors.
  bool narrow = false;

  DType inner() const { return narrow ? operand : activation; }

  /// Throws Error for recipes that the CPU engine does not compute.
  static Precision of(Recipe recipe);
};

}  // namespace tessera
