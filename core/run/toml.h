// SPDX-License-Identifier: MIT
// toml++ for text from elsewhere. Its parser takes some malformed text for impossible, and says so
// to the compiler in a release build; here those checks stay in, and failing one is an exception.
// NOTE: every file that reads TOML includes this, never toml++ itself: the parser is inline code,
// and the program must hold one version of it.
#pragma once

#ifdef TOMLPLUSPLUS_H
#error "include core/run/toml.h instead of toml++"
#endif

#include <stdexcept>

namespace tessera::spec {
/// A check inside the parser that malformed text failed.
class TomlCheck : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};
[[noreturn]] inline void fail_toml_check(const char* check) {
  throw TomlCheck(check);
}
}  // namespace tessera::spec

#pragma push_macro("NDEBUG")
#undef NDEBUG
#define TOML_ASSERT(check) \
  (static_cast<bool>(check) ? void(0) : ::tessera::spec::fail_toml_check(#check))
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")

namespace tessera::spec {
/// `file` is the name for messages. Throws toml::parse_error for text that is no TOML.
inline toml::table parse_toml(std::string_view text, std::string_view file = {}) {
  try {
    return toml::parse(text, file);
  } catch (const TomlCheck&) {
    throw toml::parse_error("malformed text", toml::source_position{1, 1});
  }
}
}  // namespace tessera::spec
