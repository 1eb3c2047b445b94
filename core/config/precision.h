// SPDX-License-Identifier: MIT
// Precision recipes: what each product of a linear layer is computed in.
#pragma once

#include <string_view>

#include "core/base/dtype.h"

namespace tessera {

/// `Fp32`: everything in FP32. `Bf16`: operands of products rounded to BF16, sums and everything
/// between products in FP32 on the CPU; on the GPU see Precision::narrow. `Tensorwise`: as Bf16,
/// and the forward products of linear layers in E4M3 with one scale per matrix. `Blockwise`: all
/// three products of linear layers in E4M3, scaled in tiles of 1 x 128 and blocks of 128 x 128
/// (DeepSeek-V3 report, section 3.3). In both, embedding, head, gate, norms and attention stay as
/// in Bf16, and sums are in FP32.
enum class Recipe : std::uint8_t { Fp32, Bf16, Tensorwise, Blockwise };

/// "fp32", "bf16", "tensorwise", "blockwise". Throws Error for another word.
Recipe recipe_from_name(std::string_view name);
std::string_view name_of(Recipe recipe);

/// In which form a model that is only read holds the weights of its products. `Masters`: as in
/// training, in the type of activations, with copies where products read another type. `Operands`:
/// once, in the type that products read. `Q8_0`, `Q4_0`: in blocks of 32 numbers of 8 or 4 bits
/// (kernels/packed_product), on the CPU and with activations in FP32; in Q4_0 the head has 8 bits.
/// The token table, gates, norms and biases stay as they are; so does kv_b_proj where the halves
/// that the absorbed form of attention reads are no whole blocks.
enum class WeightForm : std::uint8_t { Masters, Operands, Q8_0, Q4_0 };

/// "q8_0", "q4_0"; "": Masters. Throws Error for another word.
WeightForm weight_form_from_name(std::string_view name);

/// Types of a model that lives on a device: of activations, master weights and gradients, and of
/// the operands of products.
struct Precision {
  DType activation = DType::F32;  ///< F32, or F64 in tests of gradients
  DType operand = DType::F32;     ///< F32, BF16, or F64 where activations are
  /// Results of layers, the residual stream and the gradients of both are kept as operands are,
  /// each rounded once where it is made or added to. Latents that the cache takes, logits and
  /// losses, statistics of norms, master weights and gradients of weights are not. Only the GPU's
  /// operations take such tensors.
  bool narrow = false;
  Recipe recipe = Recipe::Fp32;
  /// The attention's output is kept for backward in 12 bits (kernels/e5m6): in Blockwise.
  bool packs_attention = false;
  WeightForm weights = WeightForm::Masters;

  DType inner() const { return narrow ? operand : activation; }
  /// Whether the forward products of linear layers are in E4M3, and the two of backward.
  bool fp8_forward() const { return recipe == Recipe::Tensorwise || fp8_backward(); }
  bool fp8_backward() const { return recipe == Recipe::Blockwise; }

  bool packed_weights() const { return weights == WeightForm::Q8_0 || weights == WeightForm::Q4_0; }

  static Precision of(Recipe recipe);
  /// For a model that is only read: each weight once where that can be. `packed` is Q8_0, Q4_0 or
  /// Masters, which becomes Operands for Bf16 on the CPU. Throws Error where the device or the
  /// recipe has no products with such weights.
  static Precision reading(Recipe recipe, WeightForm packed, Device device);
  /// What the weights of products are held in, for people: "fp32", "bf16", "q8_0".
  std::string_view weight_name() const;
};

}  // namespace tessera
