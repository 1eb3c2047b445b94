// SPDX-License-Identifier: MIT
// Private to core/template: a template as a tree.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/template/value.h"

namespace tessera::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Arguments {
  std::vector<Expression> plain;
  std::vector<std::pair<std::string, Expression>> named;
};

struct Expression {
  enum class Kind : std::uint8_t {
    Constant,
    Name,       ///< `word`
    List,       ///< parts
    Tuple,      ///< parts
    Dict,       ///< parts: key, value, key, value
    Attribute,  ///< parts[0].word
    Item,       ///< parts[0][parts[1]]
    Slice,      ///< parts[0][parts[1] : parts[2] : parts[3]]; what is left out is None
    Call,       ///< parts[0](arguments)
    Filter,     ///< parts[0] | word(arguments)
    Test,       ///< parts[0] is word(arguments); `negated`
    Unary,      ///< word parts[0]: -, +, not
    Binary,     ///< parts[0] word parts[1]: + - * / // % ** ~ and or
    Compare,    ///< parts[0] words[0] parts[1] words[1] parts[2] ...
    Choice,     ///< parts[0] if parts[1] else parts[2], which may be missing
  };
  Kind kind = Kind::Constant;
  std::size_t at = 0;  ///< byte of the source
  Value constant;
  std::string word;
  std::vector<std::string> words;
  std::vector<Expression> parts;
  Arguments arguments;
  bool negated = false;
  int depth = 1;  ///< of the tree below it, itself included
};

struct Statement;
using Block = std::vector<Statement>;

struct MacroNode {
  std::string name;
  std::vector<std::string> parameters;
  std::vector<Expression> defaults;  ///< of the last parameters
  Block body;
};

struct Statement {
  enum class Kind : std::uint8_t {
    Data,      ///< `text`
    Print,     ///< value
    If,        ///< value, body, otherwise
    For,       ///< names in value if condition: body, otherwise
    Set,       ///< names = value, or names[0].attribute = value
    SetBlock,  ///< names[0] = what body writes
    Macro,
    Generation,  ///< body, which the assistant wrote
    Break,
    Continue,
  };
  Kind kind = Kind::Data;
  std::size_t at = 0;
  std::string text, attribute;
  std::vector<std::string> names;
  Expression value;
  std::unique_ptr<Expression> condition;
  Block body, otherwise;
  std::unique_ptr<MacroNode> macro;
};

/// Reads a prepared() template. Throws Error naming `where`, the construct that is not read, its
/// line and column.
Block parse(const std::string& source, const std::string& where);

/// Whether a filter or test of this name is there.
bool knows_filter(std::string_view name);
bool knows_test(std::string_view name);

}  // namespace tessera::jinja
