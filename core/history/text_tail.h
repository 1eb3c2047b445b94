// SPDX-License-Identifier: MIT
// TextTail: the lines of a text file that grows, as they come.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tessera {

class TextTail {
 public:
  TextTail() = default;
  /// Begins with about the last `most_lines` of a file, which may not exist yet.
  TextTail(std::filesystem::path file, int most_lines);

  struct News {
    bool replaced = false;           ///< another file stands there: what came before is void
    std::vector<std::string> lines;  ///< without line breaks; a line without end is cut
    bool more = false;               ///< there is more to be read at once
  };
  /// What was written since the last look, at most some megabytes. A last line without its line
  /// break waits for the rest. A file that cannot be read has no news.
  News poll();

 private:
  void take(std::string_view bytes, std::vector<std::string>& lines);
  std::filesystem::path file_;
  std::uint64_t offset_ = 0;
  std::string rest_;      ///< the beginning of a line whose end is not in the file yet
  bool in_line_ = false;  ///< what comes next is the end of a line that is not shown
};

}  // namespace tessera
