// SPDX-License-Identifier: MIT
#include "core/http/api_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/http/api_error.h"

namespace tessera {

using nlohmann::json;

namespace {
/// How deep brackets lie in each other, outside of strings.
std::size_t depth_of(const std::string& text) {
  std::size_t depth = 0, most = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string && c == '\\') {
      ++at;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{')) {
      most = std::max(most, ++depth);
    } else if (!in_string && (c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return most;
}
}  // namespace

json parse_body(const std::string& text) {
  constexpr std::size_t kMostDepth = 500;  // what is copied and written takes a call for each level
  if (text.empty()) throw wrong_request("the request has no body, expected a JSON object");
  if (depth_of(text) > kMostDepth) {
    throw wrong_request(
        fmt::format("the body has lists and objects more than {} deep in each other", kMostDepth));
  }
  json body;
  try {
    body = json::parse(text);
  } catch (const json::parse_error& error) {
    throw wrong_request(fmt::format("the body is no JSON, byte {}: {}", error.byte, error.what()));
  } catch (const json::exception& error) {
    throw wrong_request(fmt::format("the body is no JSON that can be read: {}", error.what()));
  }
  if (!body.is_object()) {
    throw wrong_request(fmt::format("the body is {}, expected a JSON object", describe_json(body)));
  }
  return body;
}

std::string describe_json(const json& value) {
  switch (value.type()) {
    case json::value_t::string:
      return "a string";
    case json::value_t::array:
      return "a list";
    case json::value_t::object:
      return "an object";
    case json::value_t::null:
      return "null";
    default:
      return value.dump();
  }
}

ApiFields::ApiFields(const json& body, std::string where) : body_(body), where_(std::move(where)) {}

const json* ApiFields::find(const char* key) const {
  const auto found = body_.find(key);
  return found == body_.end() || found->is_null() ? nullptr : &*found;
}

void ApiFields::refuse(const char* key, const std::string& expected) const {
  const json* value = find(key);
  const std::string name = where_ + key;
  throw wrong_request(fmt::format("`{}` is {}, expected {}", name,
                                  value ? describe_json(*value) : "not there", expected),
                      name);
}

bool ApiFields::boolean(const char* key, bool otherwise) const {
  const json* value = find(key);
  if (!value) return otherwise;
  if (!value->is_boolean()) refuse(key, "true or false");
  return value->get<bool>();
}

double ApiFields::number(const char* key, double otherwise, double least, double most) const {
  const json* value = find(key);
  if (!value) return otherwise;
  const std::string expected = fmt::format("a number from {} to {}", least, most);
  if (!value->is_number()) refuse(key, expected);
  const double number = value->get<double>();
  if (!(number >= least && number <= most)) refuse(key, expected);
  return number;
}

std::optional<std::int64_t> ApiFields::whole(const char* key, std::int64_t least,
                                             std::int64_t most) const {
  const json* value = find(key);
  if (!value) return {};
  const std::string expected = fmt::format("a whole number from {} to {}", least, most);
  if (!value->is_number()) refuse(key, expected);
  // Some clients write 16 as 16.0. Larger numbers than 2^53 need their own type.
  const double number = value->get<double>();
  if (number != std::floor(number) || number < static_cast<double>(least) ||
      number > static_cast<double>(most)) {
    refuse(key, expected);
  }
  if (!value->is_number_integer()) return static_cast<std::int64_t>(number);
  if (value->is_number_unsigned() &&
      value->get<std::uint64_t>() > static_cast<std::uint64_t>(most)) {
    refuse(key, expected);
  }
  return value->get<std::int64_t>();
}

std::string ApiFields::text(const char* key, const std::string& otherwise) const {
  const json* value = find(key);
  if (!value) return otherwise;
  if (!value->is_string()) refuse(key, "a string");
  return value->get<std::string>();
}

const json& ApiFields::object(const char* key) const {
  static const json kEmpty = json::object();
  const json* value = find(key);
  if (!value) return kEmpty;
  if (!value->is_object()) refuse(key, "an object");
  return *value;
}

}  // namespace tessera
