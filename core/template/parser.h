// SPDX-License-Identifier: MIT
// Private to core/template: the grammar of Jinja 3.1 (Template Designer Documentation) as far as
// chat templates use it. Statements are read in parser.cpp, expressions in expressions.cpp.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/template/lexer.h"
#include "core/template/syntax.h"

namespace tessera::jinja {

class Parser {
 public:
  Parser(const std::string& source, const std::string& where)
      : source_(source), where_(where), tokens_(tokens_of(source, where)) {}

  Block run() {
    Block block = body({});
    if (now().kind != Kind::End) fail("a statement that ends nothing");
    return block;
  }

 private:
  static constexpr int kMostDepth = 100, kMostTree = 200;

  using Kind = Token::Kind;
  using Node = Expression::Kind;

  [[noreturn]] void fail(const std::string& what) const { fail(what, now().at); }
  [[noreturn]] void fail(const std::string& what, std::size_t at) const {
    throw Error(where_, fmt::format("{}: {}", place_of(source_, at), what),
                "docs/chat-templates.md lists what of Jinja is read");
  }
  [[noreturn]] void not_read(const std::string& what, std::size_t at) const {
    fail(what + " is not read", at);
  }

  const Token& now(std::size_t ahead = 0) const {
    return tokens_[std::min(next_ + ahead, tokens_.size() - 1)];
  }
  Token take() {
    const Token token = now();
    if (next_ + 1 < tokens_.size()) ++next_;
    return token;
  }
  bool is_sign(std::string_view sign, std::size_t ahead = 0) const {
    return now(ahead).kind == Kind::Sign && now(ahead).text == sign;
  }
  bool is_name(std::string_view name, std::size_t ahead = 0) const {
    return now(ahead).kind == Kind::Name && now(ahead).text == name;
  }
  bool take_sign(std::string_view sign) {
    const bool is_it = is_sign(sign);
    if (is_it) take();
    return is_it;
  }
  bool take_name(std::string_view name) {
    const bool is_it = is_name(name);
    if (is_it) take();
    return is_it;
  }
  void expect_sign(std::string_view sign) {
    if (!take_sign(sign)) fail(fmt::format("expected {}, found {}", sign, shown()));
  }
  std::string expect_name() {
    if (now().kind != Kind::Name) fail(fmt::format("expected a name, found {}", shown()));
    return take().text;
  }
  void expect_end() {
    if (now().kind != Kind::StatementEnd) fail(fmt::format("expected %}}, found {}", shown()));
    take();
  }
  std::string shown() const {
    switch (now().kind) {
      case Kind::End:
        return "the end of the template";
      case Kind::Data:
        return "text";
      case Kind::StatementEnd:
        return "%}";
      case Kind::PrintEnd:
        return "}}";
      default:
        return "\"" + now().text + "\"";
    }
  }

  /// Counts how deep the tree grows: all that walks through it goes as deep.
  struct Deeper {
    explicit Deeper(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kMostDepth) parser_.fail("more than 100 things within one another");
    }
    ~Deeper() { --parser_.depth_; }
    Parser& parser_;
  };

  Expression node(Node kind, std::size_t at) const {
    Expression made;
    made.kind = kind;
    made.at = at;
    return made;
  }
  /// Takes a part in. All that walks through a tree goes as deep as it.
  void adopt(Expression& parent, Expression part) const {
    deepen(parent, part);
    parent.parts.push_back(std::move(part));
  }
  void deepen(Expression& parent, const Expression& part) const {
    parent.depth = std::max(parent.depth, part.depth + 1);
    if (parent.depth > kMostTree) fail("an expression of more than 200 levels", parent.at);
  }
  void take_arguments(Expression& parent) {
    parent.arguments = arguments();
    for (const Expression& part : parent.arguments.plain) deepen(parent, part);
    for (const auto& [name, part] : parent.arguments.named) deepen(parent, part);
  }
  Expression constant(Value value, std::size_t at) const {
    Expression made = node(Node::Constant, at);
    made.constant = std::move(value);
    return made;
  }

  Block body(std::initializer_list<std::string_view> ends);
  Statement statement();
  Statement if_statement(std::size_t at);
  Statement for_statement(std::size_t at);
  Statement set_statement(std::size_t at);
  Statement macro_statement(std::size_t at);
  std::vector<std::string> targets();

  Expression expression();
  Expression either();
  Expression both();
  Expression negation();
  Expression comparison();
  Expression sum();
  Expression joined();
  Expression product();
  Expression power();
  Expression unary(bool with_filters);
  Expression primary();
  Expression name_or_constant();
  Expression parentheses();
  Expression list();
  Expression dict();
  Expression postfix(Expression of);
  Expression subscript(Expression of);
  Expression call(Expression of);
  Expression filters(Expression of);
  Expression filter(Expression of);
  Expression test(Expression of);
  Arguments arguments();
  Expression binary(Expression left, std::size_t at, std::string word, Expression right) const {
    Expression made = node(Node::Binary, at);
    made.word = std::move(word);
    adopt(made, std::move(left));
    adopt(made, std::move(right));
    return made;
  }

  const std::string& source_;
  const std::string& where_;
  const std::vector<Token> tokens_;
  std::size_t next_ = 0;
  int depth_ = 0;
  int loops_ = 0, blocks_ = 0;
};

}  // namespace tessera::jinja
