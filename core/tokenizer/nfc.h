// SPDX-License-Identifier: MIT
// Private to core/tokenizer: Unicode normalisation form C.
#pragma once

#include <string>
#include <string_view>

namespace tessera {

/// `text`, valid UTF-8, in normalisation form C (Unicode Standard Annex 15, section 1.3).
std::string to_nfc(std::string_view text);

}  // namespace tessera
