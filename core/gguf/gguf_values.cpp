// SPDX-License-Identifier: MIT
#include "core/gguf/gguf_values.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/error.h"

namespace tessera {

namespace {
std::string shown_value(const GgufValue& value) {
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return fmt::format("{}", *number);
  if (const auto* number = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *number);
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    constexpr std::size_t kShown = 60;
    return fmt::format("\"{}\"{}", text->substr(0, kShown), text->size() > kShown ? "..." : "");
  }
  return fmt::format("a list of {}", std::get<GgufList>(value).count);
}

template <class Stored, class To>
void widen(const GgufList& list, std::vector<To>& to) {
  for (std::uint64_t i = 0; i < list.count; ++i) {
    Stored value;
    std::memcpy(&value, list.numbers.data() + i * sizeof(Stored), sizeof(Stored));
    to.push_back(static_cast<To>(value));
  }
}
}  // namespace

const GgufValue* GgufValues::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

void GgufValues::missing(std::string_view key) const {
  throw Error(where_, fmt::format("has no key {}", key),
              "the file is incomplete, or of another kind of model");
}

void GgufValues::wrong(std::string_view key, std::string_view expected) const {
  throw Error(where_, fmt::format("{} is {}, expected {}", key, shown_value(*find(key)), expected));
}

std::optional<std::int64_t> GgufValues::integer(std::string_view key) const {
  const GgufValue* value = find(key);
  if (!value) return std::nullopt;
  if (const auto* number = std::get_if<std::int64_t>(value)) return *number;
  const auto* number = std::get_if<std::uint64_t>(value);
  constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();
  if (!number || *number > kLargest) wrong(key, "a whole number");
  return static_cast<std::int64_t>(*number);
}

std::optional<double> GgufValues::number(std::string_view key) const {
  const GgufValue* value = find(key);
  if (!value) return std::nullopt;
  if (const auto* number = std::get_if<double>(value)) {
    if (!std::isfinite(*number)) wrong(key, "a finite number");
    return *number;
  }
  return static_cast<double>(*integer(key));
}

std::optional<bool> GgufValues::flag(std::string_view key) const {
  const GgufValue* value = find(key);
  if (!value) return std::nullopt;
  if (const auto* flag = std::get_if<bool>(value)) return *flag;
  wrong(key, "true or false");
}

std::optional<std::string> GgufValues::text(std::string_view key) const {
  const GgufValue* value = find(key);
  if (!value) return std::nullopt;
  if (const auto* text = std::get_if<std::string_view>(value)) return std::string(*text);
  wrong(key, "a text");
}

const GgufList* GgufValues::list(std::string_view key, std::string_view expected) const {
  const GgufValue* value = find(key);
  if (!value) return nullptr;
  const auto* list = std::get_if<GgufList>(value);
  if (!list) wrong(key, expected);
  return list;
}

std::vector<std::string> GgufValues::texts(std::string_view key) const {
  const GgufList* found = list(key, "a list of texts");
  if (!found) return {};
  if (found->kind != GgufKind::Text) wrong(key, "a list of texts");
  return {found->texts.begin(), found->texts.end()};
}

std::vector<std::int32_t> GgufValues::integers(std::string_view key) const {
  const GgufList* found = list(key, "a list of whole numbers");
  std::vector<std::int32_t> all;
  if (!found) return all;
  if (found->kind == GgufKind::I32) {
    widen<std::int32_t>(*found, all);
  } else if (found->kind == GgufKind::U32) {
    widen<std::uint32_t>(*found, all);
  } else {
    wrong(key, "a list of whole numbers of 32 bits");
  }
  return all;
}

std::vector<float> GgufValues::numbers(std::string_view key) const {
  const GgufList* found = list(key, "a list of numbers");
  std::vector<float> all;
  if (!found) return all;
  if (found->kind == GgufKind::F32) {
    widen<float>(*found, all);
  } else if (found->kind == GgufKind::F64) {
    widen<double>(*found, all);
  } else {
    wrong(key, "a list of floating-point numbers");
  }
  return all;
}

std::int64_t GgufValues::need_integer(std::string_view key) const {
  const auto value = integer(key);
  if (!value) missing(key);
  return *value;
}

double GgufValues::need_number(std::string_view key) const {
  const auto value = number(key);
  if (!value) missing(key);
  return *value;
}

void GgufValues::only(std::string_view key, std::int64_t value, std::string_view meaning) const {
  const auto found = integer(key);
  if (!found || *found == value) return;
  throw Error(where_, fmt::format("{} is {}, expected {}: {}", key, *found, value, meaning));
}

}  // namespace tessera
