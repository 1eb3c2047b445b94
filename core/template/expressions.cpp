// SPDX-License-Identifier: MIT
#include "core/template/parser.h"

#include <charconv>

namespace tessera::jinja {

Expression Parser::expression() {
  const Deeper deeper(*this);
  Expression value = either();
  while (is_name("if")) {
    Expression choice = node(Node::Choice, take().at);
    adopt(choice, std::move(value));
    adopt(choice, either());
    if (take_name("else")) adopt(choice, expression());
    value = std::move(choice);
  }
  return value;
}

Expression Parser::either() {
  Expression value = both();
  while (is_name("or")) {
    const std::size_t at = take().at;
    value = binary(std::move(value), at, "or", both());
  }
  return value;
}

Expression Parser::both() {
  Expression value = negation();
  while (is_name("and")) {
    const std::size_t at = take().at;
    value = binary(std::move(value), at, "and", negation());
  }
  return value;
}

Expression Parser::negation() {
  if (!is_name("not")) return comparison();
  const Deeper deeper(*this);
  Expression made = node(Node::Unary, take().at);
  made.word = "not";
  adopt(made, negation());
  return made;
}

Expression Parser::comparison() {
  Expression first = sum();
  Expression made = node(Node::Compare, first.at);
  adopt(made, std::move(first));
  for (;;) {
    std::string word;
    for (const char* sign : {"==", "!=", "<", "<=", ">", ">="}) {
      if (is_sign(sign)) word = sign;
    }
    if (is_name("in")) word = "in";
    if (is_name("not") && is_name("in", 1)) {
      take();
      word = "not in";
    }
    if (word.empty()) break;
    take();
    made.words.push_back(word);
    adopt(made, sum());
  }
  if (!made.words.empty()) return made;
  Expression only = std::move(made.parts.front());
  return only;
}

Expression Parser::sum() {
  Expression value = joined();
  while (is_sign("+") || is_sign("-")) {
    const Token sign = take();
    value = binary(std::move(value), sign.at, sign.text, joined());
  }
  return value;
}

Expression Parser::joined() {
  Expression value = product();
  while (is_sign("~")) {
    const std::size_t at = take().at;
    value = binary(std::move(value), at, "~", product());
  }
  return value;
}

Expression Parser::product() {
  Expression value = power();
  while (is_sign("*") || is_sign("/") || is_sign("//") || is_sign("%")) {
    const Token sign = take();
    value = binary(std::move(value), sign.at, sign.text, power());
  }
  return value;
}

Expression Parser::power() {
  Expression value = unary(true);
  while (is_sign("**")) {
    const std::size_t at = take().at;
    value = binary(std::move(value), at, "**", unary(true));
  }
  return value;
}

Expression Parser::unary(bool with_filters) {
  const Deeper deeper(*this);
  Expression value;
  if (is_sign("-") || is_sign("+")) {
    const Token sign = take();
    value = node(Node::Unary, sign.at);
    value.word = sign.text;
    adopt(value, unary(false));
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return with_filters ? filters(std::move(value)) : std::move(value);
}

Expression Parser::name_or_constant() {
  const Token token = take();
  const std::string& name = token.text;
  if (name == "true" || name == "True") return constant(true, token.at);
  if (name == "false" || name == "False") return constant(false, token.at);
  if (name == "none" || name == "None") return constant(None{}, token.at);
  Expression made = node(Node::Name, token.at);
  made.word = name;
  return made;
}

Expression Parser::primary() {
  const std::size_t at = now().at;
  if (now().kind == Kind::Name) return name_or_constant();
  if (now().kind == Kind::Text) {
    std::string text;
    while (now().kind == Kind::Text) text += take().text;
    return constant(own_text(text), at);
  }
  if (now().kind == Kind::Whole || now().kind == Kind::Real) {
    const Token token = take();
    const char *begin = token.text.data(), *end = begin + token.text.size();
    std::int64_t whole = 0;
    double real = 0;
    const bool is_whole = token.kind == Kind::Whole;
    const auto read =
        is_whole ? std::from_chars(begin, end, whole) : std::from_chars(begin, end, real);
    if (read.ec != std::errc()) not_read("a number of this size", at);
    return is_whole ? constant(whole, at) : constant(real, at);
  }
  if (is_sign("(")) return parentheses();
  if (is_sign("[")) return list();
  if (is_sign("{")) return dict();
  fail(fmt::format("expected a value, found {}", shown()));
}

Expression Parser::parentheses() {
  const std::size_t at = take().at;
  Expression tuple = node(Node::Tuple, at);
  bool is_tuple = is_sign(")");
  while (!is_sign(")")) {
    adopt(tuple, expression());
    if (!take_sign(",")) break;
    is_tuple = true;
  }
  expect_sign(")");
  if (is_tuple) return tuple;
  Expression only = std::move(tuple.parts.front());
  return only;
}

Expression Parser::list() {
  Expression made = node(Node::List, take().at);
  while (!is_sign("]")) {
    adopt(made, expression());
    if (!take_sign(",")) break;
  }
  expect_sign("]");
  return made;
}

Expression Parser::dict() {
  Expression made = node(Node::Dict, take().at);
  while (!is_sign("}")) {
    adopt(made, expression());
    expect_sign(":");
    adopt(made, expression());
    if (!take_sign(",")) break;
  }
  expect_sign("}");
  return made;
}

Expression Parser::postfix(Expression value) {
  while (is_sign(".") || is_sign("[") || is_sign("(")) {
    value = is_sign("(") ? call(std::move(value)) : subscript(std::move(value));
  }
  return value;
}

Expression Parser::subscript(Expression of) {
  const Token sign = take();
  Expression made = node(sign.text == "." ? Node::Attribute : Node::Item, sign.at);
  adopt(made, std::move(of));
  if (sign.text == ".") {
    const Token word = take();
    if (word.kind == Kind::Whole) {
      made.kind = Node::Item;
      std::int64_t index = 0;
      const char* end = word.text.data() + word.text.size();
      if (std::from_chars(word.text.data(), end, index).ec != std::errc())
        not_read("an index of this size", word.at);
      adopt(made, constant(index, word.at));
    } else if (word.kind == Kind::Name) {
      made.word = word.text;
    } else {
      fail("expected a name or number behind the dot", word.at);
    }
    return made;
  }
  bool is_slice = false;
  const auto bound = [&] {
    const bool is_left_out = is_sign(":") || is_sign("]");
    adopt(made, is_left_out ? constant(None{}, now().at) : expression());
  };
  bound();
  while (made.parts.size() < 4 && take_sign(":")) {
    is_slice = true;
    bound();
  }
  if (is_sign(",")) not_read("a tuple as an index", now().at);
  if (!is_slice && made.parts[1].kind == Node::Constant && made.parts[1].constant.is_none()) {
    fail("expected an index");
  }
  expect_sign("]");
  if (!is_slice) return made;
  made.kind = Node::Slice;
  while (made.parts.size() < 4) adopt(made, constant(None{}, sign.at));
  return made;
}

Arguments Parser::arguments() {
  Arguments all;
  expect_sign("(");
  while (!is_sign(")")) {
    if (is_sign("*") || is_sign("**")) not_read("a call with * or **", now().at);
    if (now().kind == Kind::Name && is_sign("=", 1)) {
      std::string name = take().text;
      take();
      all.named.emplace_back(std::move(name), expression());
    } else {
      if (!all.named.empty()) fail("a plain argument behind a named one");
      all.plain.push_back(expression());
    }
    if (!take_sign(",")) break;
  }
  expect_sign(")");
  return all;
}

Expression Parser::call(Expression of) {
  Expression made = node(Node::Call, now().at);
  adopt(made, std::move(of));
  take_arguments(made);
  return made;
}

Expression Parser::filters(Expression value) {
  while (is_sign("|") || is_name("is") || is_sign("(")) {
    if (is_sign("|")) {
      value = filter(std::move(value));
    } else {
      value = is_name("is") ? test(std::move(value)) : call(std::move(value));
    }
  }
  return value;
}

Expression Parser::filter(Expression of) {
  take();
  Expression made = node(Node::Filter, now().at);
  made.word = expect_name();
  if (!knows_filter(made.word)) not_read(fmt::format("the filter {}", made.word), made.at);
  adopt(made, std::move(of));
  if (is_sign("(")) take_arguments(made);
  return made;
}

Expression Parser::test(Expression of) {
  take();
  Expression made = node(Node::Test, now().at);
  made.negated = take_name("not");
  made.at = now().at;
  made.word = expect_name();
  if (!knows_test(made.word)) not_read(fmt::format("the test {}", made.word), made.at);
  adopt(made, std::move(of));
  if (is_sign("(")) {
    take_arguments(made);
    return made;
  }
  if (is_name("is")) fail("tests in a chain");
  const bool ends = is_name("else") || is_name("or") || is_name("and");
  const bool begins_value = now().kind == Kind::Name || now().kind == Kind::Text ||
                            now().kind == Kind::Whole || now().kind == Kind::Real || is_sign("[") ||
                            is_sign("{");
  if (ends || !begins_value) return made;
  made.arguments.plain.push_back(postfix(primary()));
  deepen(made, made.arguments.plain.front());
  return made;
}

}  // namespace tessera::jinja
