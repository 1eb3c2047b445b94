// SPDX-License-Identifier: MIT
// Lines for people: to standard error, or to the log file of a rank once one is set.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string_view>
#include <utility>

namespace tessera::log {

enum class Level { Info, Warning, Error };

/// One line "2026-01-31T12:00:00Z warning: text". Safe from any thread.
void write(Level level, std::string_view text);

/// Lines go to this file as well, appended. Throws Error when it cannot be opened.
void set_file(const std::filesystem::path& path);

/// Least level that is also shown on standard error; Info by default.
void set_console_level(Level level);

template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::Info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::Warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::Error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tessera::log
