// SPDX-License-Identifier: MIT
// Processes told apart by number, start and boot, and the lock of a run folder.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/call_record.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/run/mirror_note.h"
#include "core/run/run_folder_internal.h"

namespace tessera {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {
std::string first_line(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  return line;
}

/// What the system says of a process, from its state on; empty: there is none.
std::istringstream stat_of(std::int64_t pid) {
  const std::string stat = first_line(fmt::format("/proc/{}/stat", pid));
  const auto name_end = stat.rfind(')');  // the name itself may hold anything
  return std::istringstream(name_end == stat.npos ? "" : stat.substr(name_end + 1));
}

std::string pid_namespace() {
  std::error_code error;
  return fs::read_symlink("/proc/self/ns/pid", error).string();
}
}  // namespace

ProcessId this_process() {
  return {.pid = ::getpid(),
          .start_ticks = process_start_ticks(::getpid()),
          .host = host_name(),
          .boot_id = boot_id(),
          .pid_namespace = pid_namespace()};
}

Liveness liveness_of(const ProcessId& process) {
  if (process.host != host_name()) return Liveness::OtherHost;
  if (process.boot_id != boot_id()) return Liveness::Dead;
  if (process.pid_namespace != pid_namespace()) return Liveness::OtherHost;
  const std::int64_t ticks = process_start_ticks(process.pid);
  return ticks != 0 && ticks == process.start_ticks ? Liveness::Alive : Liveness::Dead;
}

namespace run_folder {

bool is_suspended(const ProcessId& process) {
  std::string state;
  stat_of(process.pid) >> state;
  return state == "T";
}

json process_to_json(const ProcessId& p) {
  return {{"pid", p.pid},
          {"start_ticks", p.start_ticks},
          {"host", p.host},
          {"boot_id", p.boot_id},
          {"pid_namespace", p.pid_namespace}};
}

std::optional<ProcessId> read_process(const fs::path& path, json* rest) {
  try {
    json j = json::parse(read_file(path, 1 << 16));
    ProcessId p{j.at("pid"), j.at("start_ticks"), j.at("host"), j.at("boot_id"),
                j.at("pid_namespace")};
    if (rest) *rest = std::move(j);
    return p;
  } catch (const Error&) {
    return {};  // none yet
  } catch (const json::exception&) {
    return {};  // written atomically, so only a foreign hand can have spoilt it
  }
}

std::string exit_reason(const fs::path& folder, const ProcessId& process) {
  json exit;
  const auto ended = read_process(folder / "exit.json", &exit);
  if (ended == process && exit.contains("wait_status") && exit["wait_status"].is_number_integer()) {
    const int status = exit["wait_status"].get<int>();
    if (WIFSIGNALED(status)) {
      const int signal = WTERMSIG(status);
      return fmt::format("killed by signal {} ({})", signal, ::strsignal(signal));
    }
    if (WIFEXITED(status)) {
      return fmt::format("ended with exit status {} and without a last word", WEXITSTATUS(status));
    }
  }
  return fmt::format("killed: process {} on {} is gone without a last word", process.pid,
                     process.host);
}
}  // namespace run_folder

std::optional<ProcessId> process_of(const RunFolder& folder) {
  return run_folder::read_process(folder.path() / "process.json", nullptr);
}

void record_exit(const RunFolder& folder, const ProcessId& process, int wait_status) {
  json exit = run_folder::process_to_json(process);
  exit["wait_status"] = wait_status;
  write_file_atomically(folder.path() / "exit.json", exit.dump(1) + "\n");
}

namespace {
[[noreturn]] void refuse(const RunFolder& folder) {
  const auto holder = run_folder::read_process(folder.path() / "process.json", nullptr);
  throw Error(folder.path().string(),
              holder ? fmt::format("is in use by process {} on {}", holder->pid, holder->host)
                     : "is in use by another process",
              "stop that run first");
}
}  // namespace

RunLock::RunLock(const RunFolder& folder) {
  if (const auto mirror = MirrorNote::load(folder.path())) {
    throw Error(folder.id(),
                fmt::format("is the copy of a run on {}, and cannot go on here", mirror->host),
                fmt::format("`tessera launch --resume {} --hosts {}` goes on with it there; "
                            "`tessera resume {} --fork` goes on here, as a new run",
                            mirror->run, mirror->host, folder.id()));
  }
  const fs::path path = folder.path() / "lock";
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (file_ < 0) throw Error(path.string(), fmt::format("cannot be made: {}", strerror(errno)));
  if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    if (error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS) {
      log::warning("{}: this file system has no locks: take care to start each run only once",
                   folder.path().string());
    } else {
      ::close(file_);
      if (error == EWOULDBLOCK) refuse(folder);
      throw Error(path.string(), fmt::format("cannot be locked: {}", strerror(error)));
    }
  }
  try {
    take_requests(folder);
    write_file_atomically(folder.path() / "process.json",
                          run_folder::process_to_json(this_process()).dump(1) + "\n");
  } catch (...) {
    ::close(file_);
    throw;
  }
}

RunLock::~RunLock() {
  if (file_ >= 0) ::close(file_);
}
RunLock::RunLock(RunLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
RunLock& RunLock::operator=(RunLock&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

}  // namespace tessera
