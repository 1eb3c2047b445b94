// SPDX-License-Identifier: MIT
// Private to core/data: the bytes of a file, unpacked when it is gzip or zstd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

namespace tessera::data {

class InputFile {
 public:
  enum class State { Good, End, Damaged, Unreadable };

  virtual ~InputFile() = default;
  /// Kinds are told by the first bytes. The state is Unreadable when it cannot be opened.
  static std::unique_ptr<InputFile> open(const std::filesystem::path& path);

  /// Up to `size` bytes; fewer (or 0) only when the state is no longer Good.
  virtual std::size_t read(char* to, std::size_t size) = 0;
  State state() const { return state_; }
  /// Bytes of the file on disk that were taken.
  virtual std::int64_t consumed() const = 0;

 protected:
  State state_ = State::Good;
};

}  // namespace tessera::data
