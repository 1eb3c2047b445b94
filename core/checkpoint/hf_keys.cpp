// SPDX-License-Identifier: MIT
#include "core/checkpoint/hf_keys.h"

#include <cmath>

#include "core/base/error.h"
#include "core/checkpoint/internal.h"

namespace tessera::checkpoint_internal {

HfKeys::HfKeys(const json& object, std::string where, std::string prefix)
    : object_(object), where_(std::move(where)), prefix_(std::move(prefix)) {
  if (object_.is_object()) return;
  throw Error(where_, prefix_.empty()
                          ? std::string("is not an object of JSON")
                          : prefix_.substr(0, prefix_.size() - 1) + " is not an object");
}

const HfKeys::json* HfKeys::find(const char* key) {
  asked_.insert(key);
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

const HfKeys::json& HfKeys::need(const char* key) {
  if (const json* value = find(key)) return *value;
  std::set<std::string, std::less<>> present;
  for (const auto& item : object_.items()) {
    if (!asked_.contains(item.key())) present.insert(item.key());
  }
  const std::string similar = similar_to(key, present);
  throw Error(where_, fmt::format("has no {}{}", prefix_, key),
              similar.empty()
                  ? "this is not the config.json of a DeepSeek-V3 or -V2 model, or it is incomplete"
                  : fmt::format("is \"{}\" a misspelling of it?", similar));
}

std::int64_t HfKeys::as_integer(const char* key, const json& value, const char* expected) const {
  if (value.is_number_integer()) return value.get<std::int64_t>();
  constexpr double kExact = 9007199254740992.0;  // 2^53: below it every whole number is a double
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  if (!(std::fabs(number) < kExact) || number != std::floor(number)) {
    unsupported(key, value, expected);
  }
  return static_cast<std::int64_t>(number);
}

std::int64_t HfKeys::integer(const char* key) {
  return as_integer(key, need(key), "a whole number");
}

std::int64_t HfKeys::integer(const char* key, std::int64_t fallback) {
  const json* value = find(key);
  return value ? as_integer(key, *value, "a whole number") : fallback;
}

double HfKeys::number(const char* key) {
  const json& value = need(key);
  if (!value.is_number()) unsupported(key, value, "a number");
  return value.get<double>();
}

double HfKeys::number(const char* key, double fallback) {
  return find(key) ? number(key) : fallback;
}

bool HfKeys::flag(const char* key, bool fallback) {
  const json* value = find(key);
  if (!value) return fallback;
  if (!value->is_boolean()) unsupported(key, *value, "true or false");
  return value->get<bool>();
}

std::string HfKeys::text(const char* key, const char* fallback) {
  const json* value = find(key);
  if (!value) return fallback;
  if (!value->is_string()) unsupported(key, *value, "a text");
  return value->get<std::string>();
}

void HfKeys::only(const char* key, const json& supported) {
  const json* value = find(key);
  if (value && *value != supported) unsupported(key, *value, supported.dump());
}

void HfKeys::unsupported(const char* key, const json& value, const std::string& expected) const {
  throw Error(where_, fmt::format("{}{} is {}, expected {}", prefix_, key, value.dump(), expected));
}

std::vector<std::string> HfKeys::others() const {
  std::vector<std::string> keys;
  for (const auto& item : object_.items()) {
    const json& value = item.value();
    const bool off = value.is_null() || value == false || (value.is_structured() && value.empty());
    if (!off && !asked_.contains(item.key())) keys.push_back(item.key());
  }
  return keys;
}

std::string HfKeys::similar_to(const std::string& key,
                               const std::set<std::string, std::less<>>& in) const {
  const std::size_t most = key.size() / 6 + 1;  // a slip or two, and not another word
  for (const std::string& candidate : in) {
    if (edit_distance(key, candidate) <= most) return candidate;
  }
  return {};
}

std::string HfKeys::described(const std::string& key) const {
  const std::string similar = similar_to(key, asked_);
  return prefix_ + key + (similar.empty() ? "" : " (a misspelling of " + similar + "?)");
}

void HfKeys::refuse_others() const {
  const std::vector<std::string> keys = others();
  if (keys.empty()) return;
  throw Error(where_, fmt::format("unknown key {}", described(keys.front())),
              "where it does not change what the model computes, remove it");
}

}  // namespace tessera::checkpoint_internal
