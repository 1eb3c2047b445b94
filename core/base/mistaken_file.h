// SPDX-License-Identifier: MIT
// Files that are not what their names say: a Git LFS pointer or an error page saved as weights, a
// link whose target is gone. Readers ask here first, so that the user hears of the cause and not of
// a broken header.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace tessera {

struct MistakenFile {
  std::string what;  ///< "is a Git LFS pointer, and not the file itself"
  std::string hint;  ///< what to do about it
};

/// Judges the first bytes of a file (some hundred are enough) that should hold a model's weights,
/// configuration or vocabulary. Nothing: they are none of the things known here.
std::optional<MistakenFile> mistaken_content(std::string_view first_bytes);

/// Throws Error naming `path` when mistaken_content() knows what the bytes are.
void refuse_mistaken_content(const std::filesystem::path& path, std::string_view first_bytes);

/// Throws Error naming `path` and where it leads when it is a link to something that is not there.
/// A path that does not exist at all is left to the caller.
void refuse_dangling_link(const std::filesystem::path& path);

}  // namespace tessera
