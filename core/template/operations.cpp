// SPDX-License-Identifier: MIT
#include "core/template/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/tokenizer/utf8.h"

namespace tessera::jinja {

const Value* CallArguments::find(std::size_t index, std::string_view name) const {
  if (index < plain.size()) return &plain[index];
  for (const auto& [known, value] : named) {
    if (known == name) return &value;
  }
  return nullptr;
}

void CallArguments::check(std::string_view what, std::size_t most,
                          std::initializer_list<std::string_view> names) const {
  if (plain.size() > most) throw Failure(fmt::format("{} with {} arguments", what, plain.size()));
  for (const auto& [name, value] : named) {
    const auto* const found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) throw Failure(fmt::format("{} has no argument {}", what, name));
    if (static_cast<std::size_t>(found - names.begin()) < plain.size()) {
      throw Failure(fmt::format("{} has two arguments {}", what, name));
    }
  }
}

void check_size(std::size_t bytes) {
  constexpr std::size_t kMost = std::size_t{64} << 20;
  if (bytes > kMost) throw Failure("a text of more than 64 MiB");
}

const MarkedText& need_text(const Value& value, std::string_view what) {
  if (const MarkedText* text = value.text()) return *text;
  if (const Undefined* none = value.as<Undefined>()) {
    throw Failure(fmt::format("{} needs a text, and {} is undefined", what, none->name));
  }
  throw Failure(fmt::format("{} needs a text, not {}", what, kind_of(value)));
}

std::vector<Value> items_of(const Value& value) {
  if (value.is_undefined()) return {};
  std::vector<Value> items;
  if (const List* list = value.list()) {
    items.assign(list->items.begin() + static_cast<std::ptrdiff_t>(list->taken), list->items.end());
    if (list->is_generator) list->taken = list->items.size();
    return items;
  }
  if (const Dict* dict = value.dict(); dict && !dict->is_namespace) {
    for (const auto& [key, held] : dict->items) items.emplace_back(key);
    return items;
  }
  if (const MarkedText* text = value.text()) {
    const std::vector<std::size_t> begins = characters(text->text);
    for (std::size_t i = 0; i + 1 < begins.size(); ++i) {
      items.emplace_back(part_of(*text, begins[i], begins[i + 1]));
    }
    return items;
  }
  throw Failure(fmt::format("{} cannot be gone through", kind_of(value)));
}

namespace {
/// The position that an index means, counted from the end where it is negative; -1: none.
std::int64_t position(std::int64_t index, std::size_t size) {
  const auto count = static_cast<std::int64_t>(size);
  if (index < -count || index >= count) return -1;
  return index < 0 ? index + count : index;
}

[[noreturn]] void undefined_has_none(const Undefined& value, std::string_view of) {
  throw Failure(fmt::format("{} is undefined, so it has no {}", value.name, of));
}
}  // namespace

Value item_of(const Value& value, const Value& key) {
  if (const Undefined* none = value.as<Undefined>()) {
    undefined_has_none(*none, key.text() ? key.text()->text : "items");
  }
  if (const MarkedText* name = key.text()) {
    const Dict* dict = value.dict();
    if (dict && !dict->is_namespace) {
      const Value* found = dict->find(name->text);
      if (found) return *found;
      return Undefined{name->text};
    }
    return attribute_of(value, name->text);
  }
  std::int64_t index = 0;
  const bool has_index = as_whole(key, index);
  if (const List* list = value.list(); list && has_index && list->has_positions()) {
    const std::int64_t at = position(index, list->items.size());
    if (at >= 0) return list->items[static_cast<std::size_t>(at)];
  } else if (const MarkedText* text = value.text(); text && has_index) {
    const std::vector<std::size_t> begins = characters(text->text);
    const std::int64_t at = position(index, begins.size() - 1);
    const auto i = static_cast<std::size_t>(at);
    if (at >= 0) return part_of(*text, begins[i], begins[i + 1]);
  }
  return Undefined{has_index ? fmt::format("item {}", index) : "an item"};
}

namespace {
Value loop_attribute(const Loop& loop, const std::string& name) {
  const auto index = static_cast<std::int64_t>(loop.index);
  const auto length = static_cast<std::int64_t>(loop.items->items.size());
  if (name == "index") return index + 1;
  if (name == "index0") return index;
  if (name == "first") return index == 0;
  if (name == "last") return index + 1 == length;
  if (name == "length") return length;
  if (name == "revindex") return length - index;
  if (name == "revindex0") return length - index - 1;
  if (name == "depth") return loop.depth;
  if (name == "depth0") return loop.depth - 1;
  const bool is_next = name == "nextitem";
  if (is_next || name == "previtem") {
    const std::int64_t at = index + (is_next ? 1 : -1);
    if (at < 0 || at >= length) return Undefined{"loop." + name};
    return loop.items->items[static_cast<std::size_t>(at)];
  }
  return Undefined{"loop." + name};
}
}  // namespace

Value attribute_of(const Value& value, const std::string& name) {
  if (const Undefined* none = value.as<Undefined>()) undefined_has_none(*none, name);
  if (const auto* loop = value.as<std::shared_ptr<Loop>>()) return loop_attribute(**loop, name);
  const Dict* dict = value.dict();
  bool is_method = false;
  has_method(value, name, is_method);
  if (is_method) throw Failure(fmt::format("the method {} without a call", name));
  const Value* found = dict ? dict->find(name) : nullptr;
  if (found) return *found;
  return Undefined{name};
}

Value slice_of(const Value& value, const Value& from, const Value& to, const Value& step) {
  const MarkedText* text = value.text();
  const List* list = value.list();
  if (!text && !(list && list->has_positions()))
    throw Failure(fmt::format("a slice of {}", kind_of(value)));
  const std::vector<std::size_t> begins =
      text ? characters(text->text) : std::vector<std::size_t>{};
  const auto size = static_cast<std::int64_t>(text ? begins.size() - 1 : list->items.size());
  std::int64_t by = 1;
  if (!step.is_none() && !as_whole(step, by))
    throw Failure("a slice with another step than a whole number");
  if (by == 0) throw Failure("a slice with a step of 0");
  // As PySlice_AdjustIndices() of Python has it.
  const auto bound = [&](const Value& given, std::int64_t otherwise) {
    if (given.is_none()) return otherwise;
    std::int64_t at = 0;
    if (!as_whole(given, at)) throw Failure("a slice with another bound than a whole number");
    if (at < 0) at = at < -size ? (by < 0 ? -1 : 0) : at + size;
    return std::min(at, by < 0 ? size - 1 : size);
  };
  const std::int64_t begin = bound(from, by < 0 ? size - 1 : 0);
  const std::int64_t end = bound(to, by < 0 ? -1 : size);
  by = std::clamp(by, -size - 1, size + 1);
  std::vector<Value> items;
  MarkedText part;
  for (std::int64_t i = begin; by > 0 ? i < end : i > end; i += by) {
    const auto at = static_cast<std::size_t>(i);
    if (text) {
      part.append(part_of(*text, begins[at], begins[at + 1]));
    } else {
      items.push_back(list->items[at]);
    }
  }
  if (text) return part;
  return make_list(std::move(items), list->is_tuple);
}

namespace {
/// Whether Python takes it as a key of a dict.
bool is_hashable(const Value& value) {
  if (value.dict()) return false;
  const List* list = value.list();
  if (!list) return true;
  return list->is_tuple && std::all_of(list->items.begin(), list->items.end(), is_hashable);
}
}  // namespace

bool contains(const Value& container, const Value& item) {
  if (const MarkedText* text = container.text()) {
    return text->text.find(need_text(item, "in").text) != std::string::npos;
  }
  if (const Dict* dict = container.dict(); dict && !dict->is_namespace) {
    if (!is_hashable(item)) throw Failure(fmt::format("{} as a key", kind_of(item)));
    return item.text() && dict->find(item.text()->text);
  }
  const List* list = container.list();
  while (list && list->is_generator && list->taken < list->items.size()) {
    if (equals(list->items[list->taken++], item)) return true;
  }
  const std::vector<Value> items = items_of(container);
  return std::any_of(items.begin(), items.end(),
                     [&](const Value& one) { return equals(one, item); });
}

// ---- Arithmetic ---------------------------------------------------------------------------------

namespace {
[[noreturn]] void no_operation(const std::string& sign, const Value& a, const Value& b) {
  for (const Value* value : {&a, &b}) {
    if (const Undefined* none = value->as<Undefined>()) {
      throw Failure(fmt::format("{} is undefined, and has no {}", none->name, sign));
    }
  }
  if (sign == "%" && a.text()) throw Failure("formatting with % is not read");
  throw Failure(fmt::format("{} {} {}", kind_of(a), sign, kind_of(b)));
}

std::int64_t floor_divided(std::int64_t a, std::int64_t b) {
  const std::int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

Value whole_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) return std::pow(static_cast<double>(base), static_cast<double>(exponent));
  std::int64_t result = 1;
  const bool stays = base == 0 || base == 1;
  for (std::int64_t i = 0; i < (stays ? std::min<std::int64_t>(exponent, 1) : exponent); ++i) {
    if (__builtin_mul_overflow(result, base, &result)) throw Failure("a number beyond 64 bits");
    if (base == -1) return exponent % 2 == 0 ? std::int64_t{1} : std::int64_t{-1};
  }
  return result;
}

Value of_wholes(const std::string& sign, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  bool overflows = false;
  if (sign == "+") overflows = __builtin_add_overflow(a, b, &result);
  if (sign == "-") overflows = __builtin_sub_overflow(a, b, &result);
  if (sign == "*") overflows = __builtin_mul_overflow(a, b, &result);
  if (sign == "**") return whole_power(a, b);
  if (sign == "/" || sign == "//" || sign == "%") {
    if (b == 0) throw Failure("a division by zero");
    if (sign == "/") return static_cast<double>(a) / static_cast<double>(b);
    overflows = a == std::numeric_limits<std::int64_t>::min() && b == -1;
    if (!overflows) result = sign == "//" ? floor_divided(a, b) : a - b * floor_divided(a, b);
  }
  if (overflows) throw Failure("a number beyond 64 bits");
  return result;
}

Value of_numbers(const std::string& sign, double a, double b) {
  if (sign == "+") return a + b;
  if (sign == "-") return a - b;
  if (sign == "*") return a * b;
  if (sign == "**") return std::pow(a, b);
  if (b == 0) throw Failure("a division by zero");
  if (sign == "/") return a / b;
  const double rest = std::fmod(a, b);
  const double remainder = rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  if (sign == "%") return remainder;
  return std::floor((a - remainder) / b + 0.5);
}

Value repeated(const MarkedText& text, std::int64_t times) {
  MarkedText out;
  if (times > 0 && !text.text.empty()) {
    check_size(times > (std::int64_t{64} << 20)
                   ? ~std::size_t{0}
                   : text.text.size() * static_cast<std::size_t>(times));
    for (std::int64_t i = 0; i < times; ++i) out.append(text);
  }
  return out;
}

Value repeated_list(const List& list, std::int64_t times) {
  constexpr std::int64_t kMostItems = 1'000'000;
  const auto size = static_cast<std::int64_t>(list.items.size());
  std::vector<Value> items;
  if (times > 0 && size > 0) {
    if (times > kMostItems / size) throw Failure("a list of more than a million items");
    for (std::int64_t i = 0; i < times; ++i)
      items.insert(items.end(), list.items.begin(), list.items.end());
  }
  return make_list(std::move(items), list.is_tuple);
}
}  // namespace

Value binary_of(const std::string& sign, const Value& a, const Value& b) {
  if (sign == "~") {
    MarkedText joined = to_text(a);
    joined.append(to_text(b));
    check_size(joined.text.size());
    return joined;
  }
  std::int64_t whole_a = 0, whole_b = 0;
  const bool has_a = as_whole(a, whole_a), has_b = as_whole(b, whole_b);
  if (has_a && has_b) return of_wholes(sign, whole_a, whole_b);
  double number_a = 0, number_b = 0;
  if (as_number(a, number_a) && as_number(b, number_b)) return of_numbers(sign, number_a, number_b);
  if (sign == "+" && a.text() && b.text()) return binary_of("~", a, b);
  if (sign == "*" && a.text() && has_b) return repeated(*a.text(), whole_b);
  if (sign == "*" && has_a && b.text()) return repeated(*b.text(), whole_a);
  const List *one = a.list(), *two = b.list();
  const bool joins =
      one && two && one->is_tuple == two->is_tuple && one->has_positions() && two->has_positions();
  if (sign == "*" && one && has_b && one->has_positions()) return repeated_list(*one, whole_b);
  if (sign == "*" && two && has_a && two->has_positions()) return repeated_list(*two, whole_a);
  if (sign == "+" && joins) {
    std::vector<Value> items = one->items;
    items.insert(items.end(), two->items.begin(), two->items.end());
    return make_list(std::move(items), one->is_tuple);
  }
  no_operation(sign, a, b);
}

}  // namespace tessera::jinja
