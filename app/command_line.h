// SPDX-License-Identifier: MIT
// The command line as a whole: every command, what is said of a slip, and how the program ends.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

namespace tessera::app {

/// How the program ends. A signal that nobody waits for ends it with 128 and the signal's number.
enum ExitCode : int {
  kDone = 0,
  kFailed = 1,     ///< the command failed and said why on standard error
  kWrongLine = 2,  ///< the command line is wrong; nothing was begun
};

/// The parser with every command, its help and its examples.
std::unique_ptr<CLI::App> command_line();

/// Parses, does what is said, and tells people what went wrong.
int run_command_line(int argc, const char* const* argv);

/// The command that the words name, as far as they name any: {"spec", "show", "x.toml"} is that of
/// `spec show`.
const CLI::App* find_command(const CLI::App& app, const std::vector<std::string>& words);
/// "tessera spec show"
std::string full_name(const CLI::App& command);
/// Those of its subcommands that its help lists.
std::vector<const CLI::App*> listed_commands(const CLI::App& command);

}  // namespace tessera::app
