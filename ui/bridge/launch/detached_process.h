// SPDX-License-Identifier: MIT
// Starting a program that outlives this one, and hearing how it ended as long as this one lives.
// QProcess offers either.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tessera::ui {

/// Starts a program in a session and process group of its own, with nothing to read and with both
/// outputs appended to `log`. Returns its number. Throws Error when it cannot be started.
pid_t startDetached(const std::string& program, const std::vector<std::string>& arguments,
                    const std::filesystem::path& log);

/// The wait status of a child that has ended; nothing while it runs.
std::optional<int> endOf(pid_t child);

/// Exit status, or 128 + the signal that ended it.
int exitCodeOf(int waitStatus);

}  // namespace tessera::ui
