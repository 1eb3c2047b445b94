// SPDX-License-Identifier: MIT
// The fields of a request of the API. A field that is null is as one that is not there, as clients
// send it; fields that nobody asks for are passed over, as clients of other servers send them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace tessera {

/// The body of a request. Throws ApiError where it is no JSON object, with the place.
nlohmann::json parse_body(const std::string& text);

class ApiFields {
 public:
  using Json = nlohmann::json;

  /// `body` is an object and outlives this. `where` stands before names of fields in messages:
  /// "stream_options.".
  explicit ApiFields(const Json& body, std::string where = {});

  /// The value; nullptr where there is none.
  const Json* find(const char* key) const;

  // Each throws ApiError, naming the field, for a value of another type or out of the range.
  bool boolean(const char* key, bool otherwise) const;
  double number(const char* key, double otherwise, double least, double most) const;
  std::optional<std::int64_t> whole(const char* key, std::int64_t least, std::int64_t most) const;
  std::string text(const char* key, const std::string& otherwise) const;
  /// An empty one where there is none.
  const Json& object(const char* key) const;

  [[noreturn]] void refuse(const char* key, const std::string& expected) const;

 private:
  const Json& body_;
  std::string where_;
};

/// "a list", "a string of 12 characters", "3.5": for messages.
std::string describe_json(const nlohmann::json& value);

}  // namespace tessera
