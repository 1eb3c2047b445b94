// SPDX-License-Identifier: MIT
// Private to core/gguf: the values of a GGUF file by key, with their kinds checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/gguf/gguf_file.h"

namespace tessera {

/// Errors name the file, the key, what was found and what is expected.
class GgufValues {
 public:
  explicit GgufValues(const GgufFile& file)
      : values_(file.contents().values), where_(file.path().string()) {}
  GgufValues(const GgufContents& contents, std::string where)
      : values_(contents.values), where_(std::move(where)) {}

  bool has(std::string_view key) const { return values_.contains(key); }
  std::optional<std::int64_t> integer(std::string_view key) const;
  std::optional<double> number(std::string_view key) const;
  std::optional<bool> flag(std::string_view key) const;
  std::optional<std::string> text(std::string_view key) const;
  /// Empty where the key is absent.
  std::vector<std::string> texts(std::string_view key) const;
  std::vector<std::int32_t> integers(std::string_view key) const;
  std::vector<float> numbers(std::string_view key) const;

  std::int64_t need_integer(std::string_view key) const;
  double need_number(std::string_view key) const;
  /// Throws Error unless the key is absent or has this value.
  void only(std::string_view key, std::int64_t value, std::string_view meaning) const;

  [[noreturn]] void missing(std::string_view key) const;
  [[noreturn]] void wrong(std::string_view key, std::string_view expected) const;
  const std::string& where() const { return where_; }

 private:
  const GgufValue* find(std::string_view key) const;
  const GgufList* list(std::string_view key, std::string_view expected) const;
  const std::map<std::string, GgufValue, std::less<>>& values_;
  std::string where_;
};

}  // namespace tessera
