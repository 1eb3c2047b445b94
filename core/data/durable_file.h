// SPDX-License-Identifier: MIT
// Private to core/data: files that are there and whole, or not there.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string_view>

namespace tessera::data {

/// Writes the parts one behind the other under a temporary name (path + ".part"), flushes to the
/// disk, renames over `path` and flushes the folder. Throws Error naming the file and the reason.
void write_durably(const std::filesystem::path& path,
                   std::initializer_list<std::string_view> parts);

}  // namespace tessera::data
