// SPDX-License-Identifier: MIT
#include "core/train/data_cache.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/base/error.h"
#include "core/base/files.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {

constexpr const char* kEntryFile = "entry.json";
constexpr const char* kLast = "manifest.json";  // a folder with it counts as complete
constexpr std::chrono::hours kAbandonedAfter{24};

/// Shards never change once they are written; other files are small, and some are written anew.
bool may_be_linked(const fs::path& file) {
  return file.extension() == ".tokens";
}

void link_or_copy(const fs::path& from, const fs::path& to) {
  fs::remove(to);  // not written over: another entry or run may share its blocks
  if (may_be_linked(from)) {
    std::error_code failed;
    fs::create_hard_link(from, to, failed);
    if (!failed) return;
  }
  fs::copy_file(from, to);
}

std::int64_t bytes_in(const fs::path& folder) {
  std::int64_t bytes = 0;
  std::error_code ignored;
  for (fs::directory_iterator it(folder, ignored), end; !ignored && it != end;
       it.increment(ignored)) {
    std::error_code unreadable;
    const auto size = it->file_size(unreadable);
    if (!unreadable) bytes += static_cast<std::int64_t>(size);
  }
  return bytes;
}

double seconds_since_1970(fs::file_time_type time) {
  const auto system = std::chrono::file_clock::to_sys(time);
  return std::chrono::duration<double>(system.time_since_epoch()).count();
}

std::string unique_suffix() {
  static std::atomic<int> count = 0;
  return fmt::format("{}-{}", ::getpid(), count++);
}

fs::path from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? fs::path(value) : fs::path();
}

}  // namespace

fs::path data_cache_folder() {
  if (const fs::path home = from_environment("TESSERA_HOME"); !home.empty()) return home / "cache";
  if (const fs::path cache = from_environment("XDG_CACHE_HOME"); cache.is_absolute()) {
    return cache / "tessera";
  }
  if (const fs::path home = from_environment("HOME"); !home.empty()) {
    return home / ".cache" / "tessera";
  }
  return {};
}

bool DataCache::fetch(const std::string& name, const fs::path& target) const {
  if (folder_.empty()) return false;
  const fs::path entry = folder_ / name;
  std::vector<fs::path> made;
  try {
    if (!fs::exists(entry / kEntryFile)) return false;
    fs::create_directories(target);
    std::vector<fs::path> files;
    for (const auto& file : fs::directory_iterator(entry)) {
      if (file.path().filename() != kEntryFile) files.push_back(file.path());
    }
    std::stable_partition(files.begin(), files.end(),
                          [](const fs::path& file) { return file.filename() != kLast; });
    for (const fs::path& file : files) {
      made.push_back(target / file.filename());
      link_or_copy(file, made.back());
    }
    fs::last_write_time(entry, fs::file_time_type::clock::now());
    return !files.empty();
  } catch (const fs::filesystem_error&) {
    // Cleared by another process, or a full disk: the caller makes it anew and says what fails
    // then.
    std::error_code ignored;
    for (const fs::path& file : made) fs::remove(file, ignored);
    return false;
  }
}

std::string DataCache::keep(const std::string& name, const fs::path& source,
                            const std::vector<std::string>& files, const std::string& label) const {
  if (folder_.empty()) return "neither TESSERA_HOME, XDG_CACHE_HOME nor HOME is set";
  const fs::path part = folder_ / (".part-" + unique_suffix());
  try {
    if (fs::exists(folder_ / name / kEntryFile)) return {};
    std::int64_t bytes = 0;
    for (const std::string& file : files) {
      bytes += static_cast<std::int64_t>(fs::file_size(source / file));
    }
    if (bytes > most_bytes_) {
      return fmt::format("{:.1f} GB are more than the {:.1f} GB that the cache may hold",
                         static_cast<double>(bytes) / 1e9, static_cast<double>(most_bytes_) / 1e9);
    }
    fs::create_directories(part);
    make_room(bytes);
    for (const std::string& file : files) link_or_copy(source / file, part / file);
    write_file_atomically(part / kEntryFile, nlohmann::json{{"label", label}}.dump() + "\n");
    std::error_code lost;  // to another process with the same entry, which is as good
    fs::rename(part, folder_ / name, lost);
    if (lost) fs::remove_all(part);
    return {};
  } catch (const std::exception& error) {
    std::error_code ignored;
    fs::remove_all(part, ignored);
    return error.what();
  }
}

std::vector<CacheEntry> DataCache::entries() const {
  std::vector<CacheEntry> entries;
  std::error_code failed;
  for (fs::directory_iterator it(folder_, failed), end; !failed && it != end;
       it.increment(failed)) {
    CacheEntry entry;
    entry.name = it->path().filename().string();
    std::error_code gone;
    if (!fs::exists(it->path() / kEntryFile, gone)) continue;
    std::ifstream file(it->path() / kEntryFile);
    const auto value = nlohmann::json::parse(file, nullptr, false);
    if (value.is_object()) entry.label = value.value("label", "");
    entry.bytes = bytes_in(it->path());
    const auto time = fs::last_write_time(it->path(), gone);
    if (!gone) entry.last_used = seconds_since_1970(time);
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const CacheEntry& a, const CacheEntry& b) {
    return std::tie(b.last_used, b.name) < std::tie(a.last_used, a.name);
  });
  return entries;
}

/// Under another name first: nobody finds half an entry.
void DataCache::remove(const std::string& name) const {
  const fs::path old = folder_ / (".old-" + unique_suffix());
  std::error_code failed;
  fs::rename(folder_ / name, old, failed);
  if (!failed) fs::remove_all(old, failed);
}

void DataCache::make_room(std::int64_t bytes) const {
  std::vector<CacheEntry> all = entries();
  for (const CacheEntry& entry : all) bytes += entry.bytes;
  for (; bytes > most_bytes_ && !all.empty(); all.pop_back()) {
    bytes -= all.back().bytes;
    remove(all.back().name);
  }
  // What processes that were killed have left.
  std::error_code failed, ignored;
  for (fs::directory_iterator it(folder_, failed), end; !failed && it != end;
       it.increment(failed)) {
    if (!it->path().filename().string().starts_with('.')) continue;
    const auto time = fs::last_write_time(it->path(), ignored);
    if (!ignored && fs::file_time_type::clock::now() - time > kAbandonedAfter) {
      fs::remove_all(it->path(), ignored);
    }
  }
}

std::int64_t DataCache::clear() const {
  std::int64_t bytes = 0;
  for (const CacheEntry& entry : entries()) {
    bytes += entry.bytes;
    remove(entry.name);
  }
  return bytes;
}

}  // namespace tessera
