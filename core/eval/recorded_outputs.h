// SPDX-License-Identifier: MIT
// A file of recorded outputs: which of its tensors were compared, and integers of whatever width.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "core/base/memory.h"
#include "core/checkpoint/safetensors.h"

namespace tessera {

/// Values of a tensor of integers. Throws Error naming it when it holds something else.
std::vector<std::int64_t> integers_of(const StoredTensor& tensor);

class RecordedOutputs {
 public:
  explicit RecordedOutputs(const std::filesystem::path& file) : file_(file) {}

  /// Null when there is none of that name. What is found counts as compared.
  const StoredTensor* find(const std::string& name);
  /// Names that nobody asked for, sorted.
  std::vector<std::string> left_over() const;

  /// Rows of tokens as (rows, length) I64: one dimension is one row, and I32 and I16 do as well.
  /// Throws Error naming file, tensor and what was found unless each id is below `vocab_size` and
  /// rows have 2 to `max_length` tokens.
  Tensor token_rows(const std::string& name, std::int64_t vocab_size, std::int64_t max_length);

  const SafetensorsFile& file() const { return file_; }

 private:
  SafetensorsFile file_;
  std::set<std::string> asked_;
  std::vector<std::vector<std::int64_t>> rows_;  ///< memory of what token_rows() returned
};

}  // namespace tessera
