// SPDX-License-Identifier: MIT
// Bytes as text of RFC 4648, section 4, with padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tessera {

std::string to_base64(std::string_view bytes);
/// Nothing where the text is none: other letters, a wrong length, bits that stand for nothing.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace tessera
