// SPDX-License-Identifier: MIT
#include "core/template/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "core/tokenizer/utf8.h"

namespace tessera::jinja {

const Value* Dict::find(std::string_view key) const {
  const auto found = std::find_if(items.begin(), items.end(),
                                  [&](const auto& item) { return item.first.text == key; });
  return found == items.end() ? nullptr : &found->second;
}

void Dict::set(const MarkedText& key, Value value) {
  for (auto& [known, held] : items) {
    if (known.text != key.text) continue;
    held = std::move(value);
    return;
  }
  items.emplace_back(key, std::move(value));
}

MarkedText own_text(std::string_view text) {
  MarkedText out;
  out.append(text, MarkedText::kOwn);
  return out;
}

namespace {
constexpr int kMostNested = 200;

/// How deep a value is that is put into another one.
int depth_within(const Value& value) {
  const Dict* dict = value.dict();
  if ((dict && dict->is_namespace) || value.as<std::shared_ptr<Loop>>()) {
    throw std::invalid_argument(kind_of(value) + " within another value");
  }
  const int depth = dict ? dict->depth : value.list() ? value.list()->depth : 0;
  if (depth >= kMostNested) throw std::invalid_argument("values within more than 200 others");
  return depth;
}
}  // namespace

Value make_list(std::vector<Value> items, bool is_tuple) {
  int depth = 0;
  for (const Value& item : items) depth = std::max(depth, depth_within(item));
  return std::make_shared<List>(List{std::move(items), is_tuple, depth + 1});
}

Value make_generator(std::vector<Value> items) {
  Value list = make_list(std::move(items));
  std::get<std::shared_ptr<List>>(list.any)->is_generator = true;
  return list;
}

Value make_view(std::vector<Value> items, std::string_view name) {
  Value list = make_list(std::move(items));
  std::get<std::shared_ptr<List>>(list.any)->view = name;
  return list;
}

void put(Dict& dict, const MarkedText& key, Value value) {
  dict.depth = std::max(dict.depth, depth_within(value) + 1);
  dict.set(key, std::move(value));
}

namespace {
Value json_value(const Json& json, char mark, int depth) {
  if (depth > kMostNested) throw std::invalid_argument("values within more than 200 others");
  const auto text = [&](const std::string& bytes) {
    MarkedText out;
    out.append(utf8::replace_invalid(bytes), mark);
    return out;
  };
  if (json.is_null()) return None{};
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_unsigned() && json.get<std::uint64_t>() >> 63 != 0) {
    throw std::invalid_argument("a whole number beyond 64 bits");
  }
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return text(json.get_ref<const std::string&>());
  if (json.is_array()) {
    std::vector<Value> items;
    for (const Json& item : json) items.push_back(json_value(item, mark, depth + 1));
    return make_list(std::move(items));
  }
  auto dict = std::make_shared<Dict>();
  for (const auto& [key, value] : json.items()) {
    put(*dict, text(key), json_value(value, mark, depth + 1));
  }
  return dict;
}
}  // namespace

Value from_json(const Json& json, char mark) {
  return json_value(json, mark, 0);
}

std::string kind_of(const Value& value) {
  constexpr const char* kNames[] = {"undefined", "None", "bool", "int",    "float",
                                    "str",       "list", "dict", "a loop", "a function"};
  if (const List* list = value.list(); list && list->is_tuple) return "tuple";
  if (const List* list = value.list(); list && list->is_generator) return "a generator";
  if (const List* list = value.list(); list && !list->view.empty()) return std::string(list->view);
  if (const Dict* dict = value.dict(); dict && dict->is_namespace) return "a namespace";
  return kNames[value.any.index()];
}

bool is_true(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  double number = 0;
  if (as_number(value, number)) return number != 0;
  if (const MarkedText* text = value.text()) return !text->text.empty();
  if (const List* list = value.list()) return list->is_generator || !list->items.empty();
  if (const Dict* dict = value.dict()) return dict->is_namespace || !dict->items.empty();
  return true;
}

bool as_whole(const Value& value, std::int64_t& number) {
  if (const bool* flag = value.as<bool>()) {
    number = *flag ? 1 : 0;
    return true;
  }
  if (const std::int64_t* whole = value.as<std::int64_t>()) {
    number = *whole;
    return true;
  }
  return false;
}

bool as_number(const Value& value, double& number) {
  if (const double* real = value.as<double>()) {
    number = *real;
    return true;
  }
  std::int64_t whole = 0;
  if (!as_whole(value, whole)) return false;
  number = static_cast<double>(whole);
  return true;
}

bool equals(const Value& a, const Value& b) {
  std::int64_t whole_a = 0, whole_b = 0;
  if (as_whole(a, whole_a) && as_whole(b, whole_b)) return whole_a == whole_b;
  double number_a = 0, number_b = 0;
  const bool both = as_number(a, number_a) && as_number(b, number_b);
  if (both) return number_a == number_b;
  if (a.any.index() != b.any.index()) return false;
  if (const MarkedText* text = a.text()) return text->text == b.text()->text;
  if (const List* list = a.list()) {
    const List* other = b.list();
    if (!list->has_positions() || !other->has_positions()) return list == other;
    return list->is_tuple == other->is_tuple &&
           std::equal(list->items.begin(), list->items.end(), other->items.begin(),
                      other->items.end(), equals);
  }
  if (const Dict* dict = a.dict()) {
    const Dict* other = b.dict();
    if (dict->is_namespace || other->is_namespace) return dict == other;
    return dict->items.size() == other->items.size() &&
           std::all_of(dict->items.begin(), dict->items.end(), [&](const auto& item) {
             const Value* found = other->find(item.first.text);
             return found && equals(item.second, *found);
           });
  }
  return a.is_undefined() || a.is_none();
}

bool is_less(const Value& a, const Value& b, bool& less) {
  double number_a = 0, number_b = 0;
  if (as_number(a, number_a) && as_number(b, number_b)) {
    std::int64_t whole_a = 0, whole_b = 0;
    const bool wholes = as_whole(a, whole_a) && as_whole(b, whole_b);
    less = wholes ? whole_a < whole_b : number_a < number_b;
    return true;
  }
  if (a.text() && b.text()) {
    less = a.text()->text < b.text()->text;  // UTF-8 is ordered as code points are
    return true;
  }
  const List *one = a.list(), *two = b.list();
  if (!one || !two || one->is_tuple != two->is_tuple) return false;
  if (!one->has_positions() || !two->has_positions()) return false;
  const std::size_t shared = std::min(one->items.size(), two->items.size());
  for (std::size_t i = 0; i < shared; ++i) {
    if (!equals(one->items[i], two->items[i])) return is_less(one->items[i], two->items[i], less);
  }
  less = one->items.size() < two->items.size();
  return true;
}

// ---- As text ------------------------------------------------------------------------------------

namespace {
/// repr() of a float: the shortest digits that give it back.
std::string repr_of(double number, bool json) {
  if (std::isnan(number)) return json ? "NaN" : "nan";
  if (std::isinf(number)) {
    return std::string(number < 0 ? "-" : "") + (json ? "Infinity" : "inf");
  }
  char digits[64];
  const auto end =
      std::to_chars(digits, digits + sizeof digits, number, std::chars_format::scientific);
  const std::string shortest(digits, end.ptr);
  const int exponent = std::stoi(shortest.substr(shortest.find('e') + 1));
  if (exponent < -4 || exponent >= 16) return shortest;  // Python writes 1e+16 and 1e-05 alike
  const auto plain =
      std::to_chars(digits, digits + sizeof digits, number, std::chars_format::fixed);
  const std::string fixed(digits, plain.ptr);
  return fixed.find('.') == std::string::npos ? fixed + ".0" : fixed;
}

/// Code points that Python's repr() writes as they stand, as far as conversations hold them: those
/// of Latin-1 exactly, and beyond it all but separators, invisible signs and private ones.
bool is_printable(char32_t code) {
  if (code < 0x20 || (code >= 0x7F && code <= 0xA0) || code == 0xAD) return false;
  const std::pair<char32_t, char32_t> hidden[] = {
      {0x600, 0x605},   {0x61C, 0x61C},   {0x6DD, 0x6DD},   {0x70F, 0x70F},   {0x1680, 0x1680},
      {0x180E, 0x180E}, {0x2000, 0x200F}, {0x2028, 0x202F}, {0x205F, 0x206F}, {0x3000, 0x3000},
      {0xD800, 0xF8FF}, {0xFEFF, 0xFEFF}, {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0xE0000, 0x10FFFF}};
  return std::none_of(std::begin(hidden), std::end(hidden), [code](const auto& range) {
    return code >= range.first && code <= range.second;
  });
}

/// The letter that spells a character behind a backslash: `letters[i]` for `codes[i]`; 0: none.
char letter_of(char32_t code, std::string_view codes, std::string_view letters) {
  const std::size_t at = code < 0x80 ? codes.find(static_cast<char>(code)) : std::string_view::npos;
  return at == std::string_view::npos ? '\0' : letters[at];
}

MarkedText quoted(const MarkedText& text) {
  const bool has_single = text.text.find('\'') != std::string::npos;
  const char quote = has_single && text.text.find('"') == std::string::npos ? '"' : '\'';
  MarkedText out;
  out.append(std::string_view(&quote, 1), MarkedText::kOwn);
  for (std::size_t at = 0; at < text.text.size();) {
    const utf8::Character character = utf8::next(text.text, at);
    const char32_t code = character.code;
    std::string spelled;
    if (const char letter = letter_of(code, "\n\r\t", "nrt"); letter != '\0') {
      spelled = {'\\', letter};
    } else if (!is_printable(code)) {
      const auto number = static_cast<std::uint32_t>(code);
      spelled = number < 0x100     ? fmt::format("\\x{:02x}", number)
                : number < 0x10000 ? fmt::format("\\u{:04x}", number)
                                   : fmt::format("\\U{:08x}", number);
    } else {
      if (code == static_cast<char32_t>(quote) || code == U'\\') spelled += '\\';
      spelled += text.text.substr(at, character.bytes);
    }
    out.append(spelled, text.marks[at]);
    at += character.bytes;
  }
  out.append(std::string_view(&quote, 1), MarkedText::kOwn);
  return out;
}

MarkedText json_quoted(const MarkedText& text) {
  MarkedText out = own_text("\"");
  for (std::size_t at = 0; at < text.text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text.text[at]);
    std::string spelled;
    if (const char letter = letter_of(byte, "\"\\\n\r\t\b\f", "\"\\nrtbf"); letter != '\0') {
      spelled = {'\\', letter};
    } else if (byte < 0x20) {
      spelled = fmt::format("\\u{:04x}", byte);
    } else {
      spelled += text.text[at];
    }
    out.append(spelled, text.marks[at]);
  }
  out.append("\"", MarkedText::kOwn);
  return out;
}

/// A list or dict between brackets; `item` writes one.
template <class Items, class Write>
void enclosed(MarkedText& out, const Items& items, std::string_view brackets, int indent, int depth,
              const Write& write) {
  const auto own = [&](std::string_view text) { out.append(text, MarkedText::kOwn); };
  const auto line = [&](int levels) {
    if (indent < 0) return;
    own("\n");
    own(std::string(static_cast<std::size_t>(indent * levels), ' '));
  };
  own(brackets.substr(0, 1));
  bool is_first = true;
  for (const auto& item : items) {
    if (!is_first) own(indent >= 0 ? "," : ", ");
    line(depth + 1);
    write(item);
    is_first = false;
  }
  if (!items.empty()) line(depth);
  own(brackets.substr(1));
}

void write_json(MarkedText& out, const Value& value, int indent, int depth) {
  const auto own = [&](std::string_view text) { out.append(text, MarkedText::kOwn); };
  if (value.is_none()) {
    own("null");
  } else if (const bool* flag = value.as<bool>()) {
    own(*flag ? "true" : "false");
  } else if (const std::int64_t* whole = value.as<std::int64_t>()) {
    own(std::to_string(*whole));
  } else if (const double* number = value.as<double>()) {
    own(repr_of(*number, true));
  } else if (const MarkedText* text = value.text()) {
    out.append(json_quoted(*text));
  } else if (const List* list = value.list(); list && list->has_positions()) {
    enclosed(out, list->items, "[]", indent, depth,
             [&](const Value& item) { write_json(out, item, indent, depth + 1); });
  } else if (const Dict* dict = value.dict(); dict && !dict->is_namespace) {
    enclosed(out, dict->items, "{}", indent, depth, [&](const auto& item) {
      out.append(json_quoted(item.first));
      own(": ");
      write_json(out, item.second, indent, depth + 1);
    });
  } else {
    throw std::invalid_argument(kind_of(value) + " as JSON");
  }
}
}  // namespace

MarkedText to_json(const Value& value, int indent) {
  MarkedText out;
  write_json(out, value, indent, 0);
  return out;
}

MarkedText to_repr(const Value& value) {
  if (const MarkedText* text = value.text()) return quoted(*text);
  MarkedText out;
  if (const List* list = value.list()) {
    if (list->is_generator) throw std::invalid_argument("a generator as text");
    if (!list->view.empty()) out.append(std::string(list->view) + "(", MarkedText::kOwn);
    const bool is_single = list->is_tuple && list->items.size() == 1;
    enclosed(out, list->items, list->is_tuple ? "()" : "[]", -1, 0, [&](const Value& item) {
      out.append(to_repr(item));
      if (is_single) out.append(",", MarkedText::kOwn);
    });
    if (!list->view.empty()) out.append(")", MarkedText::kOwn);
    return out;
  }
  if (const Dict* dict = value.dict(); dict && !dict->is_namespace) {
    enclosed(out, dict->items, "{}", -1, 0, [&](const auto& item) {
      out.append(quoted(item.first));
      out.append(": ", MarkedText::kOwn);
      out.append(to_repr(item.second));
    });
    return out;
  }
  if (value.is_undefined()) return own_text("Undefined");
  return to_text(value);
}

MarkedText to_text(const Value& value) {
  if (const MarkedText* text = value.text()) return *text;
  if (value.is_undefined()) return {};
  if (value.is_none()) return own_text("None");
  if (const bool* flag = value.as<bool>()) return own_text(*flag ? "True" : "False");
  if (const std::int64_t* whole = value.as<std::int64_t>()) return own_text(std::to_string(*whole));
  if (const double* number = value.as<double>()) return own_text(repr_of(*number, false));
  if (value.list() || (value.dict() && !value.dict()->is_namespace)) return to_repr(value);
  throw std::invalid_argument(kind_of(value) + " as text");
}

// ---- Characters ---------------------------------------------------------------------------------

std::vector<std::size_t> characters(const std::string& text) {
  std::vector<std::size_t> begins;
  for (std::size_t at = 0; at < text.size(); at += utf8::next(text, at).bytes) begins.push_back(at);
  begins.push_back(text.size());
  return begins;
}

MarkedText part_of(const MarkedText& text, std::size_t begin, std::size_t end) {
  return {text.text.substr(begin, end - begin), text.marks.substr(begin, end - begin)};
}

bool is_space(char32_t code) {
  return (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x20) || code == 0x85 ||
         code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
         code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

MarkedText stripped(const MarkedText& text, bool left, bool right) {
  const std::vector<std::size_t> begins = characters(text.text);
  std::size_t first = 0, last = begins.size() - 1;
  const auto space = [&](std::size_t i) { return is_space(utf8::next(text.text, begins[i]).code); };
  while (left && first < last && space(first)) ++first;
  while (right && last > first && space(last - 1)) --last;
  return part_of(text, begins[first], begins[last]);
}

}  // namespace tessera::jinja
