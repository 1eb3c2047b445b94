// SPDX-License-Identifier: MIT
// The one exception type of the engine: what failed, where, and what to do about it.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace tessera {

/// Reads as "[where] what; hint: hint". `where` names the operation, file or key, never a line of
/// our code: the reader of the message is a user.
class Error : public std::runtime_error {
 public:
  Error(std::string where, std::string what, std::string hint = {});

  const std::string& where() const { return where_; }
  const std::string& what_failed() const { return what_; }
  const std::string& hint() const { return hint_; }

 private:
  std::string where_, what_, hint_;
};

/// Throws Error unless `condition` holds. For contracts at the edges of the engine.
template <class... Args>
void require(bool condition, const char* where, fmt::format_string<Args...> format,
             Args&&... args) {
  if (!condition) throw Error(where, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tessera
