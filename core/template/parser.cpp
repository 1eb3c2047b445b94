// SPDX-License-Identifier: MIT
// The grammar of Jinja 3.1 (Template Designer Documentation) as far as chat templates use it.
#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>

#include "core/base/error.h"
#include "core/template/lexer.h"
#include "core/template/syntax.h"

namespace tessera::jinja {

namespace {
constexpr int kMostDepth = 100, kMostTree = 200;

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
  if (made.names.size() != 1 || !made.attribute.empty()) fail(fmt::format("expected =, found {}", shown()));
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

// ---- Expressions --------------------------------------------------------------------------------

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
    const auto read = is_whole ? std::from_chars(begin, end, whole) : std::from_chars(begin, end, real);
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
      if (std::from_chars(word.text.data(), end, index).ec != std::errc()) not_read("an index of this size", word.at);
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
                            now().kind == Kind::Whole || now().kind == Kind::Real ||
                            is_sign("[") || is_sign("{");
  if (ends || !begins_value) return made;
  made.arguments.plain.push_back(postfix(primary()));
  deepen(made, made.arguments.plain.front());
  return made;
}
}  // namespace

Block parse(const std::string& source, const std::string& where) {
  return Parser(source, where).run();
}

}  // namespace tessera::jinja
