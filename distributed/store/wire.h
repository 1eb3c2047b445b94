// SPDX-License-Identifier: MIT
// What clients and the store say to each other. A message is its length and that many bytes: a
// kind, then fields in a fixed order.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.h"

namespace tessera::wire {

/// The first bytes in both directions; another program or another version has others.
inline constexpr std::string_view kGreeting = "tessera-store 1\n";
/// What is longer is no message of ours.
inline constexpr std::uint32_t kMostBytes = 1u << 30, kMostGreetingBytes = 4096;

enum class Ask : std::uint8_t {
  Join = 1,  ///< rank, size, process, host, whether this connection watches
  Set,       ///< key, value
  Get,       ///< key, milliseconds to wait for it
  Take,      ///< the same, and removes it
  Add,       ///< key, number: the sum, which is kept as a value of 8 bytes
  Compare,   ///< key, value expected (empty: none), value wanted
  Gather,    ///< key, index, count, milliseconds, value
  About,     ///< rank
  Abort,     ///< reason
  Leave,     ///< nothing; no answer
  Beat,      ///< what the rank is doing; no answer
};

enum class Answer : std::uint8_t {
  Value = 1,  ///< a value, or with Gather all of them in the order of indices
  TimedOut,   ///< with Gather the indices that are missing
  Aborted,    ///< the reason
  Refused,    ///< why
};

class Writer {
 public:
  template <class Kind>
  explicit Writer(Kind kind) {
    bytes_.assign(sizeof(std::uint32_t), '\0');
    bytes_.push_back(static_cast<char>(kind));
  }
  Writer& number(std::int64_t value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  Writer& text(std::string_view value) {
    number(static_cast<std::int64_t>(value.size()));
    bytes_.append(value);
    return *this;
  }
  /// The whole message, length first.
  std::string take() {
    const auto length = static_cast<std::uint32_t>(bytes_.size() - sizeof(std::uint32_t));
    std::memcpy(bytes_.data(), &length, sizeof length);
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
};

/// Throws Error where a message ends too early.
class Reader {
 public:
  explicit Reader(std::string_view message) : left_(message) {}
  std::uint8_t kind() { return static_cast<std::uint8_t>(run(1)[0]); }
  std::int64_t number() {
    std::int64_t value = 0;
    std::memcpy(&value, run(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view text() {
    const std::int64_t size = number();
    require(size >= 0, "ranks", "a message of the store is damaged");
    return run(static_cast<std::size_t>(size));
  }
  bool at_end() const { return left_.empty(); }

 private:
  std::string_view run(std::size_t bytes) {
    require(bytes <= left_.size(), "ranks", "a message of the store is damaged");
    const std::string_view part = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return part;
  }
  std::string_view left_;
};

/// Takes the first whole message from the front of `bytes`. Throws Error where its length is none
/// of ours.
inline std::optional<std::string> take_message(std::string& bytes,
                                               std::uint32_t most = kMostBytes) {
  std::uint32_t length = 0;
  if (bytes.size() < sizeof length) return {};
  std::memcpy(&length, bytes.data(), sizeof length);
  require(length > 0 && length <= most, "ranks", "a message of {} bytes is none of the store's",
          length);
  if (bytes.size() < sizeof length + length) return {};
  std::string message = bytes.substr(sizeof length, length);
  bytes.erase(0, sizeof length + length);
  return message;
}

}  // namespace tessera::wire
