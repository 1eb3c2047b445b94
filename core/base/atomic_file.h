// SPDX-License-Identifier: MIT
// A file that is written in pieces and replaced as a whole; write_file_atomically() of files.h is
// for what stands in memory.
#pragma once

#include <filesystem>
#include <string_view>

namespace tessera {

/// The pieces go under another name in the same folder. commit() flushes them to the disk, renames,
/// and flushes the folder: readers see the old or the new file, never a part of one, after a crash
/// too. All of it throws Error naming the path and the cause when the disk is full or fails.
/// Without commit() the old file stays and the pieces are removed.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view text);
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  int file_ = -1;
  bool done_ = false;
};

}  // namespace tessera
