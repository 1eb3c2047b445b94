// SPDX-License-Identifier: MIT
#include "core/text/grammar.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <vector>

#include "core/base/error.h"
#include "core/base/random.h"

namespace tessera::text {

namespace {

constexpr int kMostDepth = 100;
/// Most times that an alternative is drawn anew, as it was chosen before among a rule's repeats.
constexpr int kMostRedraws = 4;
/// Stands for "\s" until it is written, so that it is not taken for a blank that may go.
constexpr char kHardBlank = '\x1F';

struct Operand {
  bool is_variable = false;
  std::int64_t value = 0;  ///< the number, or the index of the variable
};

struct Step {
  char operation = '+';  ///< + - * / %
  Operand operand;
};

struct Piece {
  enum class Kind { Words, Rule, BindRule, Variable, Number, BindNumber };
  enum class Form { Plain, Capital, Article };
  Kind kind = Kind::Words;
  Form form = Form::Plain;
  std::string words;
  std::size_t rule = 0, variable = 0;
  std::int64_t least = 1, most = 1;  ///< how often a rule is expanded; the range of a number
  bool is_range = false;             ///< a number drawn from least..most, not calculated
  std::vector<Step> steps;
};

using Alternative = std::vector<Piece>;

struct Rule {
  std::string name;
  int line = 0;
  bool skewed = false;  ///< earlier alternatives more often
  std::vector<Alternative> alternatives;
};

struct Value {
  std::string words;
  std::int64_t number = 0;
};

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Makes the first letter large: ASCII, Latin with accents, Greek and Cyrillic.
void capitalise(std::string& words) {
  if (words.empty()) return;
  auto byte = [&](std::size_t at) { return static_cast<unsigned char>(words[at]); };
  if (byte(0) >= 'a' && byte(0) <= 'z') {
    words[0] = static_cast<char>(words[0] - 'a' + 'A');
    return;
  }
  if (words.size() < 2 || (byte(0) & 0xE0) != 0xC0) return;
  unsigned code = (byte(0) & 0x1Fu) << 6 | (byte(1) & 0x3Fu);
  if (code >= 0xE0 && code <= 0xFE && code != 0xF7)
    code -= 0x20;  // à to þ
  else if (code >= 0x3B1 && code <= 0x3C9 && code != 0x3C2)
    code -= 0x20;  // α to ω
  else if (code >= 0x430 && code <= 0x44F)
    code -= 0x20;  // а to я
  else if (code >= 0x450 && code <= 0x45F)
    code -= 0x50;  // ё and others
  else if (code >= 0x3AD && code <= 0x3AF)
    code -= 0x25;  // έ ή ί
  else if (code == 0x3AC)
    code = 0x386;  // ά
  else if (code == 0x3CC)
    code = 0x38C;  // ό
  else if (code == 0x3CD || code == 0x3CE)
    code -= 0x3F;  // ύ ώ
  words[0] = static_cast<char>(0xC0 | code >> 6);
  words[1] = static_cast<char>(0x80 | (code & 0x3F));
}

std::string with_article(const std::string& words) {
  const bool vowel =
      !words.empty() && std::string_view("aeioAEIO").find(words[0]) != std::string_view::npos;
  const bool sounds_so = words.starts_with("un") || words.starts_with("um") ||
                         words.starts_with("hour") || words.starts_with("honest");
  return (vowel || sounds_so ? "an " : "a ") + words;
}

/// Random numbers of one document, one after the other.
class Draws {
 public:
  Draws(std::uint64_t seed, std::uint64_t number) : random_(seed, number) {}
  std::uint64_t below(std::uint64_t bound) { return random_.below(next_++, bound); }

 private:
  Random random_;
  std::uint64_t next_ = 0;
};

}  // namespace

struct Grammar::Rules {
  std::vector<Rule> all;
  std::size_t variables = 0, document = 0;
};

namespace {

/// From the text of a grammar to its rules.
class Reading {
 public:
  Reading(std::string_view text, std::string name) : name_(std::move(name)) {
    collect(text);
    for (const auto& [rule_name, body] : bodies_) {
      rule_of_.emplace(rule_name, rules_.size());
      rules_.push_back({rule_name, body.line, body.skewed, {}});
    }
    for (Rule& rule : rules_) {
      line_ = rule.line;
      read_alternatives(bodies_.at(rule.name).text, rule);
    }
  }

  std::vector<Rule> take_rules() { return std::move(rules_); }
  std::size_t rule_named(std::string_view rule) {
    const auto found = rule_of_.find(rule);
    if (found == rule_of_.end()) fail(fmt::format("there is no rule '{}'", rule));
    return found->second;
  }
  std::size_t variable_count() const { return variable_of_.size(); }

 private:
  struct Body {
    std::string text;
    int line = 0;
    bool skewed = false;
  };

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(fmt::format("{}, line {}", name_, line_), what,
                "core/text/grammar.h says how a grammar is written");
  }

  /// The text of each rule, with the lines that continue it.
  void collect(std::string_view text) {
    Body* open = nullptr;
    for (line_ = 1; !text.empty(); ++line_) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      if (trimmed(line).empty() || line.front() == '#') continue;
      if (line.front() == ' ') {
        if (!open) fail("continues a rule, and none was begun");
        open->text += ' ';
        open->text += trimmed(line);
        continue;
      }
      open = &begin_rule(line);
    }
  }

  Body& begin_rule(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) fail("is no rule: there is no ':'");
    std::string_view rule = line.substr(0, colon);
    const bool skewed = rule.ends_with('~');
    if (skewed) rule.remove_suffix(1);
    if (!is_name(rule)) fail(fmt::format("'{}' cannot be the name of a rule", rule));
    const auto [at, is_new] = bodies_.try_emplace(
        std::string(rule), Body{std::string(trimmed(line.substr(colon + 1))), line_, skewed});
    if (!is_new) fail(fmt::format("the rule '{}' is there twice", rule));
    return at->second;
  }

  void read_alternatives(std::string_view text, Rule& rule) {
    Alternative pieces;
    std::string words;
    const auto end_words = [&] {
      if (!words.empty()) pieces.push_back({.words = std::move(words), .steps = {}});
      words.clear();
    };
    const auto end_alternative = [&] {
      while (words.ends_with(' ')) words.pop_back();
      end_words();
      rule.alternatives.push_back(std::move(pieces));
      pieces.clear();
    };
    for (std::size_t at = 0; at < text.size(); ++at) {
      const char c = text[at];
      if (c == '\\') {
        if (++at == text.size()) fail("ends in '\\'");
        words += unescaped(text[at]);
      } else if (c == '|') {
        end_alternative();
      } else if (c == '{') {
        const std::size_t close = text.find('}', at);
        if (close == std::string_view::npos) fail("a brace is not closed");
        end_words();
        pieces.push_back(read_braces(text.substr(at + 1, close - at - 1)));
        at = close;
      } else if (c == '}') {
        fail("a brace is closed that was not opened");
      } else if (c != ' ' || (words.empty() ? !pieces.empty() : words.back() != '\n')) {
        words += c;
      }
    }
    end_alternative();
  }

  char unescaped(char c) const {
    if (c == 'n') return '\n';
    if (c == 's') return kHardBlank;
    if (c == '{' || c == '}' || c == '|' || c == '\\') return c;
    fail(fmt::format("unknown mark '\\{}'", c));
  }

  Piece read_braces(std::string_view inside) {
    Piece piece{.words = {}, .steps = {}};
    if (const std::size_t equals = inside.find('='); equals != std::string_view::npos) {
      if (!is_name(inside.substr(0, equals))) fail(fmt::format("bad variable in '{}'", inside));
      piece.variable = variable(inside.substr(0, equals));
      inside.remove_prefix(equals + 1);
      if (inside.starts_with('#')) {
        piece.kind = Piece::Kind::BindNumber;
        read_number(inside.substr(1), piece);
      } else {
        piece.kind = Piece::Kind::BindRule;
        piece.rule = rule_named(inside);
      }
      return piece;
    }
    if (inside.starts_with('#')) {
      piece.kind = Piece::Kind::Number;
      read_number(inside.substr(1), piece);
      return piece;
    }
    if (inside.starts_with('^')) {
      piece.form = Piece::Form::Capital;
      inside.remove_prefix(1);
    } else if (inside.starts_with("a ")) {
      piece.form = Piece::Form::Article;
      inside.remove_prefix(2);
    }
    if (inside.starts_with('$')) {
      piece.kind = Piece::Kind::Variable;
      piece.variable = variable(inside.substr(1));
      return piece;
    }
    piece.kind = Piece::Kind::Rule;
    if (const std::size_t star = inside.find('*'); star != std::string_view::npos) {
      read_repeats(inside.substr(0, star), piece);
      inside.remove_prefix(star + 1);
    }
    piece.rule = rule_named(inside);
    return piece;
  }

  void read_repeats(std::string_view range, Piece& piece) {
    const std::size_t dash = range.find('-');
    piece.least = integer(range.substr(0, dash));
    piece.most = dash == std::string_view::npos ? piece.least : integer(range.substr(dash + 1));
    if (piece.least < 0 || piece.most < piece.least) fail(fmt::format("bad range '{}'", range));
  }

  void read_number(std::string_view text, Piece& piece) {
    if (const std::size_t dots = text.find(".."); dots != std::string_view::npos) {
      piece.is_range = true;
      piece.least = integer(text.substr(0, dots));
      piece.most = integer(text.substr(dots + 2));
      if (piece.most < piece.least) fail(fmt::format("bad range '{}'", text));
      return;
    }
    char operation = '+';
    while (true) {
      const std::size_t end = text.find_first_of("+-*/%");
      piece.steps.push_back({operation, operand(text.substr(0, end))});
      if (end == std::string_view::npos) return;
      operation = text[end];
      text.remove_prefix(end + 1);
    }
  }

  Operand operand(std::string_view text) {
    if (!is_name(text)) fail(fmt::format("'{}' is neither a number nor a variable", text));
    if (text[0] >= '0' && text[0] <= '9') return {false, integer(text)};
    return {true, static_cast<std::int64_t>(variable(text))};
  }

  std::int64_t integer(std::string_view text) const {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
      fail(fmt::format("'{}' is no whole number", text));
    }
    return value;
  }

  std::size_t variable(std::string_view variable_name) {
    if (!is_name(variable_name)) fail(fmt::format("'{}' is no variable", variable_name));
    return variable_of_.try_emplace(std::string(variable_name), variable_of_.size()).first->second;
  }

  std::string name_;
  int line_ = 0;
  std::map<std::string, Body, std::less<>> bodies_;
  std::map<std::string, std::size_t, std::less<>> rule_of_, variable_of_;
  std::vector<Rule> rules_;
};

/// One document.
class Writing {
 public:
  Writing(const std::vector<Rule>& rules, std::size_t variables, Draws draws)
      : rules_(rules), values_(variables), draws_(draws) {}

  void expand(std::size_t index, std::string& out) {
    write_alternative(rules_[index], choose(rules_[index]), out);
  }

 private:
  std::size_t choose(const Rule& rule) {
    const std::size_t count = rule.alternatives.size();
    const std::size_t choice = draws_.below(count);
    return rule.skewed ? std::min<std::size_t>(choice, draws_.below(count)) : choice;
  }

  void write_alternative(const Rule& rule, std::size_t choice, std::string& out) {
    if (++depth_ > kMostDepth) {
      throw Error("grammar", fmt::format("the rule '{}' expands without an end", rule.name));
    }
    for (const Piece& piece : rule.alternatives[choice]) write(piece, out);
    --depth_;
  }

  void write(const Piece& piece, std::string& out) {
    using Kind = Piece::Kind;
    switch (piece.kind) {
      case Kind::Words:
        write_words(piece.words, out);
        break;
      case Kind::Rule:
        if (piece.form == Piece::Form::Plain) {
          repeat(piece, out);
        } else {
          std::string words;
          repeat(piece, words);
          write_in_form(piece.form, std::move(words), out);
        }
        break;
      case Kind::BindRule: {
        std::string words;
        expand(piece.rule, words);
        values_[piece.variable] = {std::move(words), 0};
        break;
      }
      case Kind::Variable:
        write_in_form(piece.form, values_[piece.variable].words, out);
        break;
      case Kind::Number:
        out += std::to_string(number(piece));
        break;
      case Kind::BindNumber: {
        const std::int64_t value = number(piece);
        values_[piece.variable] = {std::to_string(value), value};
        break;
      }
    }
  }

  /// What stood before may have been left out: no blank begins a line, none is doubled, and none
  /// stands before a full stop.
  static void write_words(std::string_view words, std::string& out) {
    if (words.starts_with(' ') && (out.empty() || out.ends_with(' ') || out.ends_with('\n'))) {
      words.remove_prefix(1);
    }
    if (!words.empty() && std::string_view("\n.,;:!?").find(words[0]) != std::string_view::npos) {
      if (out.ends_with(' ')) out.pop_back();
    }
    for (const char c : words) out += c == kHardBlank ? ' ' : c;
  }

  void repeat(const Piece& piece, std::string& out) {
    const Rule& rule = rules_[piece.rule];
    const std::int64_t times = piece.least + below(piece.most - piece.least + 1);
    std::vector<bool> used(rule.alternatives.size());
    for (std::int64_t i = 0; i < times; ++i) {
      if (i > 0 && !out.ends_with('\n')) out += ' ';
      std::size_t choice = choose(rule);
      for (int again = 0; again < kMostRedraws && used[choice]; ++again) choice = choose(rule);
      used[choice] = true;
      write_alternative(rule, choice, out);
    }
  }

  static void write_in_form(Piece::Form form, std::string words, std::string& out) {
    if (form == Piece::Form::Capital) capitalise(words);
    out += form == Piece::Form::Article ? with_article(words) : words;
  }

  std::int64_t number(const Piece& piece) {
    if (piece.is_range) return piece.least + below(piece.most - piece.least + 1);
    std::int64_t value = 0;
    for (const Step& step : piece.steps) {
      const std::int64_t by = step.operand.is_variable
                                  ? values_[static_cast<std::size_t>(step.operand.value)].number
                                  : step.operand.value;
      if (step.operation == '+') value += by;
      if (step.operation == '-') value -= by;
      if (step.operation == '*') value *= by;
      if (step.operation == '/' || step.operation == '%') {
        if (by == 0) throw Error("grammar", "a calculation divides by zero");
        value = step.operation == '/' ? value / by : value % by;
      }
    }
    return value;
  }

  /// In [0, count); a single choice takes no random number.
  std::int64_t below(std::int64_t count) {
    return count == 1 ? 0
                      : static_cast<std::int64_t>(draws_.below(static_cast<std::uint64_t>(count)));
  }

  const std::vector<Rule>& rules_;
  std::vector<Value> values_;
  Draws draws_;
  int depth_ = 0;
};

}  // namespace

Grammar::Grammar(std::string_view text, const std::string& name)
    : rules_(std::make_unique<Rules>()) {
  Reading reading(text, name);
  rules_->document = reading.rule_named("document");
  rules_->variables = reading.variable_count();
  rules_->all = reading.take_rules();
}

Grammar::~Grammar() = default;
Grammar::Grammar(Grammar&&) noexcept = default;

std::string Grammar::document(std::uint64_t seed, std::uint64_t number) const {
  Writing writing(rules_->all, rules_->variables, Draws(seed, number));
  std::string text;
  writing.expand(rules_->document, text);
  const std::size_t begin = text.find_first_not_of(" \n");
  if (begin == std::string::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \n") + 1 - begin);
}

}  // namespace tessera::text
