// SPDX-License-Identifier: MIT
// Starting a program that outlives this one, and hearing how it ended as long as this one lives.
// A library call for processes usually offers only one of the two.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tessera {

/// Starts a program in a session and process group of its own, with nothing to read and with both
/// outputs appended to `log`. Returns its number. Throws Error when it cannot be started.
pid_t start_detached(const std::string& program, const std::vector<std::string>& arguments,
                     const std::filesystem::path& log);

/// The wait status of a child that has ended; nothing while it runs.
std::optional<int> end_of(pid_t child);

/// Exit status, or 128 + the signal that ended it.
int exit_code_of(int wait_status);

}  // namespace tessera
