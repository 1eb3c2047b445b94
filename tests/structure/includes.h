// SPDX-License-Identifier: MIT
// The rules of the house, as far as the text of a source shows them: which folder may include
// which, where Qt and CUDA may appear, and the licence line.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::structure {

struct Finding {
  std::string file;  // from the root of the repository
  int line = 0;
  std::string what;
};

/// "file:line: what", one a line.
std::string to_text(const std::vector<Finding>& findings);

/// What is wrong in one source. `path` is from the root, with '/'.
std::vector<Finding> check_source(const std::string& path, std::string_view text);

/// Every source below `root`, as paths from it, sorted: C++, CUDA, CMake.
std::vector<std::string> sources_below(const std::filesystem::path& root);

}  // namespace tessera::structure
