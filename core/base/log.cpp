// SPDX-License-Identifier: MIT
#include "core/base/log.h"

#include <fmt/chrono.h>

#include <cstdio>
#include <ctime>
#include <memory>
#include <mutex>

#include "core/base/error.h"

namespace tessera::log {

namespace {
struct Closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
struct State {
  std::mutex mutex;
  std::unique_ptr<std::FILE, Closer> file;
  Level console = Level::Info;
};
State& state() {
  static State instance;
  return instance;
}
constexpr const char* kNames[] = {"info", "warning", "error"};
}  // namespace

void write(Level level, std::string_view text) {
  const std::string line = fmt::format("{:%Y-%m-%dT%H:%M:%SZ} {}: {}\n", fmt::gmtime(std::time({})),
                                       kNames[static_cast<int>(level)], text);
  State& s = state();
  std::lock_guard lock(s.mutex);
  if (level >= s.console) std::fputs(line.c_str(), stderr);
  if (s.file) {
    std::fputs(line.c_str(), s.file.get());
    std::fflush(s.file.get());
  }
}

void set_file(const std::filesystem::path& path) {
  std::unique_ptr<std::FILE, Closer> file(std::fopen(path.c_str(), "a"));
  if (!file) throw Error(path.string(), "cannot open the log file for appending");
  std::lock_guard lock(state().mutex);
  state().file = std::move(file);
}

void set_console_level(Level level) {
  std::lock_guard lock(state().mutex);
  state().console = level;
}

}  // namespace tessera::log
