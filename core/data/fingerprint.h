// SPDX-License-Identifier: MIT
// What a kept data build or vocabulary is known by, and which files it has.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/build.h"

namespace tessera::data {

/// 32 hexadecimal digits of all that decides what build(options) writes, and of `more`: the
/// settings, and of each file its name, size, time of change, beginning and end. Without a
/// tokenizer it is that of the text alone, as a vocabulary is trained on it. Throws Error as
/// build() does where a source has no files, and Stopped.
std::string fingerprint_of(const BuildOptions& options, std::string_view more = {});

/// The names of the files of a complete build.
std::vector<std::string> files_of(const std::filesystem::path& folder);

}  // namespace tessera::data
