// SPDX-License-Identifier: MIT
// The table of every key of a run spec, and what follows from it: access by path, flat lists,
// differences, descriptions. A key is added in spec_table.cpp alone, beside its field in spec.h.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/spec/spec.h"

namespace tessera::spec {

/// monostate: an optional number that is absent.
using Value = std::variant<std::monostate, bool, std::int64_t, double, std::string,
                           std::vector<std::string>, Mixture>;

enum class KeyType : std::uint8_t {
  Bool,
  Integer,
  Number,
  Text,
  Path,
  Choice,
  TextList,
  PathList,
  Weights,  ///< a table of names and numbers
  Table,    ///< keys of its own
  List,     ///< any number of tables
};

struct Schema;

struct Key {
  std::string name;
  KeyType type = KeyType::Text;
  std::string unit;  ///< "tokens"; empty: none
  std::string help;  ///< one line
  std::string term;  ///< entry of the glossary; empty: none
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool above_least = false;  ///< `least` itself is not allowed
  bool optional = false;     ///< may be absent
  bool basic = false;        ///< shown in the short form
  std::vector<std::string> choices;

  // Plain keys. `object` is the struct that the schema describes; set() expects a checked value.
  std::function<Value(const void* object)> get;
  std::function<void(void* object, const Value& value)> set;

  // Tables and lists.
  const Schema* child = nullptr;
  std::function<void*(void* object)> table;
  std::function<std::size_t(const void* object)> count;
  std::function<void(void* object, std::size_t count)> resize;  ///< new ones have the defaults
  std::function<void*(void* object, std::size_t index)> element;
  bool written_inline = false;  ///< a list of short tables, one a line
  /// A lone number may stand for the list.
  std::function<void(void* object, double value)> from_number;

  bool is_plain() const { return type != KeyType::Table && type != KeyType::List; }
  /// "a whole number from 1 to 128"
  std::string expected() const;
};

struct Schema {
  std::vector<Key> keys;
  std::function<Value(const Key& key)> default_of;
  const Key* find(std::string_view name) const;
};

/// The schema of RunSpec itself.
const Schema& root();

/// The key of "curriculum[0].steps" or "curriculum[].steps"; null when there is none.
const Key* find_key(std::string_view path);

/// What is wrong with a value for a key; key and place are left to the caller.
std::optional<Problem> check_value(const Key& key, const Value& value);

/// The value at a path of plain keys. Throws Error for unknown paths.
Value get_value(const RunSpec& spec, std::string_view path);
/// Checks and sets. A whole number may be given for a Number. The spec is unchanged when the answer
/// is a problem.
std::optional<Problem> set_value(RunSpec& spec, std::string_view path, const Value& value);
/// What the key has when nothing sets it.
Value default_value(std::string_view path);

/// Sets from text as on a command line: a TOML value or a bare word; tables and lists too.
std::vector<Problem> set_text(RunSpec& spec, std::string_view path, std::string_view text);

struct Entry {
  std::string path;
  const Key* key = nullptr;
  Value value;
};
/// All plain keys of a spec in the order of the table.
std::vector<Entry> flatten(const RunSpec& spec);

struct Difference {
  std::string path;
  Value ours, theirs;  ///< monostate also where the other has no such list element
};
std::vector<Difference> differences(const RunSpec& ours, const RunSpec& theirs);

/// As in a TOML file: "text" quoted, 14_800_000 grouped; absent is "".
std::string format_value(const Value& value);

/// One object per key: path, type, unit, least, most, choices, default, help, term.
nlohmann::json describe_json();
/// For people, in sections.
std::string describe_text();

}  // namespace tessera::spec
