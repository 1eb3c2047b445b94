// SPDX-License-Identifier: MIT
// Private to core/data: one JSON value as a document.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/data/source.h"

namespace tessera::data {

struct JsonRecord {
  std::string text;
  std::optional<Drop> drop;
  std::string note;  ///< why it was dropped: "its fields are body, id"
  bool from_latin1 = false;
};

/// The text field of an object; `field` may be a path ("meta.text") where no field is called so. A
/// bare string is its own text. What Python's json writes beyond the standard is read: NaN,
/// Infinity and -Infinity, and half of a surrogate pair, which becomes U+FFFD.
JsonRecord parse_record(std::string_view json, const std::string& field);

/// True when `json` is one whole object; `has_text`: with a string in the field.
bool is_object(std::string_view json, const std::string& field, bool& has_text);

/// Finds the end of a JSON value byte by byte, whether it is sound inside or not: brackets are
/// counted outside strings.
class ValueEnd {
 public:
  /// True when the value is complete with `c`, its last byte. A number or a word does not mark its
  /// last byte: it ends where ends_before() is true for the next one.
  bool take(char c);
  bool ends_before(char c) const;

 private:
  int depth_ = 0;
  bool started_ = false, bare_ = false, in_string_ = false, escaped_ = false;
};

}  // namespace tessera::data
