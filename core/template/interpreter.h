// SPDX-License-Identifier: MIT
// Private to core/template: writes a tree out.
#pragma once

#include <ctime>
#include <map>
#include <string>

#include "core/template/syntax.h"

namespace tessera::jinja {

using Variables = std::map<std::string, Value, std::less<>>;

/// `now` is what strftime_now() says, in seconds since 1970. Throws Error naming `where`, the line
/// and column; limits on steps, nesting and sizes keep a hostile template from taking the machine.
MarkedText write_out(const Block& block, const std::string& source, const std::string& where,
                     Variables variables, std::time_t now);

}  // namespace tessera::jinja
