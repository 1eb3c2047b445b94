// SPDX-License-Identifier: MIT
// A text that a program wrote around what people wrote, and which bytes are whose.
#pragma once

#include <string>
#include <string_view>

namespace tessera {

struct MarkedText {
  std::string text;
  /// One byte for each byte of `text`: kOwn or kForeign.
  std::string marks;

  static constexpr char kOwn = 0;      ///< the program's: may spell special tokens
  static constexpr char kForeign = 1;  ///< people's: always text

  void append(std::string_view more, char mark) {
    text += more;
    marks.append(more.size(), mark);
  }
  void append(const MarkedText& more) {
    text += more.text;
    marks += more.marks;
  }
};

}  // namespace tessera
