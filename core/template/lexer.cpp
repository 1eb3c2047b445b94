// SPDX-License-Identifier: MIT
#include "core/template/lexer.h"

#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/template/value.h"
#include "core/tokenizer/utf8.h"

namespace tessera::jinja {

namespace {
/// The longest first.
constexpr std::array<std::string_view, 24> kSigns = {"//", "**", "==", "!=", "<=", ">=", "+", "-",
                                                     "*",  "/",  "%",  "~",  "<",  ">",  "=", "(",
                                                     ")",  "[",  "]",  "{",  "}",  ",",  ":", "."};

bool is_name_begin(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

class Lexer {
 public:
  Lexer(const std::string& source, const std::string& where) : source_(source), where_(where) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) data();
    tokens_.push_back({Token::Kind::End, {}, source_.size()});
    return std::move(tokens_);
  }

 private:
  using Kind = Token::Kind;

  [[noreturn]] void fail(const std::string& what, std::size_t at) const {
    throw Error(where_, fmt::format("{}: {}", place_of(source_, at), what),
                "docs/chat-templates.md lists what of Jinja is read");
  }
  bool comes(std::string_view text) const {
    return std::string_view(source_).substr(at_).starts_with(text);
  }
  std::size_t space_behind(std::size_t at) const {
    while (at < source_.size()) {
      const utf8::Character character = utf8::next(source_, at);
      if (!is_space(character.code)) break;
      at += character.bytes;
    }
    return at;
  }

  void data();
  void data_before(std::size_t begin, std::size_t end, char sign, bool is_print);
  void comment(std::size_t begin);
  void expression(bool is_print);
  bool ends(bool is_print);
  void word();
  void number();
  void literal(char quote);
  void escape(std::string& out);
  void sign();

  const std::string& source_;
  const std::string& where_;
  std::size_t at_ = 0;
  bool begins_line_ = true;  ///< the text at hand begins a line
  std::string open_;         ///< brackets that are open
  std::vector<Token> tokens_;
};

/// Text up to the next tag, and the tag.
void Lexer::data() {
  const std::size_t begin = at_;
  std::size_t tag = source_.find('{', at_);
  while (tag != std::string::npos && tag + 1 < source_.size() &&
         std::string_view("%{#").find(source_[tag + 1]) == std::string_view::npos) {
    tag = source_.find('{', tag + 1);
  }
  if (tag == std::string::npos || tag + 1 >= source_.size()) {
    tokens_.push_back({Kind::Data, source_.substr(begin), begin});
    at_ = source_.size();
    return;
  }
  const char kind = source_[tag + 1];
  const char control = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
  const bool has_control = control == '-' || control == '+';
  data_before(begin, tag, has_control ? control : '\0', kind == '{');
  at_ = tag + (has_control ? 3 : 2);
  if (kind == '#') return comment(tag);
  tokens_.push_back({kind == '{' ? Kind::PrintBegin : Kind::StatementBegin, {}, tag});
  expression(kind == '{');
}

/// What is left of the text before a tag: "-" takes all white space away, lstrip_blocks that
/// between the begin of a line and a statement or comment.
void Lexer::data_before(std::size_t begin, std::size_t end, char control, bool is_print) {
  MarkedText text = own_text(std::string_view(source_).substr(begin, end - begin));
  if (control == '-') {
    text = stripped(text, false, true);
  } else if (control != '+' && !is_print) {
    const std::size_t line = text.text.rfind('\n') + 1;  // npos + 1 is 0
    const MarkedText last = part_of(text, line, text.text.size());
    const bool is_blank = stripped(last, true, true).text.empty();
    if ((line > 0 || begins_line_) && is_blank) text = part_of(text, 0, line);
  }
  if (!text.text.empty()) tokens_.push_back({Kind::Data, text.text, begin});
}

void Lexer::comment(std::size_t begin) {
  const std::size_t end = source_.find("#}", at_);
  if (end == std::string::npos) fail("a comment without its #}", begin);
  const char control = end > at_ ? source_[end - 1] : '\0';
  at_ = end + 2;
  if (control == '-') {
    at_ = space_behind(at_);
  } else if (control != '+' && at_ < source_.size() && source_[at_] == '\n') {
    ++at_;
  }
  begins_line_ = source_[at_ - 1] == '\n';
}

/// The end of the tag at hand, and what it takes of the text behind it.
bool Lexer::ends(bool is_print) {
  const std::string_view close = is_print ? "}}" : "%}";
  const bool strips = comes(is_print ? "-}}" : "-%}");
  const bool keeps = !is_print && comes("+%}");
  if (!open_.empty() || (!strips && !keeps && !comes(close))) return false;
  tokens_.push_back({is_print ? Kind::PrintEnd : Kind::StatementEnd, {}, at_});
  at_ += strips || keeps ? 3 : 2;
  if (strips) {
    at_ = space_behind(at_);
  } else if (!is_print && !keeps && at_ < source_.size() && source_[at_] == '\n') {
    ++at_;
  }
  begins_line_ = source_[at_ - 1] == '\n';
  return true;
}

void Lexer::expression(bool is_print) {
  const std::size_t begin = tokens_.back().at;
  open_.clear();
  for (;;) {
    at_ = space_behind(at_);
    if (at_ >= source_.size()) fail(is_print ? "{{ without its }}" : "{% without its %}", begin);
    if (ends(is_print)) return;
    const char c = source_[at_];
    if (is_name_begin(c)) {
      word();
    } else if (is_digit(c)) {
      number();
    } else if (c == '\'' || c == '"') {
      literal(c);
    } else {
      sign();
    }
  }
}

void Lexer::word() {
  const std::size_t begin = at_;
  while (at_ < source_.size() && (is_name_begin(source_[at_]) || is_digit(source_[at_]))) ++at_;
  if (at_ < source_.size() && static_cast<unsigned char>(source_[at_]) >= 0x80) {
    fail("a name beyond ASCII", begin);
  }
  tokens_.push_back({Kind::Name, source_.substr(begin, at_ - begin), begin});
}

/// Decimal numbers, with _ between digits.
void Lexer::number() {
  const std::size_t begin = at_;
  std::string text;
  const auto digits = [&] {
    while (at_ < source_.size() &&
           (is_digit(source_[at_]) ||
            (source_[at_] == '_' && at_ + 1 < source_.size() && is_digit(source_[at_ + 1])))) {
      if (source_[at_] != '_') text += source_[at_];
      ++at_;
    }
  };
  const auto next = [&](std::size_t ahead) {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  };
  digits();
  bool is_real = false;
  // "a.0.b" is no number of its own: behind a dot comes an index.
  const bool is_index =
      !tokens_.empty() && tokens_.back().kind == Kind::Sign && tokens_.back().text == ".";
  if (!is_index && next(0) == '.' && is_digit(next(1))) {
    is_real = true;
    text += source_[at_++];
    digits();
  }
  const bool has_sign = next(1) == '+' || next(1) == '-';
  if (!is_index && (next(0) | 0x20) == 'e' && is_digit(next(has_sign ? 2 : 1))) {
    is_real = true;
    text += 'e';
    ++at_;
    if (has_sign) text += source_[at_++];
    digits();
  }
  const bool has_zero = !is_real && text.size() > 1 && text[0] == '0' &&
                        text.find_first_not_of('0') != std::string::npos;
  if (has_zero || is_name_begin(next(0))) fail("a number of another kind than 12 or 1.5e3", begin);
  tokens_.push_back({is_real ? Kind::Real : Kind::Whole, text, begin});
}

void Lexer::literal(char quote) {
  const std::size_t begin = at_++;
  std::string text;
  for (;;) {
    if (at_ >= source_.size()) fail("a text without its closing quote", begin);
    if (source_[at_] == quote) break;
    if (source_[at_] == '\\') {
      escape(text);
    } else {
      text += source_[at_++];
    }
  }
  ++at_;
  tokens_.push_back({Kind::Text, std::move(text), begin});
}

/// Python's escapes; an unknown one stays as it is written.
void Lexer::escape(std::string& out) {
  const std::size_t begin = at_++;
  if (at_ >= source_.size()) fail("a text without its closing quote", begin);
  const char c = source_[at_++];
  constexpr std::string_view kFrom = "abfnrtv\\'\"", kTo = "\a\b\f\n\r\t\v\\'\"";
  if (const std::size_t known = kFrom.find(c); known != std::string_view::npos) {
    out += kTo[known];
    return;
  }
  if (c == '\n') return;  // goes on in the next line
  const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
  if (digits == 0) {
    if (is_digit(c) || c == 'N') fail(fmt::format("the escape \\{}", c), begin);
    out += '\\';
    out += c;
    return;
  }
  std::uint32_t code = 0;
  for (std::size_t i = 0; i < digits; ++i, ++at_) {
    const char d = at_ < source_.size() ? source_[at_] : '\0';
    const char low = static_cast<char>(d | 0x20);
    if (!is_digit(d) && !(low >= 'a' && low <= 'f')) fail("an escape without its digits", begin);
    code = 16 * code + static_cast<std::uint32_t>(is_digit(d) ? d - '0' : low - 'a' + 10);
  }
  if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
    fail("an escape of no character", begin);
  utf8::append(out, code);
}

void Lexer::sign() {
  if (comes("|")) {
    tokens_.push_back({Kind::Sign, "|", at_++});
    return;
  }
  const auto found = std::find_if(kSigns.begin(), kSigns.end(),
                                  [&](std::string_view sign) { return comes(sign); });
  if (found == kSigns.end()) {
    fail(fmt::format("the character {}", source_.substr(at_, utf8::next(source_, at_).bytes)), at_);
  }
  constexpr std::string_view kOpen = "([{", kClose = ")]}";
  if (kOpen.find(*found) != std::string_view::npos) {
    open_ += kClose[kOpen.find(*found)];
  } else if (kClose.find(*found) != std::string_view::npos) {
    if (open_.empty() || open_.back() != (*found)[0]) fail(fmt::format("a stray {}", *found), at_);
    open_.pop_back();
  }
  tokens_.push_back({Kind::Sign, std::string(*found), at_});
  at_ += found->size();
}
}  // namespace

std::string place_of(std::string_view source, std::size_t at) {
  const std::string_view before = source.substr(0, at);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t begin = before.rfind('\n') + 1;  // npos + 1 is 0
  const auto column =
      std::count_if(before.begin() + static_cast<std::ptrdiff_t>(begin), before.end(),
                    [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return fmt::format("line {}, column {}", line, column + 1);
}

std::string prepared(std::string_view source) {
  std::string out;
  for (std::size_t at = 0; at < source.size(); ++at) {
    if (source[at] == '\r') {
      out += '\n';
      if (at + 1 < source.size() && source[at + 1] == '\n') ++at;
    } else {
      out += source[at];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

std::vector<Token> tokens_of(const std::string& source, const std::string& where) {
  if (!utf8::is_valid(source)) {
    throw Error(where, "the template is no UTF-8", "copy or download the file again");
  }
  return Lexer(source, where).run();
}

}  // namespace tessera::jinja
