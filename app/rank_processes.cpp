// SPDX-License-Identifier: MIT
#include "app/rank_processes.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "app/threads.h"
#include "core/base/error.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
/// For last words of the others once one has failed.
constexpr double kLastWords_s = 7;

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

using Variables = std::vector<std::pair<std::string, std::string>>;

/// The environment of a rank: without what this program has set for its own threads.
std::vector<std::string> environment_with(const Variables& added) {
  const std::vector<std::string> own = own_thread_variables();
  std::vector<std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    const bool replaced =
        std::any_of(added.begin(), added.end(), [&](const auto& one) { return one.first == name; });
    if (!replaced && std::find(own.begin(), own.end(), name) == own.end()) all.push_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

/// Starts a program in a process group of its own, which gets SIGTERM when this one is gone.
pid_t start(std::vector<std::string> line, const Variables& added, const fs::path& log) {
  std::vector<std::string> environment = environment_with(added);
  const std::vector<char*> argv = pointers(line), envp = pointers(environment);
  const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (out < 0) throw Error(log.string(), fmt::format("cannot be opened: {}", strerror(errno)));
  const int in = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    // Only what may be called between fork and exec.
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(127);
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ}) ::signal(number, SIG_DFL);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  const int error = errno;
  ::close(out);
  if (in >= 0) ::close(in);
  if (child < 0) throw Error(line[0], fmt::format("cannot be started: {}", strerror(error)));
  ::setpgid(child, child);  // here as well: whoever comes first
  return child;
}

fs::path program_on_path(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string rest = path ? path : "/usr/bin:/bin";
  while (!rest.empty()) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    const fs::path candidate = fs::path(rest.substr(0, colon)) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest.erase(0, colon + 1);
  }
  return {};
}

/// A port that was free a moment ago.
int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const bool ok =
      socket >= 0 && ::bind(socket, any, length) == 0 && ::getsockname(socket, any, &length) == 0;
  if (socket >= 0) ::close(socket);
  if (!ok) throw Error("ranks", fmt::format("no port can be had: {}", strerror(errno)));
  return ntohs(address.sin_port);
}
}  // namespace

std::string RanksEnd::text() const {
  if (WIFSIGNALED(wait_status)) {
    const int number = WTERMSIG(wait_status);
    return fmt::format("killed by signal {} ({})", number, ::strsignal(number));
  }
  const int status = WEXITSTATUS(wait_status);
  // As shells do, mpirun adds 128 to the signal that ended a rank.
  if (status > 128 && status < 128 + NSIG) {
    return fmt::format("killed by signal {} ({})", status - 128, ::strsignal(status - 128));
  }
  return fmt::format("ended with exit status {}", status);
}

RankProcesses RankProcesses::with_mpirun(int count, const std::string& program,
                                         const std::vector<std::string>& arguments,
                                         const fs::path& log) {
  const fs::path mpirun = program_on_path("mpirun");
  if (mpirun.empty()) {
    throw Error("ranks", "mpirun, which starts and connects them, was not found",
                "apt-get install openmpi-bin; or train on one rank");
  }
  // Every rank may use every processor, and takes its share of threads. What mpirun would say of
  // ranks that end is told by the program itself.
  std::vector<std::string> line = {mpirun.string(), "--quiet", "--oversubscribe", "--bind-to",
                                   "none"};
  if (::geteuid() == 0) line.push_back("--allow-run-as-root");
  line.insert(line.end(), {"-n", std::to_string(count), program});
  line.insert(line.end(), arguments.begin(), arguments.end());
  RankProcesses processes;
  processes.running_.push_back(start(line, {}, log));
  return processes;
}

RankProcesses RankProcesses::by_variables(int count, const std::string& program,
                                          const std::vector<std::string>& arguments,
                                          const fs::path& log) {
  std::vector<std::string> line = {program};
  line.insert(line.end(), arguments.begin(), arguments.end());
  const std::string size = std::to_string(count), port = std::to_string(free_port());
  RankProcesses processes;
  for (int rank = 0; rank < count; ++rank) {
    const std::string number = std::to_string(rank);
    processes.running_.push_back(start(line,
                                       {{"RANK", number},
                                        {"WORLD_SIZE", size},
                                        {"LOCAL_RANK", number},
                                        {"LOCAL_WORLD_SIZE", size},
                                        {"MASTER_ADDR", "127.0.0.1"},
                                        {"MASTER_PORT", port}},
                                       log));
  }
  return processes;
}

RankProcesses::~RankProcesses() {
  if (!running_.empty()) end(2);
}

void RankProcesses::signal_all(int number) const {
  for (const pid_t leader : running_) {
    ::kill(leader, number);
    if (number == SIGKILL) ::kill(-leader, number);
  }
}

std::optional<RanksEnd> RankProcesses::poll() {
  for (std::size_t i = 0; i < running_.size();) {
    int status = 0;
    const pid_t ended = ::waitpid(running_[i], &status, WNOHANG);
    if (ended == 0) {
      ++i;
      continue;
    }
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
    if (status == 0 || failed_) continue;
    failed_ = true;
    failed_at_s_ = now_s();
    end_.wait_status = status;
  }
  if (running_.empty()) return end_;
  if (failed_ && now_s() - failed_at_s_ > kLastWords_s) return end(2);
  return {};
}

RanksEnd RankProcesses::end(double seconds) {
  const double start = now_s();
  signal_all(SIGTERM);
  bool killed = false;
  while (true) {
    for (std::size_t i = 0; i < running_.size();) {
      int status = 0;
      if (::waitpid(running_[i], &status, WNOHANG) == 0) {
        ++i;
        continue;
      }
      if (end_.wait_status == 0) end_.wait_status = status;
      running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (running_.empty()) return end_;
    if (!killed && now_s() - start > seconds) {
      signal_all(SIGKILL);
      killed = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace tessera::app
