// SPDX-License-Identifier: MIT
// What a release build compiles of the product is optimised, whatever flags its folders add.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/build_paths.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

/// The level that counts: the last one given; empty without any.
std::string level_of(const std::string& command) {
  std::istringstream words(command);
  std::string level;
  for (std::string word; words >> word;) {
    if (word.starts_with("-O")) level = word;
  }
  return level;
}

bool is_product(const fs::path& file) {
  const fs::path inside = file.lexically_relative(TESSERA_SOURCE_DIR);
  const std::string folder = inside.empty() ? "" : inside.begin()->string();
  constexpr const char* kFolders[] = {"app", "ui", "core", "kernels", "distributed", "base"};
  return std::find(std::begin(kFolders), std::end(kFolders), folder) != std::end(kFolders);
}

TEST(Optimised, TheLastLevelCounts) {
  EXPECT_EQ(level_of("c++ -O3 -DX -O0 -c a.cpp"), "-O0");
  EXPECT_EQ(level_of("c++ -O0 -O2 -o a.o"), "-O2");
  EXPECT_EQ(level_of("c++ -c a.cpp"), "");
}

TEST(Optimised, EverySourceOfAReleaseBuild) {
  const fs::path build = fs::path(TESSERA_PROGRAM).parent_path().parent_path();
  std::ifstream cache(build / "CMakeCache.txt");
  const std::string settings((std::istreambuf_iterator<char>(cache)), {});
  if (settings.find("CMAKE_BUILD_TYPE:STRING=Rel") == std::string::npos) {
    GTEST_SKIP() << "this is no release build";
  }
  std::ifstream file(build / "compile_commands.json");
  ASSERT_TRUE(file) << "the build wrote no compile_commands.json";
  int sources = 0;
  for (const auto& one : nlohmann::json::parse(file)) {
    const fs::path source = one.at("file").get<std::string>();
    if (source.extension() != ".cpp" || !is_product(source)) continue;
    ++sources;
    const std::string level = level_of(one.at("command").get<std::string>());
    EXPECT_FALSE(level.empty() || level == "-O0") << source << ": " << level;
  }
  EXPECT_GT(sources, 100);
}

}  // namespace
}  // namespace tessera
