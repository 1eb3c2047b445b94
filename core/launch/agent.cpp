// SPDX-License-Identifier: MIT
#include "core/launch/agent.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/launch/detached_process.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
constexpr auto kKeepFor = std::chrono::hours(24 * 14);
constexpr double kComesWithin_s = 20;

/// A folder that is this user's alone, as /tmp is everybody's.
void make_private(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    throw Error(folder.string(), fmt::format("cannot be made: {}", std::strerror(errno)),
                "set TESSERA_AGENTS to a folder that you may write to");
  }
  struct stat about {};
  const bool ours = ::lstat(folder.c_str(), &about) == 0 && S_ISDIR(about.st_mode) &&
                    about.st_uid == ::getuid() && (about.st_mode & 0022) == 0;
  if (!ours) {
    throw Error(folder.string(), "is not a folder that belongs to this user alone",
                "remove it, or set TESSERA_AGENTS to another folder");
  }
}

void remove_old_agents(const fs::path& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const AgentFiles files{entry.path()};
    std::error_code none;
    const auto written = fs::last_write_time(files.journal(), none);
    if (none || fs::file_time_type::clock::now() - written < kKeepFor || files.is_held()) continue;
    fs::remove_all(entry.path(), none);
  }
}

std::string tail_of(const fs::path& file) {
  std::error_code none;
  if (!fs::exists(file, none)) return "";
  std::string text = read_file(file);
  constexpr std::size_t kMost = 1000;
  if (text.size() > kMost) text.erase(0, text.size() - kMost);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}
}  // namespace

fs::path agents_folder() {
  if (const char* given = std::getenv("TESSERA_AGENTS"); given && *given) {
    std::error_code none;
    fs::create_directories(fs::path(given).parent_path(), none);
    make_private(given);
    return given;
  }
  const fs::path own = fmt::format("/tmp/tessera-{}", ::getuid());
  make_private(own);
  make_private(own / "agents");
  return own / "agents";
}

bool AgentFiles::is_held() const {
  const int fd = ::open(lock().c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool taken = ::flock(fd, LOCK_EX | LOCK_NB) == 0;
  ::close(fd);
  return !taken;
}

AgentFiles start_agent(const AgentOrder& order, const std::string& program) {
  const fs::path all = agents_folder();
  remove_old_agents(all);
  const AgentFiles files{all / order.agent_name()};
  if (::mkdir(files.folder.c_str(), 0700) != 0) {
    throw Error(files.folder.string(),
                errno == EEXIST ? "is the agent of an earlier launch with this name"
                                : fmt::format("cannot be made: {}", std::strerror(errno)),
                errno == EEXIST ? "launch again: the next launch has another name" : "");
  }
  write_file_atomically(files.order(), to_line(order));
  if (!order.spec.empty()) write_file_atomically(files.spec(), order.spec);
  if (::mkfifo(files.asks().c_str(), 0600) != 0) {
    throw Error(files.asks().string(),
                fmt::format("no named pipe can be made: {}", std::strerror(errno)),
                "set TESSERA_AGENTS to a folder on a local disk");
  }
  const pid_t agent =
      start_detached(program, {"agent", "hold", files.folder.string()}, files.log());
  const auto start = std::chrono::steady_clock::now();
  while (!fs::exists(files.journal())) {
    const bool late =
        std::chrono::steady_clock::now() - start > std::chrono::duration<double>(kComesWithin_s);
    if (end_of(agent) || late) {
      throw Error("agent", late ? "does not come" : "ended at once: " + tail_of(files.log()));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return files;
}

}  // namespace tessera
