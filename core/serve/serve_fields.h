// SPDX-License-Identifier: MIT
// The fields of a request of the chat protocol: each is asked for once, and what nobody asked for
// is an error that names it.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {

/// One line of a client as an object. Throws Error that says where it is no JSON, or which key of
/// an object comes twice.
nlohmann::json parse_request(std::string_view line);

class ServeFields {
 public:
  using Json = nlohmann::json;

  /// `where` names the object in messages. A "request" has an `id` and a `do` besides.
  explicit ServeFields(const Json& body, std::string where = "request");

  bool has(const char* key);

  std::string text(const char* key);
  std::string text(const char* key, const std::string& otherwise);
  bool boolean(const char* key, bool otherwise);
  double number(const char* key, double otherwise);
  /// From -kMost on: whole numbers of any sign.
  std::int64_t whole(const char* key, std::int64_t least, std::int64_t most = kMost);
  std::int64_t whole(const char* key, std::int64_t otherwise, std::int64_t least,
                     std::int64_t most);
  std::vector<std::string> texts(const char* key);
  /// Ids of tokens, from 0.
  std::vector<std::int32_t> ids(const char* key);
  /// The value as it is; an empty object where there is none.
  const Json& object(const char* key);

  /// Throws Error naming a field that was not asked for.
  void nothing_else() const;

  static constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

 private:
  const Json& at(const char* key);
  [[noreturn]] void refuse(const char* key, const std::string& expected) const;

  const Json& body_;
  std::string where_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace tessera
