// SPDX-License-Identifier: MIT
#include "core/grammar/gbnf.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "core/base/error.h"
#include "core/tokenizer/utf8.h"

namespace tessera {

namespace {
constexpr std::int64_t kMostRepeats = 100'000;
constexpr int kMostGroups = 200;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

/// Writes the automaton while it reads. What is repeated is read again for each copy.
class GbnfReader {
 public:
  GbnfReader(GrammarBuilder& builder, std::string_view text) : builder_(builder), text_(text) {}

  std::int32_t read() {
    for (skip(true); at_ < text_.size(); skip(true)) read_rule();
    for (const auto& [name, rule] : rules_) {
      if (!rule.is_written) {
        at_ = rule.first_at;
        refuse(fmt::format("the rule `{}` is not there", name));
      }
    }
    const auto root = rules_.find("root");
    if (root == rules_.end()) refuse("there is no rule `root`, which says what the answer is");
    return root->second.index;
  }

 private:
  struct Rule {
    std::int32_t index = -1;
    bool is_written = false;
    std::size_t first_at = 0;  ///< where the text names it first
  };

  [[noreturn]] void refuse(const std::string& what) const {
    const auto line =
        std::count(text_.begin(), text_.begin() + static_cast<std::ptrdiff_t>(at_), '\n');
    throw Error("grammar", fmt::format("line {}: {}", line + 1, what),
                "see docs/guide/server.md for what of GBNF is read");
  }

  char here() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  /// White space and comments.
  void skip(bool lines) {
    while (at_ < text_.size()) {
      const char c = here();
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'))) {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string name() {
    const std::size_t begin = at_;
    while (is_name_character(here())) ++at_;
    if (begin == at_) refuse(fmt::format("`{}` begins no rule, text, class or group", here()));
    return std::string(text_.substr(begin, at_ - begin));
  }

  Rule& rule(const std::string& name) {
    const auto [found, is_new] = rules_.try_emplace(name);
    if (is_new) found->second = {builder_.rule("the rule `" + name + "`"), false, at_};
    return found->second;
  }

  void read_rule() {
    const std::string called = name();
    Rule& written = rule(called);
    if (std::exchange(written.is_written, true))
      refuse(fmt::format("the rule `{}` is there twice", called));
    skip(false);
    if (!take("::=")) refuse(fmt::format("`::=` is missing behind `{}`", called));
    skip(true);
    alternatives(builder_.begin_of(written.index), builder_.end_of(written.index), false);
    if (at_ < text_.size() && here() != '\n' && here() != '\r') {
      refuse(fmt::format("`{}` is not expected here", here()));
    }
  }

  void alternatives(std::int32_t from, std::int32_t to, bool in_group) {
    if (++depth_ > kMostGroups) refuse("groups lie too deep in each other");
    do {
      skip(in_group);
      std::int32_t end = from;
      while (at_ < text_.size() && here() != '|' && here() != ')' && here() != '\n' &&
             here() != '\r') {
        end = repeated(end);
        skip(in_group);
      }
      builder_.empty(end, to);
      const std::size_t line_end = at_;
      skip(true);  // the next line may go on with `|`
      if (here() != '|' && !in_group) at_ = line_end;
    } while (take("|") && (skip(true), true));
    --depth_;
  }

  std::int64_t count() {
    std::int64_t value = 0;
    if (here() < '0' || here() > '9') refuse("a number is missing in `{}`");
    for (; here() >= '0' && here() <= '9'; ++at_) {
      value = value * 10 + (here() - '0');
      if (value > kMostRepeats) refuse(fmt::format("more than {} repetitions", kMostRepeats));
    }
    skip(false);
    return value;
  }

  /// How often the item before is to come; nothing behind `most`: without a limit.
  std::pair<std::int64_t, std::optional<std::int64_t>> times() {
    if (take("*")) return {0, {}};
    if (take("+")) return {1, {}};
    if (take("?")) return {0, 1};
    if (!take("{")) return {1, 1};
    skip(false);
    const std::int64_t least = here() == ',' ? 0 : count();
    std::optional<std::int64_t> most = least;
    if (take(",")) {
      skip(false);
      most = here() == '}' ? std::nullopt : std::optional(count());
    }
    if (!take("}")) refuse("`}` is missing");
    if (most && *most < least)
      refuse(fmt::format("{} repetitions at least, {} at most", least, *most));
    return {least, most};
  }

  std::int32_t repeated(std::int32_t from) {
    const std::size_t begin = at_;
    std::int32_t before = builder_.state();  // a state of its own: others may lead to it
    builder_.empty(from, before);
    std::int32_t end = item(before);
    const auto [least, most] = times();
    const std::size_t behind = at_;
    const std::int32_t out = builder_.state();
    if (least == 0) builder_.empty(before, out);
    for (std::int64_t done = 1; !most || done <= *most; ++done) {
      if (done > 1) {
        at_ = begin;
        before = builder_.state();
        builder_.empty(end, before);
        end = item(before);
      }
      if (done >= least) builder_.empty(end, out);
      if (!most && done >= least) {
        builder_.empty(end, before);
        break;
      }
    }
    at_ = behind;
    return out;
  }

  std::int32_t item(std::int32_t from) {
    const std::int32_t end = builder_.state();
    if (take("(")) {
      alternatives(from, end, true);
      skip(true);
      if (!take(")")) refuse("`)` is missing");
    } else if (here() == '"') {
      builder_.empty(quoted(from), end);
    } else if (take("[")) {
      builder_.code_point(from, char_class(), end);
    } else if (take(".")) {
      builder_.code_point(from, complement({}), end);
    } else {
      const std::string called = name();
      builder_.call(from, rule(called).index, end);
    }
    return end;
  }

  std::int32_t quoted(std::int32_t from) {
    std::string bytes;
    for (++at_; here() != '"';) {
      if (at_ >= text_.size() || here() == '\n') refuse("the end of a text is missing: `\"`");
      utf8::append(bytes, code_point());
    }
    ++at_;
    return builder_.text(from, bytes);
  }

  CodeRanges char_class() {
    CodeRanges ranges;
    const bool others = take("^");
    while (here() != ']') {
      if (at_ >= text_.size()) refuse("the end of a class is missing: `]`");
      const char32_t first = code_point();
      char32_t last = first;
      if (here() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        last = code_point();
      }
      if (last < first) refuse("a range in a class ends before it begins");
      ranges.emplace_back(first, last);
    }
    ++at_;
    // Twice turned round: without surrogates, and each code point once.
    return others ? complement(ranges) : complement(complement(ranges));
  }

  char32_t code_point() {
    if (!take("\\")) {
      const utf8::Character c = utf8::next(text_, at_);
      if (!c.valid) refuse("the grammar is no UTF-8 here");
      at_ += c.bytes;
      return c.code;
    }
    const char kind = here();
    ++at_;
    switch (kind) {
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'x':
        return hexadecimal(2);
      case 'u':
        return hexadecimal(4);
      case 'U':
        return hexadecimal(8);
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return static_cast<char32_t>(kind);
      default:
        --at_;
        refuse(fmt::format("`\\{}` is no escape", kind == '\0' ? ' ' : kind));
    }
  }

  char32_t hexadecimal(int digits) {
    constexpr char32_t kLastCode = 0x10FFFF;
    char32_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const char c = here();
      const bool is_digit = c >= '0' && c <= '9';
      const char small = static_cast<char>(c | 0x20);
      if (!is_digit && !(small >= 'a' && small <= 'f')) refuse("a hexadecimal digit is missing");
      value = value * 16 + static_cast<char32_t>(is_digit ? c - '0' : small - 'a' + 10);
    }
    if (value > kLastCode || (value >= 0xD800 && value <= 0xDFFF))
      refuse("there is no such character");
    return value;
  }

  GrammarBuilder& builder_;
  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::map<std::string, Rule> rules_;
};
}  // namespace

std::int32_t add_gbnf(GrammarBuilder& builder, std::string_view text) {
  return GbnfReader(builder, text).read();
}

}  // namespace tessera
