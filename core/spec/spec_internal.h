// SPDX-License-Identifier: MIT
// Shared by the files of the run spec; not for others.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/spec/spec_table.h"

namespace tessera::spec {

/// A path split at its dots and brackets. An index of -1 is "[]"; -2 is none.
struct Step {
  std::string name;
  long index = -2;
};
/// Empty when the path is malformed.
std::vector<Step> split_path(std::string_view path);

/// The key at the end of a path and the struct that holds it.
struct Place {
  void* object = nullptr;
  const Key* key = nullptr;  ///< null: not found; then `problem` says why
  long index = -2;           ///< which element of a list, when the path ends with one
  Problem problem{};
};
Place locate(RunSpec& spec, std::string_view path);

/// "unknown key" with the nearest key of the schema, or the place where the key does exist.
Problem unknown_key(const Schema& schema, std::string path, const std::string& name);

/// "learning_rate" -> "curriculum[].learning_rate": where a key of this name is; empty: nowhere.
std::string place_of_name(const std::string& name);

/// Calls visit(path with [], key) for every key, tables and lists too.
void for_each_key(const Schema& schema, const std::string& prefix,
                  const std::function<void(const std::string&, const Key&)>& visit);

/// { kind = "warmup", steps = 100, to = 0.001 }: of the keys with defaults only those that differ.
std::string inline_table(const Schema& schema, void* object);

/// A TOML basic string with its quotes. Bytes that are not UTF-8 become U+FFFD.
std::string quote(std::string_view text);

/// Text that can be printed in a line of a message.
std::string printable(std::string_view text, std::size_t most = 120);

}  // namespace tessera::spec
