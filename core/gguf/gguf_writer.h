// SPDX-License-Identifier: MIT
// Writes GGUF files of version 3 as a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/checkpoint/file_writer.h"
#include "core/gguf/gguf_types.h"

namespace tessera {

/// The values of a file, in the order in which they are added. A key is added once.
class GgufMetadata {
 public:
  void add(std::string_view key, std::uint32_t value);
  void add(std::string_view key, float value);
  void add(std::string_view key, bool value);
  void add(std::string_view key, std::string_view text);
  void add(std::string_view key, const char* text) { add(key, std::string_view(text)); }
  void add(std::string_view key, const std::vector<std::string>& texts);
  void add(std::string_view key, const std::vector<std::int32_t>& numbers);
  void add(std::string_view key, const std::vector<float>& numbers);
  /// A count of the model's. Throws Error where it is below 0 or above 32 bits.
  void add_count(std::string_view key, std::int64_t value);

  const std::string& bytes() const { return bytes_; }
  std::uint64_t count() const { return count_; }

 private:
  void begin(std::string_view key, std::uint32_t kind);
  template <class Number>
  void put(Number value);
  void put_text(std::string_view text);
  std::string bytes_;
  std::uint64_t count_ = 0;
};

/// A tensor of a file to be written; the last dimension of `shape` lies side by side.
struct GgufTensorPlan {
  std::string name;
  GgufType type = GgufType::F32;
  std::vector<std::int64_t> shape;
  std::uint64_t bytes() const;
};

class GgufWriter {
 public:
  /// Writes everything that stands before the tensors. Throws Error for a name that comes twice and
  /// for rows that are no whole blocks.
  GgufWriter(std::filesystem::path path, const GgufMetadata& metadata,
             std::vector<GgufTensorPlan> plan);

  /// The next bytes of the next tensor of the plan. Those of two tensors never come together.
  void append(std::span<const std::byte> bytes);
  /// Flushes to the disk. Throws Error when bytes of the plan are missing.
  WrittenFile finish();

  static std::uint64_t file_bytes(const GgufMetadata& metadata,
                                  const std::vector<GgufTensorPlan>& plan);

 private:
  void pad();
  std::vector<GgufTensorPlan> plan_;
  FileWriter file_;
  std::size_t current_ = 0;
  std::uint64_t current_bytes_ = 0;
};

}  // namespace tessera
