// SPDX-License-Identifier: MIT
#include "core/base/error.h"

namespace tessera {

namespace {
std::string compose(const std::string& where, const std::string& what, const std::string& hint) {
  std::string text = fmt::format("[{}] {}", where, what);
  if (!hint.empty()) text += "; hint: " + hint;
  return text;
}
}  // namespace

Error::Error(std::string where, std::string what, std::string hint)
    : std::runtime_error(compose(where, what, hint)),
      where_(std::move(where)),
      what_(std::move(what)),
      hint_(std::move(hint)) {}

}  // namespace tessera
