// SPDX-License-Identifier: MIT
// Private to core/data: text that is not UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace tessera::data {

/// As UTF-8, read as Windows-1252. Empty when the bytes are not plausibly that: more than 30 % high
/// bytes, or a whole UTF-8 sequence among them.
std::string from_latin1(std::string_view bytes);

}  // namespace tessera::data
