// SPDX-License-Identifier: MIT
// The table of what each library links, in docs/architecture.md, against the build's own files.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/build_paths.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

using Links = std::map<std::string, std::set<std::string>>;

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  return std::regex_replace(text, std::regex("#[^\n]*"), "");
}

/// The words behind DEPENDS and PRIVATE of one declaration.
std::set<std::string> linked(const std::string& declaration) {
  std::set<std::string> names;
  std::istringstream words(declaration);
  std::string word;
  bool counts = false;
  while (words >> word) {
    if (word == "DEPENDS" || word == "PRIVATE") {
      counts = true;
    } else if (word == "SOURCES") {
      counts = false;
    } else if (counts && word.find('$') == std::string::npos) {
      names.insert(word);
    }
  }
  return names;
}

/// What tessera_library() declares below `root`.
Links declared(const fs::path& root) {
  Links links;
  const std::regex library("tessera_library\\((tessera_[a-z_]+)([^)]*)\\)");
  for (const char* folder : {"core", "kernels", "distributed", "app"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      if (entry.path().filename() != "CMakeLists.txt") continue;
      const std::string text = text_of(entry.path());
      for (std::sregex_iterator at(text.begin(), text.end(), library), end; at != end; ++at) {
        links[(*at)[1]] = linked((*at)[2]);
      }
    }
  }
  return links;
}

/// Rows "| `tessera_x` | `a`, `b` |" of the page.
Links written(const fs::path& page) {
  Links links;
  std::ifstream file(page);
  std::string line;
  const std::regex row("^\\| `(tessera_[a-z_]+)` \\| (.*) \\|$"), name("`([^`]+)`");
  while (std::getline(file, line)) {
    std::smatch match;
    if (!std::regex_match(line, match, row)) continue;
    const std::string names = match[2];
    std::set<std::string>& to = links[match[1]];
    for (std::sregex_iterator at(names.begin(), names.end(), name), end; at != end; ++at) {
      to.insert((*at)[1]);
    }
  }
  return links;
}

TEST(Links, AreThoseOfTheTable) {
  const fs::path root = TESSERA_SOURCE_DIR;
  const Links build = declared(root), page = written(root / "docs" / "architecture.md");
  ASSERT_GT(build.size(), 15u);
  for (const auto& [library, names] : build) {
    ASSERT_TRUE(page.contains(library)) << library << " has no row";
    EXPECT_EQ(page.at(library), names) << library;
  }
  for (const auto& [library, names] : page) {
    EXPECT_TRUE(build.contains(library)) << library << " is not there any more";
  }
}

/// What computes nothing links nothing that computes.
TEST(Links, OfPlainLibrariesHoldNoKernel) {
  const Links build = declared(TESSERA_SOURCE_DIR);
  for (const char* plain : {"tessera_config", "tessera_spec", "tessera_events", "tessera_run",
                            "tessera_launch", "tessera_history", "tessera_schedule"}) {
    std::set<std::string> seen, next = {plain};
    while (!next.empty()) {
      const std::string library = *next.begin();
      next.erase(next.begin());
      if (!seen.insert(library).second || !build.contains(library)) continue;
      next.insert(build.at(library).begin(), build.at(library).end());
    }
    EXPECT_FALSE(seen.contains("tessera_kernels")) << plain;
    EXPECT_FALSE(seen.contains("tessera_dnnl")) << plain;
  }
}

}  // namespace
}  // namespace tessera
