// SPDX-License-Identifier: MIT
// Values of keys: what is allowed, and how they are written.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/base/nearest_word.h"
#include "core/spec/spec_internal.h"

namespace tessera::spec {

namespace {
std::string number_text(double value) {
  const bool large = value >= 1e5 && value < 1e18 && value == std::floor(value);
  return large ? format_value(static_cast<std::int64_t>(value)) : fmt::format("{}", value);
}

std::string range_text(const Key& key) {
  const bool low = std::isfinite(key.least), high = std::isfinite(key.most);
  const std::string least = number_text(key.least), most = number_text(key.most);
  if (low && key.above_least) return " above " + least + (high ? ", at most " + most : "");
  if (low && high) return fmt::format(" from {} to {}", least, most);
  if (low) return fmt::format(" of {} or more", least);
  if (high) return fmt::format(" of at most {}", most);
  return {};
}

bool in_range(const Key& key, double x) {
  if (!std::isfinite(x)) return false;
  return (key.above_least ? x > key.least : x >= key.least) && x <= key.most;
}

bool is_text(KeyType type) {
  return type == KeyType::Text || type == KeyType::Path || type == KeyType::Choice;
}

bool type_matches(const Key& key, const Value& value) {
  switch (key.type) {
    case KeyType::Bool:
      return std::holds_alternative<bool>(value);
    case KeyType::Integer:
      return std::holds_alternative<std::int64_t>(value);
    case KeyType::Number:
      return std::holds_alternative<double>(value) ||
             (key.optional && std::holds_alternative<std::monostate>(value));
    case KeyType::TextList:
    case KeyType::PathList:
      return std::holds_alternative<std::vector<std::string>>(value);
    case KeyType::Weights:
      return std::holds_alternative<Mixture>(value);
    default:
      return is_text(key.type) && std::holds_alternative<std::string>(value);
  }
}
}  // namespace

std::string Key::expected() const {
  switch (type) {
    case KeyType::Bool:
      return "true or false";
    case KeyType::Integer:
      return "a whole number" + range_text(*this);
    case KeyType::Number:
      return "a number" + range_text(*this);
    case KeyType::Text:
      return "a string";
    case KeyType::Path:
      return "a path as a string";
    case KeyType::Choice:
      return fmt::format("one of {}", fmt::join(choices, ", "));
    case KeyType::TextList:
      if (!choices.empty()) return fmt::format("a list with any of {}", fmt::join(choices, ", "));
      return "a list of strings";
    case KeyType::PathList:
      return "a list of paths";
    case KeyType::Weights:
      return "a table of names and numbers, like { web = 0.7, code = 0.3 }";
    case KeyType::Table:
      return fmt::format("a table of keys, like [{}]", name);
    case KeyType::List:
      return from_number ? "a list of tables, or one number" : "a list of tables";
  }
  return {};
}

namespace {
std::optional<Problem> check_word(const Key& key, const std::string& word) {
  if (std::find(key.choices.begin(), key.choices.end(), word) != key.choices.end()) return {};
  return Problem{.message = "unknown word " + quote(printable(word)),
                 .expected = key.expected(),
                 .nearest = nearest_word(word, key.choices)};
}
}  // namespace

std::optional<Problem> check_value(const Key& key, const Value& value) {
  const auto wrong = [&](std::string message) {
    return Problem{.message = std::move(message), .expected = key.expected()};
  };
  if (!type_matches(key, value)) return wrong(format_value(value) + " has the wrong type");
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    if (!in_range(key, static_cast<double>(*whole))) {
      return wrong(format_value(value) + " is out of range");
    }
  } else if (const auto* number = std::get_if<double>(&value)) {
    if (!in_range(key, *number)) return wrong(format_value(value) + " is out of range");
  } else if (const auto* mixture = std::get_if<Mixture>(&value)) {
    for (const auto& [name, weight] : *mixture) {
      if (!in_range(key, weight)) {
        return wrong(fmt::format("weight {} of {} is out of range", weight, quote(name)));
      }
    }
  } else if (key.type == KeyType::Choice) {
    return check_word(key, std::get<std::string>(value));
  } else if (key.type == KeyType::TextList && !key.choices.empty()) {
    for (const std::string& word : std::get<std::vector<std::string>>(value)) {
      if (auto problem = check_word(key, word)) return problem;
    }
  }
  return {};
}

namespace {
/// Bytes of the UTF-8 character at the start of `text`; 0: there is none.
std::size_t utf8_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = at(0);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xC2 ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  if (length == 3 && ((first == 0xE0 && at(1) < 0xA0) || (first == 0xED && at(1) > 0x9F))) return 0;
  if (length == 4 && ((first == 0xF0 && at(1) < 0x90) || (first == 0xF4 && at(1) > 0x8F))) return 0;
  return length;
}

std::string escape(unsigned char c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\t':
      return "\\t";
    case '\r':
      return "\\r";
    default:
      return c < 0x20 || c == 0x7F ? fmt::format("\\u{:04X}", c) : std::string(1, char(c));
  }
}
}  // namespace

std::string quote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      out += "\uFFFD";
    } else if (length == 1) {
      out += escape(static_cast<unsigned char>(text[0]));
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return out + '"';
}

std::string printable(std::string_view text, std::size_t most) {
  std::string out;
  while (!text.empty() && out.size() < most) {
    const std::size_t length = utf8_length(text);
    const bool control =
        length == 0 || static_cast<unsigned char>(text[0]) < 0x20 || text[0] == 0x7F;
    out += control ? "?" : text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return text.empty() ? out : out + "...";
}

namespace {
std::string grouped(std::int64_t value) {
  std::string digits = fmt::format("{}", value);
  const std::size_t sign = value < 0 ? 1 : 0;
  if (digits.size() - sign < 6) return digits;
  for (std::size_t at = digits.size(); at > sign + 3;) digits.insert(at -= 3, 1, '_');
  return digits;
}

std::string toml_number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == text.npos) text += ".0";
  return text;
}

bool is_bare(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) || c == '_' || c == '-');
  });
}

struct ValueWriter {
  std::string operator()(std::monostate) const { return ""; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(std::int64_t value) const { return grouped(value); }
  std::string operator()(double value) const { return toml_number(value); }
  std::string operator()(const std::string& value) const { return quote(value); }
  std::string operator()(const std::vector<std::string>& values) const {
    std::vector<std::string> quoted;
    for (const std::string& value : values) quoted.push_back(quote(value));
    return fmt::format("[{}]", fmt::join(quoted, ", "));
  }
  std::string operator()(const Mixture& mixture) const {
    if (mixture.empty()) return "{}";
    std::vector<std::string> parts;
    for (const auto& [name, weight] : mixture) {
      parts.push_back((is_bare(name) ? name : quote(name)) + " = " + toml_number(weight));
    }
    return fmt::format("{{ {} }}", fmt::join(parts, ", "));
  }
};
}  // namespace

std::string format_value(const Value& value) {
  return std::visit(ValueWriter{}, value);
}

}  // namespace tessera::spec
