// SPDX-License-Identifier: MIT
#include "core/launch/detached_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/base/error.h"

namespace tessera {

namespace {
struct Attributes {
  posix_spawnattr_t value{};
  Attributes() {
    ::posix_spawnattr_init(&value);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&value, &none);
    ::posix_spawnattr_setsigdefault(&value, &all);
    ::posix_spawnattr_setflags(&value,
                               POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Attributes() { ::posix_spawnattr_destroy(&value); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
};

struct Files {
  posix_spawn_file_actions_t value{};
  explicit Files(const std::filesystem::path& log) {
    ::posix_spawn_file_actions_init(&value);
    ::posix_spawn_file_actions_addopen(&value, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&value, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
    ::posix_spawn_file_actions_adddup2(&value, 1, 2);
    ::posix_spawn_file_actions_addclosefrom_np(&value, 3);
  }
  ~Files() { ::posix_spawn_file_actions_destroy(&value); }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;
};
}  // namespace

pid_t start_detached(const std::string& program, const std::vector<std::string>& arguments,
                     const std::filesystem::path& log) {
  std::vector<char*> argv = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const Attributes attributes;
  const Files files(log);
  pid_t child = -1;
  const int error =
      ::posix_spawn(&child, program.c_str(), &files.value, &attributes.value, argv.data(), environ);
  if (error != 0) {
    throw Error(program, fmt::format("cannot be started: {}", std::strerror(error)));
  }
  return child;
}

std::optional<int> end_of(pid_t child) {
  int status = 0;
  const pid_t ended = ::waitpid(child, &status, WNOHANG);
  if (ended == child) return status;
  if (ended < 0 && errno == ECHILD) return 0;  // somebody else has waited for it
  return {};
}

int exit_code_of(int wait_status) {
  if (WIFSIGNALED(wait_status)) return 128 + WTERMSIG(wait_status);
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0;
}

}  // namespace tessera
