// SPDX-License-Identifier: MIT
#include "core/template/parser.h"

namespace tessera::jinja {

// ---- Statements ---------------------------------------------------------------------------------

/// Statements up to one that begins with a name of `ends`, whose {% stays.
Block Parser::body(std::initializer_list<std::string_view> ends) {
  const Deeper deeper(*this);
  Block block;
  for (;;) {
    Statement made;
    made.at = now().at;
    if (now().kind == Kind::End) {
      if (ends.size() > 0) fail(fmt::format("the template ends without {}", *(ends.end() - 1)));
      return block;
    }
    if (now().kind == Kind::Data) {
      made.text = take().text;
    } else if (now().kind == Kind::PrintBegin) {
      take();
      made.kind = Statement::Kind::Print;
      made.value = expression();
      if (is_sign(",")) not_read("a list of values to write", now().at);
      if (now().kind != Kind::PrintEnd) fail(fmt::format("expected }}}}, found {}", shown()));
      take();
    } else {
      const bool is_end = now(1).kind == Kind::Name &&
                          std::find(ends.begin(), ends.end(), now(1).text) != ends.end();
      if (is_end) return block;
      made = statement();
    }
    block.push_back(std::move(made));
  }
}

Statement Parser::statement() {
  const std::size_t at = take().at;  // {%
  const std::size_t name_at = now().at;
  const std::string name = expect_name();
  if (name == "if") return if_statement(at);
  if (name == "for") return for_statement(at);
  if (name == "set") return set_statement(at);
  if (name == "macro") return macro_statement(at);
  Statement made;
  made.at = at;
  if (name == "generation") {
    made.kind = Statement::Kind::Generation;
    expect_end();
    made.body = body({"endgeneration"});
    take();
    take();
    expect_end();
    return made;
  }
  if (name == "break" || name == "continue") {
    if (loops_ == 0) fail(name + " outside of a loop", name_at);
    made.kind = name == "break" ? Statement::Kind::Break : Statement::Kind::Continue;
    expect_end();
    return made;
  }
  if (name.starts_with("end") || name == "else" || name == "elif") {
    fail(fmt::format("{} without its begin", name), name_at);
  }
  not_read(fmt::format("the statement {}", name), name_at);
}

/// Behind "if" or "elif", up to and with its endif.
Statement Parser::if_statement(std::size_t at) {
  Statement made;
  made.kind = Statement::Kind::If;
  made.at = at;
  made.value = expression();
  expect_end();
  ++blocks_;
  made.body = body({"elif", "else", "endif"});
  --blocks_;
  const std::size_t begin = take().at;
  const std::string end = expect_name();
  if (end == "elif") {
    const Deeper deeper(*this);
    made.otherwise.push_back(if_statement(begin));
    return made;
  }
  expect_end();
  if (end == "endif") return made;
  ++blocks_;
  made.otherwise = body({"endif"});
  --blocks_;
  take();
  take();
  expect_end();
  return made;
}

std::vector<std::string> Parser::targets() {
  const bool in_brackets = take_sign("(");
  std::vector<std::string> names{expect_name()};
  while (take_sign(",")) names.push_back(expect_name());
  if (in_brackets) expect_sign(")");
  return names;
}

Statement Parser::for_statement(std::size_t at) {
  Statement made;
  made.kind = Statement::Kind::For;
  made.at = at;
  made.names = targets();
  if (!take_name("in")) fail(fmt::format("expected in, found {}", shown()));
  made.value = either();  // a condition behind it is the loop's
  if (is_sign(",")) not_read("a tuple without brackets", now().at);
  if (take_name("if")) made.condition = std::make_unique<Expression>(expression());
  if (is_name("recursive")) not_read("a recursive loop", now().at);
  expect_end();
  ++loops_;
  ++blocks_;
  made.body = body({"else", "endfor"});
  --loops_;
  take();
  if (take().text == "else") {
    expect_end();
    made.otherwise = body({"endfor"});
    take();
    take();
  }
  --blocks_;
  expect_end();
  return made;
}

Statement Parser::set_statement(std::size_t at) {
  Statement made;
  made.kind = Statement::Kind::Set;
  made.at = at;
  made.names = targets();
  if (made.names.size() == 1 && take_sign(".")) made.attribute = expect_name();
  if (take_sign("=")) {
    made.value = expression();
    if (is_sign(",")) {
      Expression tuple = node(Node::Tuple, at);
      adopt(tuple, std::move(made.value));
      while (take_sign(",")) adopt(tuple, expression());
      made.value = std::move(tuple);
    }
    expect_end();
    return made;
  }
  if (made.names.size() != 1 || !made.attribute.empty())
    fail(fmt::format("expected =, found {}", shown()));
  made.kind = Statement::Kind::SetBlock;
  // The filters of a block work on what it writes, which evaluates as the name "".
  made.value = filters(node(Node::Name, at));
  expect_end();
  ++blocks_;
  made.body = body({"endset"});
  --blocks_;
  take();
  take();
  expect_end();
  return made;
}

Statement Parser::macro_statement(std::size_t at) {
  if (blocks_ > 0) not_read("a macro within another statement", at);
  Statement made;
  made.kind = Statement::Kind::Macro;
  made.at = at;
  made.macro = std::make_unique<MacroNode>();
  MacroNode& macro = *made.macro;
  macro.name = expect_name();
  expect_sign("(");
  while (!is_sign(")")) {
    if (!macro.parameters.empty()) expect_sign(",");
    macro.parameters.push_back(expect_name());
    if (take_sign("=")) {
      macro.defaults.push_back(expression());
    } else if (!macro.defaults.empty()) {
      fail("a parameter without a default behind one with it");
    }
  }
  expect_sign(")");
  expect_end();
  const int loops = std::exchange(loops_, 0);
  ++blocks_;
  macro.body = body({"endmacro"});
  --blocks_;
  loops_ = loops;
  take();
  take();
  expect_end();
  return made;
}

Block parse(const std::string& source, const std::string& where) {
  return Parser(source, where).run();
}

}  // namespace tessera::jinja
