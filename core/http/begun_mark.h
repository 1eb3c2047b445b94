// SPDX-License-Identifier: MIT
// Marks in a text that comes in pieces.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace tessera {

inline constexpr const char* kBlanks = " \t\r\n";

/// Bytes at the end of `text` that `mark` may begin with.
inline std::size_t begun(std::string_view text, std::string_view mark) {
  for (std::size_t count = std::min(text.size(), mark.size() - 1); count > 0; --count) {
    if (text.ends_with(mark.substr(0, count))) return count;
  }
  return 0;
}

}  // namespace tessera
