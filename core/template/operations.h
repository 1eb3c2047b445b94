// SPDX-License-Identifier: MIT
// Private to core/template: filters, tests and methods, as functions of values.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/template/value.h"

namespace tessera::jinja {

/// What goes wrong while a template is written out; the place is added by who knows it.
class Failure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct CallArguments {
  std::vector<Value> plain;
  std::vector<std::pair<std::string, Value>> named;

  /// The argument at `index` or of this name; nullptr: left out.
  const Value* find(std::size_t index, std::string_view name) const;
  /// Throws Failure where there are more than `most`, or one of a name not listed.
  void check(std::string_view what, std::size_t most,
             std::initializer_list<std::string_view> names = {}) const;
};

Value apply_filter(const std::string& name, const Value& value, const CallArguments& arguments);
bool apply_test(const std::string& name, const Value& value, const CallArguments& arguments);

/// Whether Python's kind has a method of this name that is read; `known`: that it has one at all.
bool has_method(const Value& value, std::string_view name, bool& known);
Value call_method(const Value& value, const std::string& name, const CallArguments& arguments);

/// The items that a for goes through. Throws Failure for what cannot be gone through.
std::vector<Value> items_of(const Value& value);
/// value.name or value[name] of a text as key; Undefined where there is none.
Value item_of(const Value& value, const Value& key);
Value attribute_of(const Value& value, const std::string& name);
Value slice_of(const Value& value, const Value& from, const Value& to, const Value& step);
bool contains(const Value& container, const Value& item);
Value binary_of(const std::string& sign, const Value& a, const Value& b);
const MarkedText& need_text(const Value& value, std::string_view what);
/// Throws Failure where a text grows beyond 64 MiB.
void check_size(std::size_t bytes);

}  // namespace tessera::jinja
