// SPDX-License-Identifier: MIT
// Private to core/data: what a build keeps in its folder while it is at work.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/data/dedup.h"

namespace tessera::data {

/// Held while a build is at work in a folder; the system lets go of it when the process ends.
/// Throws Error when another build holds it.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int fd_ = -1;
};

/// build-seen.bin: the fingerprints of kept documents, so that a build that goes on knows them.
class SeenFile {
 public:
  /// Opens for appending behind `bytes`; what lies beyond belongs to shards that were not finished.
  SeenFile(const std::filesystem::path& path, std::int64_t bytes);
  ~SeenFile();
  SeenFile(const SeenFile&) = delete;
  SeenFile& operator=(const SeenFile&) = delete;

  void add(const Fingerprint& print) { waiting_.push_back(print); }
  /// Writes what was added to the disk; returns its bytes. Throws Error when the disk is full.
  std::int64_t flush();

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  std::vector<Fingerprint> waiting_;
};

}  // namespace tessera::data
