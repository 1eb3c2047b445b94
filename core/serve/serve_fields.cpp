// SPDX-License-Identifier: MIT
#include "core/serve/serve_fields.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/nearest_word.h"

namespace tessera {

using nlohmann::json;

namespace {
constexpr const char* kOneObject = R"(send {"id": 1, "do": "...", ...}, one object a line)";
constexpr std::size_t kMostShown = 60;

/// A value in a message: long ones are cut.
std::string shown(const json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > kMostShown) text = text.substr(0, kMostShown) + "...";
  return text;
}

std::string range_text(std::int64_t least, std::int64_t most) {
  if (least == -ServeFields::kMost) return "a whole number";
  if (most < ServeFields::kMost) return fmt::format("a whole number from {} to {}", least, most);
  return fmt::format("a whole number, {} or more", least);
}

/// Within what the program counts with; a larger one would come out negative.
bool is_whole(const json& value) {
  if (value.is_number_unsigned()) {
    return value.get<std::uint64_t>() <= static_cast<std::uint64_t>(ServeFields::kMost);
  }
  return value.is_number_integer();
}
}  // namespace

json parse_request(std::string_view line) {
  std::vector<std::set<std::string>> keys;  // one set for each open object
  std::string twice;
  const auto look = [&](int, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second) {
      twice = value.get<std::string>();
    }
    return true;
  };
  json body;
  try {
    body = json::parse(line, look);
  } catch (const json::parse_error& error) {
    throw Error("request",
                fmt::format("the line is no JSON: there is a mistake at byte {}", error.byte),
                kOneObject);
  } catch (const json::exception& error) {  // a number that no double can hold
    throw Error("request", fmt::format("the line cannot be read: {}", error.what()), kOneObject);
  }
  if (!twice.empty()) {
    throw Error("request", fmt::format("`{}` is there twice in one object", twice),
                "say each field once");
  }
  if (!body.is_object()) throw Error("request", "the line is no JSON object", kOneObject);
  return body;
}

ServeFields::ServeFields(const json& body, std::string where)
    : body_(body), where_(std::move(where)) {
  if (where_ == "request") known_ = {"id", "do"};
  if (!body.is_object()) {
    throw Error(where_, fmt::format("is {}, expected an object", shown(body)),
                "docs/chat-protocol.md lists the fields");
  }
}

bool ServeFields::has(const char* key) {
  known_.insert(key);
  return body_.contains(key);
}

const json& ServeFields::at(const char* key) {
  if (!has(key)) {
    throw Error(where_, fmt::format("`{}` is missing", key),
                "docs/chat-protocol.md lists the fields");
  }
  return body_.at(key);
}

void ServeFields::refuse(const char* key, const std::string& expected) const {
  throw Error(where_, fmt::format("`{}` is {}, expected {}", key, shown(body_.at(key)), expected),
              "docs/chat-protocol.md lists the fields and their values");
}

std::string ServeFields::text(const char* key) {
  const json& value = at(key);
  if (!value.is_string()) refuse(key, "a text");
  return value.get<std::string>();
}

std::string ServeFields::text(const char* key, const std::string& otherwise) {
  return has(key) ? text(key) : otherwise;
}

bool ServeFields::boolean(const char* key, bool otherwise) {
  if (!has(key)) return otherwise;
  if (!at(key).is_boolean()) refuse(key, "true or false");
  return at(key).get<bool>();
}

double ServeFields::number(const char* key, double otherwise) {
  if (!has(key)) return otherwise;
  if (!at(key).is_number()) refuse(key, "a number");
  return at(key).get<double>();
}

std::int64_t ServeFields::whole(const char* key, std::int64_t least, std::int64_t most) {
  const json& value = at(key);
  if (!is_whole(value)) refuse(key, range_text(least, most));
  const auto number = value.get<std::int64_t>();
  if (number < least || number > most) refuse(key, range_text(least, most));
  return number;
}

std::int64_t ServeFields::whole(const char* key, std::int64_t otherwise, std::int64_t least,
                                std::int64_t most) {
  return has(key) ? whole(key, least, most) : otherwise;
}

std::vector<std::string> ServeFields::texts(const char* key) {
  if (!has(key)) return {};
  const json& value = at(key);
  const auto is_text = [](const json& one) { return one.is_string(); };
  if (!value.is_array() || !std::all_of(value.begin(), value.end(), is_text)) {
    refuse(key, "a list of texts");
  }
  return value.get<std::vector<std::string>>();
}

std::vector<std::int32_t> ServeFields::ids(const char* key) {
  if (!has(key)) return {};
  const json& value = at(key);
  const auto is_id = [](const json& one) {
    return is_whole(one) && one.get<std::int64_t>() >= 0 &&
           one.get<std::int64_t>() <= std::numeric_limits<std::int32_t>::max();
  };
  if (!value.is_array() || !std::all_of(value.begin(), value.end(), is_id)) {
    refuse(key, "a list of the numbers of tokens");
  }
  return value.get<std::vector<std::int32_t>>();
}

const json& ServeFields::object(const char* key) {
  static const json kEmpty = json::object();
  return has(key) ? body_.at(key) : kEmpty;
}

void ServeFields::nothing_else() const {
  for (const auto& [key, value] : body_.items()) {
    if (known_.contains(key)) continue;
    const std::string near =
        nearest_word(key, std::vector<std::string>(known_.begin(), known_.end()));
    throw Error(where_, fmt::format("unknown field `{}`", key),
                near.empty() ? "docs/chat-protocol.md lists the fields"
                             : fmt::format("did you mean `{}`?", near));
  }
}

}  // namespace tessera
