// SPDX-License-Identifier: MIT
#include "core/serve/line_splitter.h"

#include <gtest/gtest.h>

#include <vector>

namespace tessera::app {
namespace {

/// The lines of a text that comes in parts of `size` bytes; "!" for one that was too long.
std::vector<std::string> lines_of(const std::string& text, std::size_t size) {
  std::vector<std::string> lines;
  LineSplitter splitter(
      5, [&](std::string_view line) { lines.emplace_back(line); }, [&] { lines.push_back("!"); });
  for (std::size_t at = 0; at < text.size(); at += size) splitter.push(text.substr(at, size));
  splitter.finish();
  return lines;
}

TEST(LineSplitter, TakesLinesHoweverTheyCome) {
  for (const std::size_t size : {1, 2, 3, 100}) {
    using Lines = std::vector<std::string>;
    EXPECT_EQ(lines_of("ab\ncd\n", size), (Lines{"ab", "cd"}));
    EXPECT_EQ(lines_of("ab\ncd", size), (Lines{"ab", "cd"})) << "the last one has no line end";
    EXPECT_EQ(lines_of("\n\nab", size), (Lines{"", "", "ab"}));
    EXPECT_EQ(lines_of("", size), Lines{});
    EXPECT_EQ(lines_of("12345\n123456\nab\n", size), (Lines{"12345", "!", "ab"}));
    EXPECT_EQ(lines_of("1234567890123", size), Lines{"!"});
  }
}

}  // namespace
}  // namespace tessera::app
