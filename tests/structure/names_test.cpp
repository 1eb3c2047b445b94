// SPDX-License-Identifier: MIT
// Two classes of one name, each in its own header, are one class to the linker: it keeps one of the
// two destructors, and objects of the other class are destroyed with it. Neither compiler nor
// linker tells of that.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/build_paths.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

/// Without comments and literals, whose braces and words would be taken for code.
std::string bare(std::string text) {
  static const std::regex raw("R\"\\(([^)]|\\)[^\"])*\\)\"");
  static const std::regex rest(
      "//[^\n]*|/\\*([^*]|\\*[^/])*\\*/|\"([^\"\\\\\n]|\\\\.)*\"|'\\\\?.'");
  text = std::regex_replace(text, raw, "");
  return std::regex_replace(text, rest, "");
}

/// Names of the classes and structs that `text` defines, with their namespaces. Classes inside
/// others and in namespaces without a name do not count.
std::vector<std::string> classes_of(const std::string& text) {
  static const std::regex token(
      "namespace\\s*([\\w:]*)\\s*\\{|(?:class|struct)\\s+(?:alignas\\([^)]*\\)\\s*)?(\\w+)\\s*"
      "(?:final\\s*)?(?::(?!:)[^{};()]*)?\\{|\\{|\\}");
  std::vector<std::string> names, scope;  // a scope that is no namespace: empty
  const std::string code = bare(text);
  for (std::sregex_iterator at(code.begin(), code.end(), token), end; at != end; ++at) {
    const std::string word = at->str();
    if (word == "}") {
      if (!scope.empty()) scope.pop_back();
    } else if (word.starts_with("namespace")) {
      scope.push_back((*at)[1].str());
    } else {
      const std::string name = (*at)[2].str();
      std::string path;
      bool seen = !name.empty();
      for (const std::string& outer : scope) {
        seen = seen && !outer.empty();
        path += outer + "::";
      }
      if (seen) names.push_back(path + name);
      scope.emplace_back();
    }
  }
  return names;
}

TEST(Names, ClassesAreFoundWithTheirNamespaces) {
  const std::string text =
      "namespace a {\n// class Commented {\nclass One { struct Inner {}; };\nstruct Later;\n"
      "namespace {\nclass Hidden {};\n}\nstruct Two : One { const char* s = \"class No {\"; };\n"
      "enum class Three { X };\n}  // namespace a\nnamespace b::c {\nstruct One final {};\n}\n";
  EXPECT_EQ(classes_of(text),
            (std::vector<std::string>{"a::One", "a::Two", "a::Three", "b::c::One"}));
}

TEST(Names, EachClassHasOneHeader) {
  const fs::path root = TESSERA_SOURCE_DIR;
  std::map<std::string, std::set<std::string>> headers;
  for (const char* folder : {"app", "core", "distributed", "kernels", "ui"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder)) {
      const std::string ending = entry.path().extension().string();
      if (ending != ".h" && ending != ".cuh") continue;
      std::ifstream in(entry.path());
      const std::string text{std::istreambuf_iterator<char>(in), {}};
      for (const std::string& name : classes_of(text)) {
        headers[name].insert(fs::relative(entry.path(), root).string());
      }
    }
  }
  EXPECT_GT(headers.size(), 300u);
  for (const auto& [name, files] : headers) {
    EXPECT_EQ(files.size(), 1u) << name << " is defined in "
                                << fmt::format("{}", fmt::join(files, ", "));
  }
}

}  // namespace
}  // namespace tessera
