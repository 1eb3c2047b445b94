// SPDX-License-Identifier: MIT
// Private to core/template: the words of a template.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::jinja {

struct Token {
  enum class Kind : std::uint8_t {
    Data,  ///< text to be written as it is
    StatementBegin,
    StatementEnd,
    PrintBegin,
    PrintEnd,
    Name,
    Text,  ///< a literal, escapes read
    Whole,
    Real,
    Sign,  ///< an operator or bracket
    End,
  };
  Kind kind = Kind::End;
  std::string text;
  std::size_t at = 0;  ///< byte of the source
};

/// Lines and columns from 1, for messages: "line 3, column 14".
std::string place_of(std::string_view source, std::size_t at);

/// The template as the language reads it: line ends as \n, without one at the very end.
std::string prepared(std::string_view source);

/// The words of a prepared() template with `trim_blocks` and `lstrip_blocks`, as transformers sets
/// them (Jinja 3.1, "Whitespace Control"). Throws Error naming `where` and the place.
std::vector<Token> tokens_of(const std::string& source, const std::string& where);

}  // namespace tessera::jinja
