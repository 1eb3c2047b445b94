// SPDX-License-Identifier: MIT
// One object of a config.json: each key is asked for once, and what nobody asked for is told.
#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace tessera::checkpoint_internal {

/// Errors name `where` (the file), the key with `prefix` before it, what was found and what is
/// expected.
class HfKeys {
 public:
  using json = nlohmann::json;

  /// Throws Error when `object` is not one. It must outlive this.
  HfKeys(const json& object, std::string where, std::string prefix = {});

  /// Null when the key is absent or null.
  const json* find(const char* key);
  /// Throws Error, naming a key that looks like it where there is one.
  const json& need(const char* key);

  /// A whole number may be written as a float: 4096.0.
  std::int64_t integer(const char* key);
  std::int64_t integer(const char* key, std::int64_t fallback);
  double number(const char* key);
  double number(const char* key, double fallback);
  bool flag(const char* key, bool fallback);
  std::string text(const char* key, const char* fallback);
  std::int64_t as_integer(const char* key, const json& value, const char* expected) const;

  /// The key is absent, null, or has the one value that we compute.
  void only(const char* key, const json& supported);
  /// The key changes nothing of what we compute.
  void ignore(const char* key) { asked_.insert(key); }

  [[noreturn]] void unsupported(const char* key, const json& value,
                                const std::string& expected) const;

  /// Keys that nobody asked for, except those that are null, false or empty: what they name is off.
  std::vector<std::string> others() const;
  /// "fist_k (like first_k?)" for messages: the key, and the known one that it resembles.
  std::string described(const std::string& key) const;
  /// Throws Error for the first of others().
  void refuse_others() const;

  const json& object() const { return object_; }
  const std::string& where() const { return where_; }
  const std::string& prefix() const { return prefix_; }

 private:
  std::string similar_to(const std::string& key,
                         const std::set<std::string, std::less<>>& in) const;

  const json& object_;
  std::string where_, prefix_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace tessera::checkpoint_internal
