// SPDX-License-Identifier: MIT
#include "core/grammar/json_grammar.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/tokenizer/utf8.h"

namespace tessera {

namespace {
/// Characters of a string that are written as they are.
const CodeRanges& plain_characters() {
  static const CodeRanges ranges = complement({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}});
  return ranges;
}

/// Four hexadecimal digits, the first two in the ranges.
void add_hex(GrammarBuilder& b, std::int32_t from, const char* first, const char* second,
             std::int32_t to) {
  const auto digit_in = [&](std::int32_t begin, std::string_view digits, std::int32_t end) {
    for (const char d : digits) {
      b.bytes(begin, static_cast<std::uint8_t>(d), static_cast<std::uint8_t>(d), end);
    }
  };
  constexpr const char* kAny = "0123456789abcdefABCDEF";
  const std::int32_t one = b.state(), two = b.state(), three = b.state();
  digit_in(from, first, one);
  digit_in(one, second, two);
  digit_in(two, kAny, three);
  digit_in(three, kAny, to);
}

void add_digits(GrammarBuilder& b, std::int32_t from, int least, int most, std::int32_t to) {
  for (int digits = 0; digits <= most; ++digits) {
    if (digits >= least) b.empty(from, to);
    if (digits == most) return;
    const std::int32_t next = b.state();
    b.bytes(from, '0', '9', next);
    from = next;
  }
}
}  // namespace

std::pair<std::int32_t, bool> JsonRules::known(Known which, const char* name) {
  const bool is_new = !rules_[which];
  if (is_new) rules_[which] = builder_->rule(name);
  return {*rules_[which], is_new};
}

std::int32_t JsonRules::space() {
  constexpr int kMostIndent = 20;
  const auto [rule, is_new] = known(kSpace, "white space");
  if (!is_new) return rule;
  GrammarBuilder& b = *builder_;
  const std::int32_t begin = b.begin_of(rule), end = b.end_of(rule);
  b.empty(begin, end);
  b.bytes(begin, ' ', ' ', end);
  const std::int32_t line = b.text(begin, "\n");
  std::int32_t at = b.text(line, "\n");
  b.empty(line, at);
  for (int i = 0; i < kMostIndent; ++i) {
    b.empty(at, end);
    const std::int32_t next = b.state();
    b.bytes(at, ' ', ' ', next);
    b.bytes(at, '\t', '\t', next);
    at = next;
  }
  b.empty(at, end);
  return rule;
}

std::int32_t JsonRules::value() {
  const auto [rule, is_new] = known(kValue, "value");
  if (!is_new) return rule;
  GrammarBuilder& b = *builder_;
  const std::int32_t begin = b.begin_of(rule), end = b.end_of(rule);
  for (const char* word : {"true", "false", "null"}) b.empty(b.text(begin, word), end);
  for (const std::int32_t part : {string(), number(), object(), array()}) b.call(begin, part, end);
  return rule;
}

std::int32_t JsonRules::object() {
  const auto [rule, is_new] = known(kObject, "object");
  if (!is_new) return rule;
  const std::int32_t pair = builder_->rule("member");
  builder_->empty(member(builder_->begin_of(pair), string(), value()), builder_->end_of(pair));
  builder_->empty(list(builder_->begin_of(rule), '{', {}, pair, {}, '}'), builder_->end_of(rule));
  return rule;
}

std::int32_t JsonRules::array() {
  const auto [rule, is_new] = known(kArray, "array");
  if (!is_new) return rule;
  builder_->empty(list(builder_->begin_of(rule), '[', {}, value(), {}, ']'),
                  builder_->end_of(rule));
  return rule;
}

std::int32_t JsonRules::character() {
  const auto [rule, is_new] = known(kCharacter, "character");
  if (!is_new) return rule;
  GrammarBuilder& b = *builder_;
  const std::int32_t begin = b.begin_of(rule), end = b.end_of(rule);
  b.code_point(begin, plain_characters(), end);
  const std::int32_t escape = b.text(begin, "\\");
  for (const char letter : std::string_view("\"\\/bfnrt")) {
    b.bytes(escape, static_cast<std::uint8_t>(letter), static_cast<std::uint8_t>(letter), end);
  }
  const std::int32_t code = b.text(escape, "u");
  add_hex(b, code, "0123456789abcefABCEF", "0123456789abcdefABCDEF", end);
  add_hex(b, code, "dD", "01234567", end);
  const std::int32_t first = b.state();
  add_hex(b, code, "dD", "89abAB", first);
  add_hex(b, b.text(first, "\\u"), "dD", "cdefCDEF", end);
  return rule;
}

std::int32_t JsonRules::string() {
  const auto [rule, is_new] = known(kString, "string");
  if (!is_new) return rule;
  builder_->empty(string_of(builder_->begin_of(rule), {}), builder_->end_of(rule));
  return rule;
}

/// Without bounds the characters lie in this rule itself: what a state allows by itself is found
/// for whole tokens then.
std::int32_t JsonRules::string_of(std::int32_t from, RepeatRange characters) {
  GrammarBuilder& b = *builder_;
  std::int32_t at = b.text(from, "\"");
  const std::int32_t end = b.state();
  for (std::int64_t i = 0; i < characters.least; ++i) at = b.call(at, character());
  if (!characters.most) {
    b.code_point(at, plain_characters(), at);
    const std::int32_t escaped = b.state();
    b.bytes(at, '\\', '\\', escaped);
    // The rest of an escape, whose first byte has been read.
    const std::int32_t code = b.text(escaped, "u");
    for (const char letter : std::string_view("\"\\/bfnrt")) {
      b.bytes(escaped, static_cast<std::uint8_t>(letter), static_cast<std::uint8_t>(letter), at);
    }
    add_hex(b, code, "0123456789abcefABCEF", "0123456789abcdefABCDEF", at);
    add_hex(b, code, "dD", "01234567", at);
    const std::int32_t first = b.state();
    add_hex(b, code, "dD", "89abAB", first);
    add_hex(b, b.text(first, "\\u"), "dD", "cdefCDEF", at);
  } else {
    for (std::int64_t i = characters.least; i < *characters.most; ++i) {
      b.bytes(at, '"', '"', end);
      at = b.call(at, character());
    }
  }
  b.bytes(at, '"', '"', end);
  return end;
}

std::int32_t JsonRules::number() {
  const auto [rule, is_new] = known(kNumber, "number");
  if (!is_new) return rule;
  GrammarBuilder& b = *builder_;
  const std::int32_t end = b.end_of(rule), whole = b.call(b.begin_of(rule), integer());
  const std::int32_t mantissa = b.state();
  b.empty(whole, mantissa);
  add_digits(b, b.text(whole, "."), 1, 16, mantissa);
  b.empty(mantissa, end);
  const std::int32_t power = b.state();
  b.bytes(mantissa, 'e', 'e', power);
  b.bytes(mantissa, 'E', 'E', power);
  const std::int32_t digits = b.state();
  for (const std::uint8_t sign : {'+', '-'}) b.bytes(power, sign, sign, digits);
  b.empty(power, digits);
  add_digits(b, digits, 1, 2, end);
  return rule;
}

std::int32_t JsonRules::integer() {
  const auto [rule, is_new] = known(kInteger, "integer");
  if (!is_new) return rule;
  GrammarBuilder& b = *builder_;
  const std::int32_t begin = b.begin_of(rule), end = b.end_of(rule), digits = b.state();
  b.empty(begin, digits);
  b.bytes(begin, '-', '-', digits);
  b.bytes(digits, '0', '0', end);
  const std::int32_t more = b.state();
  b.bytes(digits, '1', '9', more);
  add_digits(b, more, 0, 15, end);
  return rule;
}

namespace {
/// Names by their first characters.
struct NameTree {
  std::map<char32_t, NameTree> next;
  bool is_name = false;
};
}  // namespace

std::int32_t JsonRules::other_name(const std::vector<std::string>& names) {
  GrammarBuilder& b = *builder_;
  NameTree tree;
  for (const std::string& name : names) {
    NameTree* node = &tree;
    for (std::size_t at = 0; at < name.size();) {
      const utf8::Character c = utf8::next(name, at);
      node = &node->next[c.code];
      at += c.bytes;
    }
    node->is_name = true;
  }
  const std::int32_t rule = b.rule("name of another property"), end = b.end_of(rule);
  const std::int32_t free = b.state();
  b.code_point(free, plain_characters(), free);
  b.bytes(free, '"', '"', end);
  std::vector<std::pair<const NameTree*, std::int32_t>> todo{
      {&tree, b.text(b.begin_of(rule), "\"")}};
  while (!todo.empty()) {
    const auto [node, at] = todo.back();
    todo.pop_back();
    if (!node->is_name) b.bytes(at, '"', '"', end);
    CodeRanges taken{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
    for (const auto& [code, below] : node->next) {
      taken.emplace_back(code, code);
      if (code < 0x20 || code == '"' || code == '\\') continue;  // it would be written escaped
      const std::int32_t next = b.state();
      b.code_point(at, {{code, code}}, next);
      todo.emplace_back(&below, next);
    }
    b.code_point(at, complement(taken), free);
  }
  return rule;
}

std::int32_t JsonRules::member(std::int32_t from, std::int32_t name, std::int32_t value) {
  GrammarBuilder& b = *builder_;
  return b.call(b.call(b.text(b.call(from, name), ":"), space()), value);
}

std::int32_t JsonRules::comma(std::int32_t from) {
  return builder_->call(builder_->text(from, ","), space());
}

std::int32_t JsonRules::list(std::int32_t from, char begin,
                             const std::vector<std::int32_t>& first_items,
                             std::optional<std::int32_t> item, RepeatRange count, char end) {
  GrammarBuilder& b = *builder_;
  std::int32_t at = b.call(b.text(from, std::string_view(&begin, 1)), space());
  const std::int32_t last = b.state();  // before the white space of the end
  const auto fixed = std::ssize(first_items);
  for (std::int64_t done = 0;; ++done) {
    if (done >= count.least) b.empty(at, last);
    if (count.most && done >= *count.most) break;
    if (done >= fixed && !item) break;
    const std::int32_t next_item =
        done < fixed ? first_items[static_cast<std::size_t>(done)] : *item;
    const bool repeats = done >= fixed && done > 0 && done >= count.least && !count.most;
    if (repeats) {
      b.call(comma(at), next_item, at);
      break;
    }
    at = b.call(done > 0 ? comma(at) : at, next_item);
  }
  return b.text(b.call(last, space()), std::string_view(&end, 1));
}

}  // namespace tessera
