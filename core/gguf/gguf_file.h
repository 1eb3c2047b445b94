// SPDX-License-Identifier: MIT
// GGUF files of version 2 and 3, little-endian (github.com/ggml-org/ggml, docs/gguf.md): magic,
// version, counts, values by key, a row for each tensor, and behind them, aligned, the tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/gguf/gguf_types.h"

namespace tessera {

/// Numbered as in the files.
enum class GgufKind : std::uint32_t {
  U8,
  I8,
  U16,
  I16,
  U32,
  I32,
  F32,
  Bool,
  Text,
  List,
  U64,
  I64,
  F64,
};

/// A list of texts, or of numbers of one kind as they lie in the file.
struct GgufList {
  GgufKind kind = GgufKind::U8;
  std::uint64_t count = 0;
  std::span<const std::byte> numbers;
  std::vector<std::string_view> texts;
};

/// Whole numbers of every width are U64 where the file says unsigned, and I64 otherwise; F32 and
/// F64 are double. Texts and lists point into the file.
using GgufValue =
    std::variant<std::uint64_t, std::int64_t, double, bool, std::string_view, GgufList>;

struct GgufTensor {
  std::string name;
  GgufType type = GgufType::F32;
  std::vector<std::int64_t> shape;  ///< the dimension whose elements lie side by side is the last
  std::span<const std::byte> bytes;

  std::int64_t rows() const;     ///< all dimensions but the last
  std::int64_t columns() const;  ///< whole blocks of the type
  std::string describe() const;  ///< "Q8_0(64, 128)"
  /// Reads `count` rows from row `first` on, as F32.
  void read_rows(std::int64_t first, std::int64_t count, float* to) const;
};

struct GgufContents {
  std::map<std::string, GgufValue, std::less<>> values;
  std::map<std::string, GgufTensor, std::less<>> tensors;
};

/// Reads a whole file's bytes. `where` names the file in errors, which also tell the byte.
/// Everything is checked before it is believed: version, order of bytes, counts against the bytes
/// that are left, kinds, texts, keys and names that come twice, types, shapes (with overflow), and
/// that the tensors lie inside the file, aligned and apart. Types that are not read are refused by
/// name.
GgufContents parse_gguf(std::span<const std::byte> file, const std::string& where);

/// A GGUF file, mapped into memory: opening reads all but the tensors.
class GgufFile {
 public:
  explicit GgufFile(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  const GgufContents& contents() const { return contents_; }
  const GgufTensor* find(std::string_view name) const;
  /// Throws Error when there is none.
  const GgufTensor& at(std::string_view name) const;

 private:
  struct Mapping;
  std::filesystem::path path_;
  std::shared_ptr<const Mapping> mapping_;
  GgufContents contents_;
};

/// Whether the file begins as GGUF does, in whatever version.
bool is_gguf(const std::filesystem::path& path);

}  // namespace tessera
