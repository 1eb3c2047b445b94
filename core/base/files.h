// SPDX-License-Identifier: MIT
// Small files, read whole and written whole. Streams of gigabytes are
// core/checkpoint/file_writer.h.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>

namespace tessera {

/// Writes the parts one behind the other under another name in the same folder, flushes them to the
/// disk, renames, and flushes the folder: readers see the old or the new file, never a part of one,
/// after a crash too. Throws Error naming the path and the cause when the disk is full or fails;
/// the old file then stays.
void write_file_atomically(const std::filesystem::path& path,
                           std::initializer_list<std::string_view> parts);
inline void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  write_file_atomically(path, {text});
}

/// The whole file. Throws Error when it cannot be read or is larger than `most_bytes`.
std::string read_file(const std::filesystem::path& path, std::size_t most_bytes = 64u << 20);

/// Makes the names inside a folder durable (fsync of the folder). Throws Error when it cannot.
void sync_folder(const std::filesystem::path& folder);

}  // namespace tessera
