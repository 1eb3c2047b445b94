// SPDX-License-Identifier: MIT
// Filters and tests (Jinja 3.1, "List of Builtin Filters", "List of Builtin Tests"), and tojson as
// transformers replaces it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "core/template/operations.h"
#include "core/template/syntax.h"
#include "core/tokenizer/utf8.h"

namespace tessera::jinja {

namespace {
using FilterFunction = Value (*)(const Value&, const CallArguments&);
using TestFunction = bool (*)(const Value&, const CallArguments&);

Value text_method(const char* name, const Value& value, const CallArguments& arguments) {
  return call_method(to_text(value), name, arguments);
}

Value filter_trim(const Value& value, const CallArguments& a) {
  a.check("trim", 1, {"chars"});
  const Value* chars = a.find(0, "chars");
  return text_method("strip", value,
                     {chars ? std::vector<Value>{*chars} : std::vector<Value>{}, {}});
}

Value filter_tojson(const Value& value, const CallArguments& a) {
  a.check("tojson", 2, {"ensure_ascii", "indent"});
  const Value *ascii = a.find(0, "ensure_ascii"), *indent = a.find(1, "indent");
  if (ascii && is_true(*ascii)) throw Failure("tojson with ensure_ascii");
  std::int64_t columns = -1;
  if (indent && !indent->is_none() &&
      (!as_whole(*indent, columns) || columns < 0 || columns > 100)) {
    throw Failure("tojson with another indent than 0 to 100");
  }
  return to_json(value, static_cast<int>(columns));
}

Value filter_length(const Value& value, const CallArguments& a) {
  a.check("length", 0);
  if (const MarkedText* text = value.text()) {
    return static_cast<std::int64_t>(characters(text->text).size() - 1);
  }
  if (value.list() && value.list()->is_generator) throw Failure("the length of a generator");
  return static_cast<std::int64_t>(items_of(value).size());
}

Value filter_default(const Value& value, const CallArguments& a) {
  a.check("default", 2, {"default_value", "boolean"});
  const Value *given = a.find(0, "default_value"), *also_false = a.find(1, "boolean");
  const bool replaces =
      value.is_undefined() || (also_false && is_true(*also_false) && !is_true(value));
  if (!replaces) return value;
  return given ? *given : Value(MarkedText{});
}

/// value.a.b or value[0], as filters with an attribute look it up.
Value looked_up(const Value& value, const Value& attribute) {
  const MarkedText* path = attribute.text();
  if (!path) return item_of(value, attribute);
  Value now = value;
  for (std::size_t begin = 0; begin <= path->text.size();) {
    const std::size_t end = std::min(path->text.find('.', begin), path->text.size());
    const std::string name = path->text.substr(begin, end - begin);
    std::int64_t index = 0;
    const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    const bool is_index =
        !name.empty() && error == std::errc() && rest == name.data() + name.size();
    now = is_index ? item_of(now, index) : item_of(now, own_text(name));
    begin = end + 1;
  }
  return now;
}

Value filter_join(const Value& value, const CallArguments& a) {
  a.check("join", 2, {"d", "attribute"});
  const Value *between = a.find(0, "d"), *attribute = a.find(1, "attribute");
  const MarkedText gap = between ? to_text(*between) : MarkedText{};
  MarkedText out;
  bool is_first = true;
  for (const Value& item : items_of(value)) {
    if (!is_first) out.append(gap);
    is_first = false;
    out.append(to_text(attribute && !attribute->is_none() ? looked_up(item, *attribute) : item));
    check_size(out.text.size());
  }
  return out;
}

Value filter_upper(const Value& v, const CallArguments& a) {
  return text_method("upper", v, a);
}
Value filter_lower(const Value& v, const CallArguments& a) {
  return text_method("lower", v, a);
}
Value filter_capitalize(const Value& v, const CallArguments& a) {
  return text_method("capitalize", v, a);
}
/// Unlike the method, letters begin a word only behind white space and - ( { [ <.
Value filter_title(const Value& value, const CallArguments& a) {
  a.check("title", 0);
  Value lowered = text_method("lower", to_text(value), {});
  MarkedText out = *lowered.text();
  bool begins = true;
  for (char& c : out.text) {
    if (begins && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    begins = is_space(static_cast<unsigned char>(c)) ||
             std::string_view("-({[<").find(c) != std::string_view::npos;
  }
  return out;
}

Value filter_first(const Value& value, const CallArguments& a) {
  a.check("first", 0);
  const List* list = value.list();
  if (list && list->is_generator && list->taken < list->items.size())
    return list->items[list->taken++];
  const std::vector<Value> items = items_of(value);
  return items.empty() ? Value(Undefined{"the first item"}) : items.front();
}

Value filter_last(const Value& value, const CallArguments& a) {
  a.check("last", 0);
  if (value.list() && value.list()->is_generator) throw Failure("the last item of a generator");
  const std::vector<Value> items = items_of(value);
  return items.empty() ? Value(Undefined{"the last item"}) : items.back();
}

Value filter_list(const Value& value, const CallArguments& a) {
  a.check("list", 0);
  return make_list(items_of(value));
}

Value filter_string(const Value& value, const CallArguments& a) {
  a.check("string", 0);
  return to_text(value);
}

Value filter_safe(const Value& value, const CallArguments& a) {
  a.check("safe", 0);
  return to_text(value);
}

Value filter_int(const Value& value, const CallArguments& a) {
  a.check("int", 1, {"default"});
  const Value* given = a.find(0, "default");
  const Value otherwise = given ? *given : Value(std::int64_t{0});
  std::int64_t whole = 0;
  if (value.is_undefined()) throw Failure("int of what is undefined");
  if (as_whole(value, whole)) return whole;
  double number = 0;
  if (const MarkedText* text = value.text()) {
    const std::string digits = stripped(*text, true, true).text;
    const char *begin = digits.data() + (digits.starts_with('+') ? 1 : 0),
               *end = digits.data() + digits.size();
    auto read = std::from_chars(begin, end, whole);
    if (read.ec == std::errc() && read.ptr == end) return whole;
    read = std::from_chars(begin, end, number);
    if (read.ec != std::errc() || read.ptr != end) return otherwise;
  } else if (!as_number(value, number)) {
    return otherwise;
  }
  if (!(std::abs(number) < 9e18)) throw Failure("a number beyond 64 bits");
  return static_cast<std::int64_t>(number);
}

Value filter_float(const Value& value, const CallArguments& a) {
  a.check("float", 1, {"default"});
  const Value* given = a.find(0, "default");
  double number = 0;
  if (value.is_undefined()) throw Failure("float of what is undefined");
  if (as_number(value, number)) return number;
  if (const MarkedText* text = value.text()) {
    const std::string digits = stripped(*text, true, true).text;
    const char* begin = digits.data() + (digits.starts_with('+') ? 1 : 0);
    const auto read = std::from_chars(begin, digits.data() + digits.size(), number);
    if (read.ec == std::errc() && read.ptr == digits.data() + digits.size()) return number;
  }
  return given ? *given : Value(0.0);
}

Value filter_abs(const Value& value, const CallArguments& a) {
  a.check("abs", 0);
  std::int64_t whole = 0;
  double number = 0;
  if (as_whole(value, whole))
    return whole < 0 ? binary_of("-", std::int64_t{0}, whole) : Value(whole);
  if (!as_number(value, number)) throw Failure(fmt::format("abs of {}", kind_of(value)));
  return std::abs(number);
}

Value filter_replace(const Value& value, const CallArguments& a) {
  a.check("replace", 3, {"old", "new", "count"});
  const Value *from = a.find(0, "old"), *to = a.find(1, "new"), *count = a.find(2, "count");
  if (!from || !to) throw Failure("replace without its two texts");
  CallArguments plain{{to_text(*from), to_text(*to)}, {}};
  if (count && !count->is_none()) plain.plain.push_back(*count);
  return text_method("replace", value, plain);
}

Value filter_reverse(const Value& value, const CallArguments& a) {
  a.check("reverse", 0);
  std::vector<Value> items = items_of(value);
  std::reverse(items.begin(), items.end());
  if (value.list() && value.list()->is_generator) return make_list(std::move(items));
  if (!value.text()) return make_generator(std::move(items));
  MarkedText out;
  for (const Value& item : items) out.append(*item.text());
  return out;
}

Value filter_items(const Value& value, const CallArguments& a) {
  a.check("items", 0);
  if (value.is_undefined()) return make_generator({});
  if (!value.dict()) throw Failure(fmt::format("items of {}", kind_of(value)));
  return make_generator(items_of(call_method(value, "items", {})));
}

Value filter_indent(const Value& value, const CallArguments& a) {
  a.check("indent", 3, {"width", "first", "blank"});
  const Value *width = a.find(0, "width"), *first = a.find(1, "first"), *blank = a.find(2, "blank");
  std::int64_t columns = 4;
  MarkedText margin;
  if (width && width->text()) {
    margin = *width->text();
  } else {
    if (width && (!as_whole(*width, columns) || columns > 1000))
      throw Failure("indent of this width");
    margin =
        own_text(std::string(static_cast<std::size_t>(std::max<std::int64_t>(columns, 0)), ' '));
  }
  // Line ends of every kind become \n, and one at the end goes as splitlines() has it.
  MarkedText text = need_text(value, "indent");
  text.append("\n", MarkedText::kOwn);
  const Value lines = call_method(text, "splitlines", {});
  MarkedText out;
  bool is_first = true;
  for (const Value& line : lines.list()->items) {
    if (!is_first) out.append("\n", MarkedText::kOwn);
    const bool fills = !line.text()->text.empty() || (blank && is_true(*blank));
    if (is_first ? first && is_true(*first) : fills) out.append(margin);
    out.append(*line.text());
    check_size(out.text.size());
    is_first = false;
  }
  return out;
}

Value filter_map(const Value& value, const CallArguments& a) {
  if (!is_true(value)) return make_generator({});  // also what cannot be gone through
  const Value* attribute = a.find(static_cast<std::size_t>(-1), "attribute");
  std::vector<Value> out;
  if (attribute) {
    a.check("map", 0, {"attribute", "default"});
    const Value* otherwise = a.find(static_cast<std::size_t>(-1), "default");
    for (const Value& item : items_of(value)) {
      const Value found = looked_up(item, *attribute);
      out.push_back(found.is_undefined() && otherwise ? *otherwise : found);
    }
    return make_generator(std::move(out));
  }
  if (a.plain.empty()) throw Failure("map without a filter or an attribute");
  const std::string name = need_text(a.plain.front(), "map").text;
  if (!knows_filter(name)) throw Failure(fmt::format("the filter {} is not read", name));
  const CallArguments rest{{a.plain.begin() + 1, a.plain.end()}, a.named};
  for (const Value& item : items_of(value)) out.push_back(apply_filter(name, item, rest));
  return make_generator(std::move(out));
}

/// select, reject, selectattr and rejectattr.
Value chosen(const Value& value, const CallArguments& a, bool by_attribute, bool wanted) {
  a.check("select", 1000);
  const std::size_t skip = by_attribute ? 1 : 0;
  if (a.plain.size() < skip) throw Failure("selectattr without an attribute");
  std::string test;
  if (a.plain.size() > skip) test = need_text(a.plain[skip], "select").text;
  if (!test.empty() && !knows_test(test))
    throw Failure(fmt::format("the test {} is not read", test));
  CallArguments rest;
  if (a.plain.size() > skip + 1)
    rest.plain.assign(a.plain.begin() + static_cast<std::ptrdiff_t>(skip) + 1, a.plain.end());
  std::vector<Value> out;
  if (!is_true(value)) return make_generator({});
  for (const Value& item : items_of(value)) {
    const Value subject = by_attribute ? looked_up(item, a.plain.front()) : item;
    const bool holds = test.empty() ? is_true(subject) : apply_test(test, subject, rest);
    if (holds == wanted) out.push_back(item);
  }
  return make_generator(std::move(out));
}

Value filter_select(const Value& v, const CallArguments& a) {
  return chosen(v, a, false, true);
}
Value filter_reject(const Value& v, const CallArguments& a) {
  return chosen(v, a, false, false);
}
Value filter_selectattr(const Value& v, const CallArguments& a) {
  return chosen(v, a, true, true);
}
Value filter_rejectattr(const Value& v, const CallArguments& a) {
  return chosen(v, a, true, false);
}

const std::map<std::string, FilterFunction, std::less<>>& filters() {
  static const std::map<std::string, FilterFunction, std::less<>> all = {
      {"abs", filter_abs},
      {"capitalize", filter_capitalize},
      {"count", filter_length},
      {"d", filter_default},
      {"default", filter_default},
      {"first", filter_first},
      {"float", filter_float},
      {"indent", filter_indent},
      {"int", filter_int},
      {"items", filter_items},
      {"join", filter_join},
      {"last", filter_last},
      {"length", filter_length},
      {"list", filter_list},
      {"lower", filter_lower},
      {"map", filter_map},
      {"reject", filter_reject},
      {"rejectattr", filter_rejectattr},
      {"replace", filter_replace},
      {"reverse", filter_reverse},
      {"safe", filter_safe},
      {"select", filter_select},
      {"selectattr", filter_selectattr},
      {"string", filter_string},
      {"title", filter_title},
      {"tojson", filter_tojson},
      {"trim", filter_trim},
      {"upper", filter_upper}};
  return all;
}

// ---- Tests --------------------------------------------------------------------------------------

const Value& only(const CallArguments& a, const char* test) {
  if (a.plain.size() != 1 || !a.named.empty())
    throw Failure(fmt::format("the test {} without its one argument", test));
  return a.plain.front();
}

bool less(const Value& a, const Value& b) {
  bool is_it = false;
  if (!is_less(a, b, is_it)) throw Failure(fmt::format("{} < {}", kind_of(a), kind_of(b)));
  return is_it;
}

bool leaves(const Value& value, std::int64_t by, std::int64_t rest) {
  return equals(binary_of("%", value, by), rest);
}

bool is_whole(const Value& v) {
  return v.as<std::int64_t>() != nullptr;
}
bool is_mapping(const Value& v) {
  return v.dict() && !v.dict()->is_namespace;
}
bool is_iterable(const Value& v) {
  return v.is_undefined() || v.text() || v.list() || is_mapping(v);
}

const std::map<std::string, TestFunction, std::less<>>& tests() {
  using V = const Value&;
  using A = const CallArguments&;
  static const TestFunction equal = [](V v, A a) { return equals(v, only(a, "eq")); };
  static const TestFunction differs = [](V v, A a) { return !equals(v, only(a, "ne")); };
  static const TestFunction below = [](V v, A a) { return less(v, only(a, "lt")); };
  static const TestFunction above = [](V v, A a) { return less(only(a, "gt"), v); };
  static const TestFunction at_most = [](V v, A a) {
    return equals(v, only(a, "le")) || less(v, only(a, "le"));
  };
  static const TestFunction at_least = [](V v, A a) {
    return equals(v, only(a, "ge")) || less(only(a, "ge"), v);
  };
  static const std::map<std::string, TestFunction, std::less<>> all = {
      {"defined", [](V v, A) { return !v.is_undefined(); }},
      {"undefined", [](V v, A) { return v.is_undefined(); }},
      {"none", [](V v, A) { return v.is_none(); }},
      {"boolean", [](V v, A) { return v.as<bool>() != nullptr; }},
      {"true", [](V v, A) { return v.as<bool>() && *v.as<bool>(); }},
      {"false", [](V v, A) { return v.as<bool>() && !*v.as<bool>(); }},
      {"integer", [](V v, A) { return is_whole(v); }},
      {"float", [](V v, A) { return v.as<double>() != nullptr; }},
      {"number", [](V v, A) { return is_whole(v) || v.as<double>() || v.as<bool>(); }},
      {"string", [](V v, A) { return v.text() != nullptr; }},
      {"mapping", [](V v, A) { return is_mapping(v); }},
      {"iterable", [](V v, A) { return is_iterable(v); }},
      {"sequence",
       [](V v, A) { return is_iterable(v) && !(v.list() && !v.list()->has_positions()); }},
      {"callable", [](V v, A) { return v.as<Function>() != nullptr; }},
      {"odd", [](V v, A) { return leaves(v, 2, 1); }},
      {"even", [](V v, A) { return leaves(v, 2, 0); }},
      {"divisibleby",
       [](V v, A a) {
         return is_true(equals(binary_of("%", v, only(a, "divisibleby")), std::int64_t{0}));
       }},
      {"in", [](V v, A a) { return contains(only(a, "in"), v); }},
      {"eq", equal},
      {"equalto", equal},
      {"==", equal},
      {"ne", differs},
      {"!=", differs},
      {"lt", below},
      {"lessthan", below},
      {"<", below},
      {"gt", above},
      {"greaterthan", above},
      {">", above},
      {"le", at_most},
      {"<=", at_most},
      {"ge", at_least},
      {">=", at_least}};
  return all;
}
}  // namespace

bool knows_filter(std::string_view name) {
  return filters().contains(name);
}
bool knows_test(std::string_view name) {
  return tests().contains(name);
}

Value apply_filter(const std::string& name, const Value& value, const CallArguments& arguments) {
  return filters().at(name)(value, arguments);
}

bool apply_test(const std::string& name, const Value& value, const CallArguments& arguments) {
  constexpr std::array kWithOne = std::to_array<std::string_view>(
      {"divisibleby", "in", "eq", "equalto", "==", "ne", "!=", "lt", "lessthan", "<", "gt",
       "greaterthan", ">", "le", "<=", "ge", ">="});
  const bool takes_one = std::find(kWithOne.begin(), kWithOne.end(), name) != kWithOne.end();
  if (!takes_one) arguments.check(fmt::format("the test {}", name), 0);
  return tests().at(name)(value, arguments);
}

}  // namespace tessera::jinja
