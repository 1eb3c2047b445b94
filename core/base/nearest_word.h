// SPDX-License-Identifier: MIT
// "did you mean ...?"
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tessera {

/// The nearest of some words by edit distance, if it is near enough to be a slip; else empty.
std::string nearest_word(std::string_view word, const std::vector<std::string>& words);

}  // namespace tessera
