// SPDX-License-Identifier: MIT
// Pages of the manual, written out of the same tree of commands that --help prints.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tessera::app {

/// roff (the macros of man(7)) of `tessera` itself, or of one of its commands with those below it.
std::string man_page(const CLI::App& command);
/// "tessera.1", "tessera-spec.1"
std::string man_page_name(const CLI::App& command);

}  // namespace tessera::app
