// SPDX-License-Identifier: MIT
// Shared by the tests of core/checkpoint: folders that vanish, tensors with memory, damage.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/checkpoint/safetensors.h"
#include "tests/build_paths.h"

namespace tessera::testing {

namespace fs = std::filesystem;

class TemporaryFolder {
 public:
  explicit TemporaryFolder(const fs::path& parent = fs::temp_directory_path()) {
    std::string name = (parent / "tessera-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

/// Tensors that own their memory, filled with bytes that depend on a seed alone.
class Tensors {
 public:
  Tensor make(DType dtype, std::initializer_list<std::int64_t> shape, std::uint64_t seed) {
    Tensor tensor = zeros(dtype, shape);
    const Random random(seed);
    auto* bytes = static_cast<std::byte*>(tensor.raw());
    for (std::size_t at = 0; at < tensor.bytes(); at += 16) {
      const auto words = random.words(at);
      std::memcpy(bytes + at, words.data(), std::min<std::size_t>(16, tensor.bytes() - at));
    }
    return tensor;
  }
  /// F32 values in (-1, 1).
  Tensor numbers(std::initializer_list<std::int64_t> shape, std::uint64_t seed) {
    Tensor tensor = zeros(DType::F32, shape);
    const Random random(seed);
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
      tensor.data<float>()[i] =
          static_cast<float>(2 * random.uniform(static_cast<std::uint64_t>(i)) - 1);
    }
    return tensor;
  }
  Tensor zeros(DType dtype, std::initializer_list<std::int64_t> shape) {
    std::size_t bytes = size_of(dtype);
    for (std::int64_t extent : shape) bytes *= static_cast<std::size_t>(extent);
    return buffers_.emplace_back(std::max<std::size_t>(bytes, 1)).view(dtype, shape);
  }

 private:
  std::deque<Buffer> buffers_;
};

inline bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

inline std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline void flip_bit(const fs::path& path, std::size_t byte, int bit) {
  std::string bytes = read_file(path);
  bytes.at(byte) = static_cast<char>(bytes.at(byte) ^ (1 << bit));
  write_file(path, bytes);
}

/// The message of the Error that `act` throws; a failure of the test when it throws none.
template <class Act>
std::string error_of(Act&& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no Error was thrown";
  return {};
}

inline ::testing::AssertionResult contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "\"" << text << "\" does not contain \"" << part << "\"";
}

}  // namespace tessera::testing
