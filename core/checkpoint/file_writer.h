// SPDX-License-Identifier: MIT
// Files that must survive a crash: written once, hashed on the way, flushed to the disk, and seen
// under their final name only when whole.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace tessera {

/// What a finished file holds; `xxh3` is XXH3-64 of its bytes.
struct WrittenFile {
  std::uint64_t bytes = 0;
  std::uint64_t xxh3 = 0;
};

/// A new file, written from start to end. Every call throws Error naming the path, the cause and
/// (for a full disk) what to do. A file that was not finished is removed by the destructor.
class FileWriter {
 public:
  /// Creates the file; an existing one is an error.
  explicit FileWriter(std::filesystem::path path);
  ~FileWriter();
  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&&) = delete;

  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }

  /// Flushes to the disk (fsync) and closes.
  WrittenFile finish();

 private:
  struct Hash;
  std::filesystem::path path_;
  std::unique_ptr<Hash> hash_;
  std::uint64_t bytes_ = 0;
  int descriptor_ = -1;
};

/// XXH3-64 of a whole file. Throws Error when it cannot be read, and Stopped when `stop` is set on
/// the way.
WrittenFile hash_file(const std::filesystem::path& path, const std::atomic<bool>* stop = nullptr);

/// Throws Error, saying how much is needed and how much there is, unless the disk that holds
/// `folder` has room for `bytes` more.
void require_free_space(const std::filesystem::path& folder, std::uint64_t bytes);

}  // namespace tessera
