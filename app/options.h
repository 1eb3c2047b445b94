// SPDX-License-Identifier: MIT
// Checks of option values that name what is allowed. The parser itself takes "-1" for a seed and
// cuts a number that is too large down to the largest; these do not.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>

namespace tessera::app {

inline constexpr std::int64_t kNoUpperLimit = std::numeric_limits<std::int64_t>::max();

/// A whole number within [least, most]. `besides` is one more value that is allowed, with its
/// meaning: "-1 (no limit)".
CLI::Validator whole_number(std::int64_t least, std::int64_t most = kNoUpperLimit);
CLI::Validator whole_number_or(std::int64_t besides, const std::string& meaning,
                               std::int64_t least);
/// A number within [least, most]; `above_least`: `least` itself is not allowed.
CLI::Validator number(double least, double most, bool above_least = false);
/// A file that can be written: its folder is there. An option that is given in vain is told before
/// hours of work end with it.
CLI::Validator file_to_write();
/// A text of one character or more.
CLI::Validator some_text();

/// Every option of a command and of its subcommands that takes a number refuses what is none, what
/// is not finite, and what is too large to be kept.
void check_numbers(CLI::App& app);

}  // namespace tessera::app
