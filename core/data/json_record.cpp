// SPDX-License-Identifier: MIT
#include "core/data/json_record.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/data/latin1.h"
#include "core/tokenizer/utf8.h"

namespace tessera::data {

using nlohmann::json;

namespace {

constexpr std::size_t kMostFieldsNamed = 8;

bool is_hex4(std::string_view text) {
  if (text.size() < 4) return false;
  for (const char c : text.substr(0, 4))
    if (!std::isxdigit(static_cast<unsigned char>(c))) return false;
  return true;
}

int surrogate(std::string_view escape) {  // "\uD83D": 1 for a high half, 2 for a low one, else 0
  if (!escape.starts_with("\\u") || !is_hex4(escape.substr(2))) return 0;
  const unsigned long code = std::stoul(std::string(escape.substr(2, 4)), nullptr, 16);
  return code < 0xD800 || code > 0xDFFF ? 0 : code < 0xDC00 ? 1 : 2;
}

/// Writes what follows a backslash at `at`; returns the bytes taken.
std::size_t repair_escape(std::string_view json, std::size_t at, std::string& out) {
  const std::string_view rest = json.substr(at);
  const int half = surrogate(rest);
  if (half == 0) {
    out += rest.substr(0, 2);
    return std::min<std::size_t>(2, rest.size());
  }
  if (half == 1 && rest.size() >= 12 && surrogate(rest.substr(6)) == 2) {
    out += rest.substr(0, 12);
    return 12;
  }
  out += "\\uFFFD";
  return 6;
}

/// Python's numbers that JSON does not have become null, halves of surrogate pairs U+FFFD.
std::string repair(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  bool in_string = false;
  for (std::size_t at = 0; at < json.size();) {
    const char c = json[at];
    if (in_string && c == '\\') {
      at += repair_escape(json, at, out);
      continue;
    }
    if (c == '"') in_string = !in_string;
    std::size_t word = 0;
    if (!in_string)
      for (const std::string_view name : {"NaN", "Infinity", "-Infinity"})
        if (json.substr(at).starts_with(name)) word = name.size();
    if (word > 0) {
      out += "null";
      at += word;
    } else {
      out.push_back(c);
      ++at;
    }
  }
  return out;
}

json parse(std::string_view text) {
  json value = json::parse(text.begin(), text.end(), nullptr, false);
  if (!value.is_discarded()) return value;
  const std::string repaired = repair(text);
  return json::parse(repaired.begin(), repaired.end(), nullptr, false);
}

/// The field of that name, or behind the path that the name spells; null when there is none.
const json* find_field(const json& object, const std::string& field) {
  if (const auto found = object.find(field); found != object.end()) return &*found;
  const json* at = &object;
  for (std::size_t start = 0; start <= field.size();) {
    const std::size_t dot = std::min(field.find('.', start), field.size());
    if (!at->is_object()) return nullptr;
    const auto found = at->find(field.substr(start, dot - start));
    if (found == at->end()) return nullptr;
    at = &*found;
    start = dot + 1;
  }
  return at;
}

std::string fields_of(const json& object) {
  std::string names;
  std::size_t count = 0;
  for (const auto& [name, value] : object.items()) {
    if (count++ == kMostFieldsNamed) return names + ", ...";
    names += (names.empty() ? "" : ", ") + name.substr(0, 40);
  }
  return names.empty() ? "it has no field at all" : "its fields are " + names;
}

JsonRecord dropped(Drop reason, std::string note) {
  JsonRecord record;
  record.drop = reason;
  record.note = std::move(note);
  return record;
}

}  // namespace

JsonRecord parse_record(std::string_view text, const std::string& field) {
  std::string converted;
  const bool valid = utf8::is_valid(text);
  if (!valid) {
    converted = from_latin1(text);
    if (converted.empty()) return dropped(Drop::InvalidText, "");
    text = converted;
  }
  const json value = parse(text);
  if (value.is_discarded()) return dropped(Drop::BrokenJson, "");
  JsonRecord record;
  record.from_latin1 = !valid;
  if (value.is_string()) {
    record.text = value.get_ref<const std::string&>();
  } else if (!value.is_object()) {
    return dropped(Drop::BrokenJson, fmt::format("is a bare {}, no object", value.type_name()));
  } else {
    const json* found = find_field(value, field);
    if (!found) return dropped(Drop::NoTextField, fields_of(value));
    if (!found->is_string())
      return dropped(Drop::NoTextField, fmt::format("its {} is {}", field, found->type_name()));
    record.text = found->get_ref<const std::string&>();
  }
  if (record.text.empty()) record.drop = Drop::Empty;
  return record;
}

bool is_object(std::string_view text, const std::string& field, bool& has_text) {
  const json value = parse(text);
  has_text = false;
  if (!value.is_object()) return false;
  const json* found = find_field(value, field);
  has_text = found && found->is_string();
  return true;
}

bool ValueEnd::take(char c) {
  if (in_string_) {
    if (escaped_)
      escaped_ = false;
    else if (c == '\\')
      escaped_ = true;
    else if (c == '"')
      in_string_ = false;
    return !in_string_ && depth_ == 0;
  }
  if (!started_) {
    started_ = true;
    bare_ = c != '{' && c != '[' && c != '"';
  }
  if (c == '"') in_string_ = true;
  if (c == '{' || c == '[') ++depth_;
  if (c == '}' || c == ']') --depth_;
  return !bare_ && !in_string_ && depth_ <= 0;
}

bool ValueEnd::ends_before(char c) const {
  return bare_ &&
         (c == ',' || c == ']' || c == '}' || c == '\n' || c == ' ' || c == '\t' || c == '\r');
}

}  // namespace tessera::data
