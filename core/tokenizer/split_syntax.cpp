// SPDX-License-Identifier: MIT
#include "core/tokenizer/split_syntax.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/tokenizer/utf8.h"

namespace tessera {

namespace {
constexpr int kMaxDepth = 40;
constexpr std::uint32_t kMaxRepeat = 1000;

class SplitParser {
 public:
  SplitParser(std::string_view pattern, const std::string& where)
      : pattern_(pattern), where_(where) {
    if (!utf8::is_valid(pattern)) refuse("bytes that are no UTF-8");
  }

  SplitNode parse() {
    SplitNode node = either(false, 0);
    if (!done()) refuse("a ) without its (");
    return node;
  }

 private:
  using Kind = SplitNode::Kind;

  [[noreturn]] void refuse(const std::string& what) const {
    const auto character =
        std::count_if(pattern_.begin(), pattern_.begin() + static_cast<std::ptrdiff_t>(at_),
                      [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
    throw Error(where_,
                fmt::format("the pattern \"{}\" holds, at character {}, {}: this is not read",
                            pattern_, character + 1, what),
                "patterns are read as far as docs/released-models.md lists them");
  }

  bool done() const { return at_ >= pattern_.size(); }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0';
  }
  bool comes(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  bool take(std::string_view text) {
    if (!comes(text)) return false;
    at_ += text.size();
    return true;
  }
  char32_t character() {
    if (done()) refuse("an end in the middle of something");
    const utf8::Character next = utf8::next(pattern_, at_);
    at_ += next.bytes;
    return next.code;
  }

  SplitNode either(bool fold, int depth);
  SplitNode sequence(bool fold, int depth);
  SplitNode atom(bool fold, int depth);
  SplitNode group(bool fold, int depth);
  SplitNode repeated(SplitNode node);
  bool counts(std::uint32_t& low, std::uint32_t& high);
  std::uint32_t number();
  CodeSet bracket(bool fold, int depth);
  CodeSet bracket_part(bool fold, int depth);
  bool class_escape(CodeSet& set, bool fold);
  CodeSet property(bool negated);
  char32_t escape();
  char32_t hexadecimal(std::size_t digits);
  CodeSet literal(char32_t code, bool fold);
  void check_fold(char32_t code);

  std::string_view pattern_;
  const std::string& where_;
  std::size_t at_ = 0;
  char32_t last_folded_ = 0;  ///< the letter before, in a part that ignores case
};

SplitNode SplitParser::either(bool fold, int depth) {
  if (depth > kMaxDepth) refuse("groups within more than 40 groups");
  SplitNode node = sequence(fold, depth);
  if (peek() != '|' || done()) return node;
  SplitNode all{.kind = Kind::Either, .set = {}, .parts = {}};
  all.parts.push_back(std::move(node));
  while (take("|")) all.parts.push_back(sequence(fold, depth));
  return all;
}

SplitNode SplitParser::sequence(bool fold, int depth) {
  SplitNode node{.kind = Kind::Sequence, .set = {}, .parts = {}};
  last_folded_ = 0;
  while (!done() && peek() != '|' && peek() != ')') {
    if (take("(?i)")) {  // up to the end of the group, other branches included
      if (!node.parts.empty()) refuse("(?i) in the middle of a branch");
      node.parts.push_back(either(true, depth + 1));
      break;
    }
    node.parts.push_back(repeated(atom(fold, depth)));
  }
  if (node.parts.empty()) return {};
  if (node.parts.size() > 1) return node;
  SplitNode only = std::move(node.parts.front());
  return only;
}

SplitNode SplitParser::atom(bool fold, int depth) {
  const auto simple = [](Kind kind) { return SplitNode{.kind = kind, .set = {}, .parts = {}}; };
  const auto set = [](CodeSet codes) {
    return SplitNode{.kind = Kind::Set, .set = std::move(codes), .parts = {}};
  };
  if (comes("(")) return group(fold, depth);
  if (take("[")) return set(bracket(fold, depth + 1));
  if (take(".")) return set(CodeSet(U'\n', U'\n').complement());
  if (take("^")) return simple(Kind::LineBegin);
  if (take("$")) return simple(Kind::LineEnd);
  if (take("\\A")) return simple(Kind::TextBegin);
  if (take("\\z")) return simple(Kind::TextEnd);
  if (comes("*") || comes("+") || comes("?")) refuse("a repeat of nothing");
  if (comes("\\")) {
    CodeSet codes;
    if (class_escape(codes, fold)) return set(codes);
    return set(literal(escape(), fold));
  }
  return set(literal(character(), fold));
}

SplitNode SplitParser::group(bool fold, int depth) {
  SplitNode node;
  const auto inner = [&](Kind kind, bool folds) {
    node = {.kind = kind, .set = {}, .parts = {}};
    node.parts.push_back(either(folds, depth + 1));
  };
  if (take("(?:")) {
    node = either(fold, depth + 1);
  } else if (take("(?i:")) {
    node = either(true, depth + 1);
  } else if (take("(?-i:")) {
    node = either(false, depth + 1);
  } else if (take("(?=")) {
    inner(Kind::Look, fold);
  } else if (take("(?!")) {
    inner(Kind::LookNot, fold);
  } else if (take("(?>")) {
    inner(Kind::Atomic, fold);
  } else if (comes("(?") || comes("(*")) {
    refuse(fmt::format("a group that begins with \"{}\"", pattern_.substr(at_, 3)));
  } else {
    take("(");
    node = either(fold, depth + 1);
  }
  last_folded_ = 0;
  if (!take(")")) refuse("a ( without its )");
  return node;
}

std::uint32_t SplitParser::number() {
  std::uint32_t value = 0;
  while (peek() >= '0' && peek() <= '9') {
    value = 10 * value + static_cast<std::uint32_t>(character() - U'0');
    if (value > kMaxRepeat) refuse("a repeat of more than 1000 times");
  }
  return value;
}

/// {n}, {n,}, {,m} or {n,m}. Other braces are characters.
bool SplitParser::counts(std::uint32_t& low, std::uint32_t& high) {
  const std::size_t end = pattern_.find('}', at_);
  if (peek() != '{' || end == std::string_view::npos) return false;
  const std::string_view inside = pattern_.substr(at_ + 1, end - at_ - 1);
  const auto digits =
      std::count_if(inside.begin(), inside.end(), [](char c) { return c >= '0' && c <= '9'; });
  const auto commas = std::count(inside.begin(), inside.end(), ',');
  if (digits == 0 || commas > 1 || digits + commas != static_cast<std::ptrdiff_t>(inside.size())) {
    return false;
  }
  ++at_;
  low = number();
  high = low;
  if (take(",")) high = peek() == '}' ? SplitNode::kNoEnd : number();
  if (low > high) refuse("a repeat that ends before it begins");
  take("}");
  return true;
}

SplitNode SplitParser::repeated(SplitNode node) {
  while (!done()) {
    std::uint32_t low = 0, high = SplitNode::kNoEnd;
    const bool counted = counts(low, high);
    if (!counted) {
      if (take("*")) {
      } else if (take("+")) {
        low = 1;
      } else if (take("?")) {
        high = 1;
      } else {
        break;
      }
    }
    last_folded_ = 0;
    SplitNode outer{.kind = Kind::Repeat, .set = {}, .parts = {}, .low = low, .high = high};
    if (counted && low == high && comes("?")) refuse("{n}?");
    if (counted && comes("+")) refuse("{n,m}+");
    if (take("?")) {
      outer.greed = SplitNode::Greed::Lazy;
    } else if (take("+")) {
      outer.greed = SplitNode::Greed::Possessive;
    }
    if (node.kind == Kind::Look || node.kind == Kind::LookNot) refuse("a repeat of a look-ahead");
    if (high > 1 && node.may_be_empty()) refuse("a repeat of something that may be empty");
    outer.parts.push_back(std::move(node));
    node = std::move(outer);
  }
  return node;
}

/// The inside of [...], which has begun.
CodeSet SplitParser::bracket(bool fold, int depth) {
  if (depth > kMaxDepth) refuse("brackets within more than 40 brackets");
  const bool negated = take("^");
  CodeSet all(0, 0x10FFFF), now;
  bool is_first = true;
  for (;; is_first = false) {
    if (done()) refuse("a [ without its ]");
    if (comes("]") && !is_first) break;
    if (comes("]")) refuse("a ] right behind [");
    if (take("&&")) {
      all = all.intersection(now);
      now = {};
      continue;
    }
    now.add(bracket_part(fold, depth));
  }
  take("]");
  all = all.intersection(now);
  return negated ? all.complement() : all;
}

/// One character, range, escape or inner bracket of a bracket.
CodeSet SplitParser::bracket_part(bool fold, int depth) {
  if (comes("[:")) refuse("a class named [:...:]");
  if (take("[")) return bracket(fold, depth + 1);
  CodeSet set;
  if (comes("\\") && class_escape(set, fold)) return set;
  const char32_t first = comes("\\") ? escape() : character();
  const bool is_range = peek() == '-' && peek(1) != ']' && !done();
  if (!is_range) {
    const CodeSet one = literal(first, fold);
    last_folded_ = 0;
    return one;
  }
  take("-");
  if (comes("[") || (comes("\\") && class_escape(set, fold)))
    refuse("a range that ends with a class");
  const char32_t last = comes("\\") ? escape() : character();
  if (last < first) refuse("a range that ends before it begins");
  set = CodeSet(first, last);
  if (!fold) return set;
  for (char32_t code = first; code <= last; ++code) {
    set.add(literal(code, fold));
    last_folded_ = 0;
  }
  return set;
}

/// \s, \d, \w, \p{...} and their opposites. False, and nothing taken: another escape.
bool SplitParser::class_escape(CodeSet& set, bool fold) {
  const char kind = peek(1);
  const bool negated = kind == 'S' || kind == 'D' || kind == 'W';
  if (fold && std::string_view("pPwW").find(kind) != std::string_view::npos) {
    refuse(fmt::format("\\{} where case is ignored", kind));
  }
  switch (kind) {
    case 's':
    case 'S':
      set = unicode::spaces();
      break;
    case 'd':
    case 'D':
      unicode::property("Nd", set);
      break;
    case 'w':
    case 'W':
      set = unicode::word();
      break;
    case 'p':
    case 'P':
      at_ += 2;
      set = property(kind == 'P');
      return true;
    default:
      return false;
  }
  if (negated) set = set.complement();
  at_ += 2;
  return true;
}

CodeSet SplitParser::property(bool negated) {
  if (!take("{")) refuse("\\p without a {name}");
  if (take("^")) negated = !negated;
  const std::size_t end = pattern_.find('}', at_);
  if (end == std::string_view::npos) refuse("\\p{ without its }");
  const std::string_view name = pattern_.substr(at_, end - at_);
  CodeSet set;
  if (!unicode::property(name, set)) refuse(fmt::format("the property {}", name));
  at_ = end + 1;
  return negated ? set.complement() : set;
}

char32_t SplitParser::hexadecimal(std::size_t digits) {
  char32_t value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const char c = peek();
    const bool is_digit = c >= '0' && c <= '9', is_low = c >= 'a' && c <= 'f';
    if (!is_digit && !is_low && !(c >= 'A' && c <= 'F')) refuse("a code without its digits");
    value = 16 * value + static_cast<char32_t>(is_digit ? c - '0' : (c | 0x20) - 'a' + 10);
    ++at_;
  }
  return value;
}

/// One character behind a backslash.
char32_t SplitParser::escape() {
  const std::size_t begin = at_;
  take("\\");
  if (take("x{")) {
    const std::size_t end = pattern_.find('}', at_);
    if (end == std::string_view::npos || end - at_ < 1 || end - at_ > 6) refuse("\\x{...}");
    const char32_t value = hexadecimal(end - at_);
    if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) refuse("no code point");
    take("}");
    return value;
  }
  if (take("x")) {
    const char32_t value = hexadecimal(2);
    if (value > 0x7F) refuse("\\x of a byte that is not ASCII");
    return value;
  }
  if (take("u")) {
    const char32_t value = hexadecimal(4);
    if (value >= 0xD800 && value < 0xE000) refuse("no code point");
    return value;
  }
  const char32_t code = character();
  switch (code) {
    case U'n':
      return U'\n';
    case U'r':
      return U'\r';
    case U't':
      return U'\t';
    case U'f':
      return U'\f';
    case U'v':
      return U'\v';
    case U'a':
      return U'\a';
    case U'e':
      return 0x1B;
    default:
      break;
  }
  const bool is_word =
      (code >= U'0' && code <= U'9') || ((code | 0x20) >= U'a' && (code | 0x20) <= U'z');
  if (code > 0x7F || is_word) {
    at_ = begin;
    refuse(fmt::format("the escape {}", pattern_.substr(at_, 2)));
  }
  return code;
}

/// Letters that together fold to one character ("ss" to U+00DF) would match it too.
void SplitParser::check_fold(char32_t code) {
  const char32_t letter = code | 0x20;
  const std::u32string pair{last_folded_, letter};
  for (const char32_t* folded : {U"ss", U"st", U"ff", U"fi", U"fl"}) {
    if (pair == folded) refuse("\"ss\", \"st\", \"ff\", \"fi\" or \"fl\" where case is ignored");
  }
  last_folded_ = letter;
}

CodeSet SplitParser::literal(char32_t code, bool fold) {
  CodeSet set(code, code);
  if (!fold) return set;
  if (code > 0x7F) refuse("a character beyond ASCII where case is ignored");
  const bool is_letter = (code | 0x20) >= U'a' && (code | 0x20) <= U'z';
  if (!is_letter) {
    last_folded_ = 0;
    return set;
  }
  check_fold(code);
  set.add(code ^ 0x20, code ^ 0x20);
  if ((code | 0x20) == U's') set.add(0x17F, 0x17F);    // LATIN SMALL LETTER LONG S
  if ((code | 0x20) == U'k') set.add(0x212A, 0x212A);  // KELVIN SIGN
  return set;
}
}  // namespace

bool SplitNode::may_be_empty() const {
  switch (kind) {
    case Kind::Set:
      return false;
    case Kind::Sequence:
      return std::all_of(parts.begin(), parts.end(),
                         [](const auto& p) { return p.may_be_empty(); });
    case Kind::Either:
      return std::any_of(parts.begin(), parts.end(),
                         [](const auto& p) { return p.may_be_empty(); });
    case Kind::Atomic:
      return parts.front().may_be_empty();
    case Kind::Repeat:
      return low == 0 || parts.front().may_be_empty();
    default:
      return true;
  }
}

SplitNode parse_split(std::string_view pattern, const std::string& where) {
  return SplitParser(pattern, where).parse();
}

}  // namespace tessera
