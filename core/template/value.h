// SPDX-License-Identifier: MIT
// Private to core/template: the values of a template, as Python has them. A text knows of each byte
// whether people wrote it (core/base/marked_text.h), and keeps that through everything done to it.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/marked_text.h"

namespace tessera::jinja {

class Value;
struct MacroNode;
using Json = nlohmann::ordered_json;

struct Undefined {
  std::string name;  ///< what was looked for
};
struct None {};

struct List {
  std::vector<Value> items;
  bool is_tuple = false;
  int depth = 1;  ///< lists and dicts within it, itself included
  /// What map() and select() give: gone through once, and nothing else.
  bool is_generator = false;
  mutable std::size_t taken = 0;  ///< items that a generator has given
  /// "dict_items": what items(), keys() and values() give, which has no positions; "": another
  /// list.
  std::string_view view = {};

  bool has_positions() const { return !is_generator && view.empty(); }
};

/// Keys are texts, in the order in which they came.
struct Dict {
  std::vector<std::pair<MarkedText, Value>> items;
  bool is_namespace = false;
  int depth = 1;

  const Value* find(std::string_view key) const;
  void set(const MarkedText& key, Value value);
};

/// `loop` of a for.
struct Loop {
  std::shared_ptr<List> items;
  std::size_t index = 0;
  std::int64_t depth = 1;
  std::vector<Value> changed;  ///< what loop.changed() was asked last
};

/// A function of the environment, by name, or a macro.
struct Function {
  std::string name;
  const MacroNode* macro = nullptr;
};

class Value {
 public:
  using Any =
      std::variant<Undefined, None, bool, std::int64_t, double, MarkedText, std::shared_ptr<List>,
                   std::shared_ptr<Dict>, std::shared_ptr<Loop>, Function>;
  // NOTE: implicit: a value of any kind is a Value.
  template <class T>
  requires(!std::is_same_v<std::remove_cvref_t<T>, Value> && std::is_constructible_v<Any, T&&>)
      Value(T&& value)
      : any(std::forward<T>(value)) {}
  Value() = default;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&any);
  }
  const List* list() const {
    const auto* p = as<std::shared_ptr<List>>();
    return p ? p->get() : nullptr;
  }
  const Dict* dict() const {
    const auto* p = as<std::shared_ptr<Dict>>();
    return p ? p->get() : nullptr;
  }
  const MarkedText* text() const { return as<MarkedText>(); }
  bool is_undefined() const { return as<Undefined>() != nullptr; }
  bool is_none() const { return as<None>() != nullptr; }

  Any any;
};

MarkedText own_text(std::string_view text);
/// Throws std::invalid_argument where values lie within more than 200 others (all that walks
/// through values goes as deep as they do), or one is a namespace or a loop (they could hold
/// themselves).
Value make_list(std::vector<Value> items, bool is_tuple = false);

Value make_generator(std::vector<Value> items);
Value make_view(std::vector<Value> items, std::string_view name);

/// `mark` is that of every text in it, keys included. Throws std::invalid_argument as make_list(),
/// and for a whole number beyond 64 bits.
Value from_json(const Json& json, char mark);
/// Puts a value under a key; throws as make_list().
void put(Dict& dict, const MarkedText& key, Value value);

/// "str", "dict", "list": Python's name of the kind.
std::string kind_of(const Value& value);
bool is_true(const Value& value);
/// A whole number, or true and false as 1 and 0. False: another kind.
bool as_whole(const Value& value, std::int64_t& number);
bool as_number(const Value& value, double& number);

/// Python's ==. Texts are compared without their marks.
bool equals(const Value& a, const Value& b);
/// Python's < for numbers, texts and lists of them. False: not ordered.
bool is_less(const Value& a, const Value& b, bool& less);

/// Python's str() and repr(). Throws std::invalid_argument for kinds that have no fixed one.
MarkedText to_text(const Value& value);
MarkedText to_repr(const Value& value);
/// json.dumps(value, ensure_ascii=False, indent=indent); indent < 0: on one line. Throws
/// std::invalid_argument for what JSON has not.
MarkedText to_json(const Value& value, int indent);

/// Characters of a text rather than bytes: the byte at which each begins, and the end.
std::vector<std::size_t> characters(const std::string& text);
MarkedText part_of(const MarkedText& text, std::size_t begin, std::size_t end);
/// Python's white space (str.isspace).
bool is_space(char32_t code);
/// `text` without the white space at its ends.
MarkedText stripped(const MarkedText& text, bool left, bool right);

}  // namespace tessera::jinja
