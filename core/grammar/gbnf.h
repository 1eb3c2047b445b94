// SPDX-License-Identifier: MIT
// Grammars as llama.cpp's clients write them (GBNF; grammars/README.md there): `name ::= ...` with
// "texts", [classes], `.`, groups, `|`, `* + ? {m} {m,} {m,n}` and comments behind `#`. The answer
// is what the rule `root` says. Tokens by number or name (`<[1]>`, `<think>`) are not read.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/grammar/grammar.h"

namespace tessera {

/// Adds the rules of a text, and returns that of `root`. Throws Error with the line for what cannot
/// be read.
std::int32_t add_gbnf(GrammarBuilder& builder, std::string_view text);

}  // namespace tessera
