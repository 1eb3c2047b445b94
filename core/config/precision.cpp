// SPDX-License-Identifier: MIT
#include "core/config/precision.h"

#include <array>
#include <utility>

#include "core/base/error.h"

namespace tessera {

namespace {
constexpr std::array<std::pair<Recipe, std::string_view>, 4> kNames{
    {{Recipe::Fp32, "fp32"},
     {Recipe::Bf16, "bf16"},
     {Recipe::Tensorwise, "tensorwise"},
     {Recipe::Blockwise, "blockwise"}}};
}

Recipe recipe_from_name(std::string_view name) {
  for (const auto& [recipe, word] : kNames) {
    if (word == name) return recipe;
  }
  throw Error("precision", fmt::format("unknown recipe \"{}\"", name),
              "choose fp32, bf16, tensorwise or blockwise");
}

std::string_view name_of(Recipe recipe) {
  return kNames[static_cast<std::size_t>(recipe)].second;
}

Precision Precision::of(Recipe recipe) {
  return {DType::F32, recipe == Recipe::Fp32 ? DType::F32 : DType::BF16, false, recipe,
          recipe == Recipe::Blockwise};
}

}  // namespace tessera
