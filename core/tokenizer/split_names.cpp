// SPDX-License-Identifier: MIT
#include "core/tokenizer/split_names.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace tessera {

namespace {
using Json = nlohmann::json;

/// Chinese, and Korean syllables, as DeepSeek's first vocabularies have them.
constexpr const char* kEastAsian = "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+";
/// Letters with case of every script, as DeepSeek-LLM and V2 have them.
constexpr const char* kCasedLetters =
    "\\s?[A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-"
    "\u0293\u0295-\u02AF\u0370-\u0373\u0376\u0377\u037B-\u037D\u037F\u0386\u0388-"
    "\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F\u0531-\u0556"
    "\u10A0-\u10C5\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B"
    "\u1D6B-\u1D77\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D"
    "\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE"
    "\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4"
    "\u1FF6-\u1FFC\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128"
    "\u212A-\u212D\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184"
    "\u2C00-\u2C7B\u2C7E-\u2CE4\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D\uA680-\uA69B"
    "\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF\uFB00-\uFB06\uFB13-\uFB17"
    "\uFF21-\uFF3A\uFF41-\uFF5A\U00010400-\U0001044F\U000104B0-\U000104D3\U000104D8"
    "-\U000104FB\U00010C80-\U00010CB2\U00010CC0-\U00010CF2\U000118A0-\U000118DF"
    "\U0001E900-\U0001E943]+";
constexpr const char* kMarks = "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+";
constexpr const char* kKana = "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+";
constexpr const char* kV3Words =
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}"
    "]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+";
constexpr const char* kLlamaWords =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s"
    "\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr const char* kQwenWords =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L"
    "}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr const char* kKimiWords =
    "[\\p{Han}]+|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{H"
    "an}]]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]+[\\p{"
    "Ll}\\p{Lm}\\p{Lo}\\p{M}&&[^\\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3"
    "}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

struct SplitForm {
  const char* name;
  std::vector<std::string> patterns;  ///< each splits off what it finds
  bool as_gpt2 = false;               ///< the step to bytes splits as GPT-2 does
  bool ignore_merges = false;
  /// Digits come together, and joining them is left to the merges, which join none.
  bool digits_together = false;
};

const std::vector<SplitForm>& split_forms() {
  static const std::vector<SplitForm> forms{
      {"deepseek-v3", {"\\p{N}{1,3}", kKana, kV3Words}},
      {.name = "deepseek-llm",
       .patterns = {"[\r\n]", kCasedLetters, kMarks, "\\s+$", kEastAsian, "\\p{N}+"},
       .digits_together = true},
      {"deepseek-coder", {"[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", kEastAsian, "\\p{N}"}},
      {.name = "gpt-2", .patterns = {}, .as_gpt2 = true},
      {.name = "llama-bpe", .patterns = {kLlamaWords}, .ignore_merges = true},
      {"chatglm-bpe", {kLlamaWords}},
      {"qwen2", {kQwenWords}},
      {"kimi-k2", {kKimiWords}},
  };
  return forms;
}

/// The patterns of a file, each as one that splits off what it finds. False: a step is another one.
bool plain_patterns(const BpeFile& file, std::vector<std::string>& patterns) {
  using Behaviour = BpeSplit::Behaviour;
  for (const BpeSplit& step : file.splits) {
    if (step.kind == BpeSplit::Kind::ByteLevel) continue;
    if (!step.pattern.is_regex || step.invert) return false;
    // Neighbours that are one part: digits that are not split one by one.
    const bool joined = step.behaviour == Behaviour::Contiguous && step.pattern.text == "\\p{N}";
    if (!joined && step.behaviour != Behaviour::Isolated) return false;
    patterns.push_back(step.pattern.text + (joined ? "+" : ""));
  }
  return true;
}

bool joins_digits(const BpeFile& file) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return std::any_of(file.vocab.begin(), file.vocab.end(), [&](const auto& entry) {
    const std::string& token = entry.first;
    return std::adjacent_find(token.begin(), token.end(), [&](char a, char b) {
             return is_digit(a) && is_digit(b);
           }) != token.end();
  });
}

bool same_patterns(const SplitForm& form, std::vector<std::string> patterns, const BpeFile& file) {
  // Where no token has two digits, it does not matter whether they come one by one.
  if (form.digits_together && !patterns.empty() && patterns.back() == "\\p{N}" &&
      !joins_digits(file)) {
    patterns.back() += "+";
  }
  return form.patterns == patterns;
}

const SplitForm* find_form(const std::string& name) {
  for (const SplitForm& form : split_forms()) {
    if (form.name == name) return &form;
  }
  return nullptr;
}
}  // namespace

std::string split_name(const BpeFile& file) {
  std::vector<std::string> patterns;
  if (file.splits.empty() || file.splits.back().kind != BpeSplit::Kind::ByteLevel ||
      !plain_patterns(file, patterns)) {
    return {};
  }
  for (const SplitForm& form : split_forms()) {
    if (form.as_gpt2 == file.splits.back().has_pattern &&
        form.ignore_merges == file.ignore_merges && same_patterns(form, patterns, file)) {
      return form.name;
    }
  }
  return {};
}

Json pre_tokenizer_named(const std::string& name, bool& ignore_merges) {
  const SplitForm* form = find_form(name);
  if (!form) return nullptr;
  ignore_merges = form->ignore_merges;
  Json steps = Json::array();
  for (const std::string& pattern : form->patterns) {
    steps.push_back({{"type", "Split"},
                     {"pattern", {{"Regex", pattern}}},
                     {"behavior", "Isolated"},
                     {"invert", false}});
  }
  steps.push_back({{"type", "ByteLevel"},
                   {"add_prefix_space", false},
                   {"trim_offsets", true},
                   {"use_regex", form->as_gpt2}});
  return {{"type", "Sequence"}, {"pretokenizers", steps}};
}

std::string known_split_names() {
  std::vector<std::string> names;
  for (const SplitForm& form : split_forms()) names.emplace_back(form.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace tessera
