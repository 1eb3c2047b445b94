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

WeightForm weight_form_from_name(std::string_view name) {
  if (name.empty()) return WeightForm::Masters;
  if (name == "q8_0") return WeightForm::Q8_0;
  if (name == "q4_0") return WeightForm::Q4_0;
  throw Error("weights", fmt::format("unknown form of weights \"{}\"", name),
              "choose q8_0 or q4_0, or leave it out");
}

Precision Precision::reading(Recipe recipe, WeightForm packed, Device device) {
  Precision precision = of(recipe);
  if (packed == WeightForm::Q8_0 || packed == WeightForm::Q4_0) {
    precision.weights = packed;
    const std::string_view name = precision.weight_name();
    if (device != Device::Cpu) {
      throw Error("weights", fmt::format("{} is computed with on the CPU, not on a GPU", name),
                  "leave out --weights, or choose --device cpu");
    }
    if (recipe != Recipe::Fp32) {
      throw Error("weights",
                  fmt::format("{} is computed with at precision fp32, not {}", name,
                              tessera::name_of(recipe)),
                  "leave out --precision or --weights");
    }
  } else if (device == Device::Cpu && recipe == Recipe::Bf16) {
    precision.weights = WeightForm::Operands;
  }
  return precision;
}

std::string_view Precision::weight_name() const {
  switch (weights) {
    case WeightForm::Q8_0:
      return "q8_0";
    case WeightForm::Q4_0:
      return "q4_0";
    default:
      return tessera::name_of(recipe);
  }
}

}  // namespace tessera
