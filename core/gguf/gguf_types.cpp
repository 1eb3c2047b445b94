// SPDX-License-Identifier: MIT
#include "core/gguf/gguf_types.h"

#include <array>

#include "core/base/error.h"

namespace tessera {

namespace {
constexpr std::array<GgufTypeInfo, 11> kReadTypes{{
    {GgufType::F32, "F32", 1, 4},
    {GgufType::F16, "F16", 1, 2},
    {GgufType::Q4_0, "Q4_0", 32, 18},
    {GgufType::Q4_1, "Q4_1", 32, 20},
    {GgufType::Q5_0, "Q5_0", 32, 22},
    {GgufType::Q5_1, "Q5_1", 32, 24},
    {GgufType::Q8_0, "Q8_0", 32, 34},
    {GgufType::Q4_K, "Q4_K", 256, 144},
    {GgufType::Q5_K, "Q5_K", 256, 176},
    {GgufType::Q6_K, "Q6_K", 256, 210},
    {GgufType::BF16, "BF16", 1, 2},
}};

struct NumberedName {
  std::uint32_t number;
  const char* name;
};
constexpr std::array<NumberedName, 22> kOtherTypes{{
    {9, "Q8_1"},     {10, "Q2_K"},  {11, "Q3_K"},   {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"},
    {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"}, {22, "IQ2_S"},   {23, "IQ4_XS"},
    {24, "I8"},      {25, "I16"},   {26, "I32"},    {27, "I64"},   {28, "F64"},     {29, "IQ1_M"},
    {34, "TQ1_0"},   {35, "TQ2_0"}, {39, "MXFP4"},  {40, "NVFP4"},
}};

struct OptionRow {
  const char* text;
  GgufType type;
};
constexpr std::array<OptionRow, 6> kOptions{{{"f32", GgufType::F32},
                                             {"f16", GgufType::F16},
                                             {"bf16", GgufType::BF16},
                                             {"q8_0", GgufType::Q8_0},
                                             {"q4_0", GgufType::Q4_0},
                                             {"q4_k", GgufType::Q4_K}}};
}  // namespace

const GgufTypeInfo* find_gguf_type(std::uint32_t number) {
  for (const GgufTypeInfo& row : kReadTypes) {
    if (static_cast<std::uint32_t>(row.type) == number) return &row;
  }
  return nullptr;
}

const GgufTypeInfo& info_of(GgufType type) {
  const GgufTypeInfo* info = find_gguf_type(static_cast<std::uint32_t>(type));
  if (!info) throw Error("gguf", "a type without a row");
  return *info;
}

std::string gguf_type_name(std::uint32_t number) {
  if (const GgufTypeInfo* info = find_gguf_type(number)) return info->name;
  for (const NumberedName& row : kOtherTypes) {
    if (row.number == number) return row.name;
  }
  return fmt::format("number {}", number);
}

const std::vector<std::string>& gguf_type_options() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> texts;
    for (const OptionRow& row : kOptions) texts.emplace_back(row.text);
    return texts;
  }();
  return all;
}

GgufType gguf_type_from_option(std::string_view text) {
  for (const OptionRow& row : kOptions) {
    if (row.text == text) return row.type;
  }
  throw Error("--type", fmt::format("there is no type \"{}\"", text),
              fmt::format("the types are {}", fmt::join(gguf_type_options(), ", ")));
}

}  // namespace tessera
