// SPDX-License-Identifier: MIT
// A folder that is filled under a temporary name and then appears whole under its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/checkpoint/safetensors.h"

namespace tessera {

/// `folder` in full, as a name beside which a temporary one can stand. Throws Error where something
/// is there that is no empty folder.
std::filesystem::path name_of_new_folder(const std::filesystem::path& folder);
/// Throws Error where the file system that the target will be on has no room for so many bytes.
void require_space_for(const std::filesystem::path& target, std::uint64_t bytes);

/// Every failure throws Error, and the destructor removes what was not published.
class StagedFolder {
 public:
  /// Creates `.tmp-<name>-<pid>` beside `target`.
  explicit StagedFolder(std::filesystem::path target);
  ~StagedFolder();
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  const std::vector<FolderFile>& files() const { return files_; }

  void add(FolderFile file) { files_.push_back(std::move(file)); }
  void add(std::vector<FolderFile> files);
  /// Writes a small file.
  void add_text(const std::string& name, const std::string& text);
  /// Copies a file in, under its own name.
  void add_copy(const std::filesystem::path& from);

  /// Flushes the folder and renames it to the target, replacing one that is there.
  void publish();

  /// Removes the leftovers of processes that died, and finishes their replacements.
  static void remove_leftovers(const std::filesystem::path& parent);
  /// Moves a folder out of sight, then deletes it.
  static void remove(const std::filesystem::path& folder);

 private:
  void replace();
  std::filesystem::path target_, path_;
  std::vector<FolderFile> files_;
};

/// Prefixes of names that no reader takes for a folder's own: one that is being written or deleted,
/// and one that is being replaced where the file system cannot exchange two names at once.
inline constexpr const char* kTemporaryPrefix = ".tmp-";
inline constexpr const char* kReplacedPrefix = ".old-";

/// "step-12" of ".old-step-12-4711"; empty for other names.
std::string replaced_name(const std::string& file_name);

}  // namespace tessera
