// SPDX-License-Identifier: MIT
#include "core/checkpoint/staged_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/checkpoint/file_writer.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
fs::path beside(const fs::path& target, const char* prefix) {
  return target.parent_path() /
         fmt::format("{}{}-{}", prefix, target.filename().string(), ::getpid());
}

void rename_folder(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    throw Error(to.string(), fmt::format("cannot rename {} to it: {}", from.filename().string(),
                                         std::strerror(errno)));
  }
}

/// Whatever cannot be deleted stays under a name that nobody reads, and is tried again next time.
void delete_tree(const fs::path& folder) noexcept {
  std::error_code code;
  fs::remove_all(folder, code);
  if (code) log::warning("{}: cannot delete: {}", folder.string(), code.message());
}

std::vector<fs::path> names_with(const fs::path& parent, const char* prefix) {
  std::vector<fs::path> found;
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, code)) {
    if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path());
  }
  return found;
}
}  // namespace

fs::path name_of_new_folder(const fs::path& folder) {
  fs::path target = fs::absolute(folder).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();
  if (fs::exists(target) && (!fs::is_directory(target) || !fs::is_empty(target))) {
    throw Error(target.string(), "is there already, and not an empty folder",
                "name a new folder, or empty this one first");
  }
  return target;
}

void require_space_for(const fs::path& target, std::uint64_t bytes) {
  fs::path parent = target.parent_path();
  while (!fs::exists(parent)) parent = parent.parent_path();
  require_free_space(parent, bytes);
}

std::string replaced_name(const std::string& file_name) {
  const std::string prefix = kReplacedPrefix;
  const std::size_t end = file_name.rfind('-');
  if (!file_name.starts_with(prefix) || end <= prefix.size()) return {};
  return file_name.substr(prefix.size(), end - prefix.size());
}

StagedFolder::StagedFolder(fs::path target)
    : target_(std::move(target)), path_(beside(target_, kTemporaryPrefix)) {
  std::error_code code;
  fs::remove_all(path_, code);
  fs::create_directories(target_.parent_path(), code);
  fs::create_directory(path_, code);
  if (!fs::is_directory(path_)) {
    throw Error(path_.string(), fmt::format("cannot create the folder: {}", code.message()),
                "check who may write there and that the disk is not full");
  }
}

StagedFolder::~StagedFolder() {
  std::error_code code;
  if (fs::exists(path_, code)) delete_tree(path_);
}

void StagedFolder::add(std::vector<FolderFile> files) {
  for (FolderFile& file : files) files_.push_back(std::move(file));
}

void StagedFolder::add_text(const std::string& name, const std::string& text) {
  FileWriter file(path_ / name);
  file.write(text);
  add({name, file.finish()});
}

void StagedFolder::add_copy(const fs::path& from) {
  std::ifstream in(from, std::ios::binary);
  if (!in) throw Error(from.string(), "cannot open the file to copy it");
  const std::string name = from.filename().string();
  FileWriter file(path_ / name);
  std::vector<char> buffer(1u << 20);
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    if (in.bad()) throw Error(from.string(), "cannot read the file to copy it");
    file.write(buffer.data(), static_cast<std::size_t>(in.gcount()));
  }
  add({name, file.finish()});
}

void StagedFolder::publish() {
  sync_folder(path_);
  std::error_code code;
  if (fs::exists(target_, code)) {
    replace();
  } else {
    rename_folder(path_, target_);
  }
  sync_folder(target_.parent_path());
}

void StagedFolder::replace() {
  if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) {
    return;  // path_ now holds the old one, and the destructor deletes it
  }
  if (errno != EINVAL && errno != ENOSYS) {
    throw Error(target_.string(), fmt::format("cannot replace it: {}", std::strerror(errno)));
  }
  // NOTE: no exchange here (network file systems). Between the two renames the old one is found
  // under its replaced name, so that a crash loses nothing.
  const fs::path old = beside(target_, kReplacedPrefix);
  rename_folder(target_, old);
  rename_folder(path_, target_);
  delete_tree(old);
}

void StagedFolder::remove_leftovers(const fs::path& parent) {
  for (const fs::path& folder : names_with(parent, kReplacedPrefix)) {
    const std::string name = replaced_name(folder.filename().string());
    if (name.empty()) continue;
    if (fs::exists(parent / name)) {
      remove(folder);
    } else {
      rename_folder(folder, parent / name);
    }
  }
  for (const fs::path& folder : names_with(parent, kTemporaryPrefix)) delete_tree(folder);
}

void StagedFolder::remove(const fs::path& folder) {
  const fs::path hidden = beside(folder, kTemporaryPrefix);
  delete_tree(hidden);
  rename_folder(folder, hidden);
  delete_tree(hidden);
}

}  // namespace tessera
