// SPDX-License-Identifier: MIT
// Where the program's own files and the user's are.
#pragma once

#include <filesystem>
#include <string>

namespace tessera {

/// Presets, glossary, sample data: TESSERA_RESOURCES, or share/tessera beside the program's bin/,
/// or the source tree it was built from. Throws Error when none is there.
std::filesystem::path resources_folder();

/// The user's own: TESSERA_HOME, or XDG_DATA_HOME/tessera, or ~/.local/share/tessera. Made when it
/// is missing. Throws Error when it cannot be.
std::filesystem::path home_folder();

/// Runs go to TESSERA_RUNS, or home_folder()/runs.
std::filesystem::path runs_folder();

/// A path of a spec: "resource:sample/web" is in resources_folder(), "~/x" in the user's home, and
/// a relative one is seen from `base`.
std::filesystem::path resolve_path(const std::string& path, const std::filesystem::path& base = {});

/// Writes under another name in the same folder, flushes and renames: readers see the old or the
/// new text, never a part. Throws Error when the disk is full or fails; the old file then stays.
void write_file_atomically(const std::filesystem::path& path, const std::string& text);

/// Throws Error when it cannot be read or is larger than `most_bytes`.
std::string read_file(const std::filesystem::path& path, std::size_t most_bytes = 64u << 20);

}  // namespace tessera
