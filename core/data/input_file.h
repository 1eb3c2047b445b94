// SPDX-License-Identifier: MIT
// Private to core/data: the bytes of a file, unpacked when it is gzip or zstd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

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
  /// Why the state is Damaged or Unreadable: "cut off", "Permission denied".
  const std::string& fault() const { return fault_; }
  /// What was passed over though the data is whole; empty: nothing.
  const std::string& remark() const { return remark_; }
  /// Bytes of the file on disk that were taken.
  virtual std::int64_t consumed() const = 0;

 protected:
  void fail(State state, std::string fault) {
    state_ = state;
    fault_ = std::move(fault);
  }
  State state_ = State::Good;
  std::string fault_, remark_;
};

}  // namespace tessera::data
