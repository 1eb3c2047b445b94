// SPDX-License-Identifier: MIT
#include "core/tokenizer/child_process.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>

#include "core/base/error.h"

namespace tessera {

namespace {

constexpr int kPollMs = 100;

class Pipe {
 public:
  Pipe() {
    if (::pipe(ends_.data()) != 0)
      throw Error("tokenizer", fmt::format("no pipe to a child: {}", std::strerror(errno)),
                  "close other programs, or raise the limit of open files (ulimit -n)");
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void close_end(int which) {
    int& end = ends_[static_cast<std::size_t>(which)];
    if (end >= 0) ::close(end);
    end = -1;
  }
  /// Appends what is there; false at the end.
  bool read_some(std::string& to) const {
    std::array<char, 1 << 16> part;
    const ssize_t got = ::read(read_end(), part.data(), part.size());
    if (got > 0) to.append(part.data(), static_cast<std::size_t>(got));
    return got > 0 || (got < 0 && errno == EINTR);
  }

 private:
  std::array<int, 2> ends_ = {-1, -1};
};

bool write_all(int fd, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t done = ::write(fd, text.data() + at, text.size() - at);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return false;
    at += static_cast<std::size_t>(done);
  }
  return true;
}

[[noreturn]] void be_the_child(const std::function<std::string()>& work, pid_t parent, Pipe& output,
                               Pipe& errors) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // the parent had ended before the line above
  // What a terminal or a cluster sends to the whole group is the parent's to answer.
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_IGN);
  ::dup2(errors.write_end(), STDERR_FILENO);
  output.close_end(0);
  errors.close_end(0);
  // SentencePiece calls exit() on some inputs: what this process has set up to run then is not for
  // its copy.
  std::atexit([] { ::_exit(1); });
  int status = 1;
  try {
    if (write_all(output.write_end(), work())) status = 0;
  } catch (const std::exception& error) {
    write_all(STDERR_FILENO, std::string(error.what()) + "\n");
  }
  ::_exit(status);
}

/// Ends the child, when it has not ended, and takes its status.
class Child {
 public:
  explicit Child(pid_t id) : id_(id) {}
  ~Child() { kill(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void kill() {
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    wait();
  }
  int wait() {
    int status = 0;
    while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
    id_ = -1;
    return status;
  }

 private:
  pid_t id_;
};

std::string failure_of(int status) {
  if (WIFSIGNALED(status))
    return fmt::format("ended by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  const int code = WEXITSTATUS(status);
  return code == 0 ? std::string() : fmt::format("ended with status {}", code);
}

/// Hands on the whole lines at the front of `text`; at the end of the stream the rest, too.
void take_lines(std::string& text, bool all, ChildResult& result, const ChildOptions& options) {
  const auto hand_on = [&](std::string line) {
    if (line.empty()) return;
    if (options.error_line) options.error_line(line);
    result.last_words = std::move(line);
  };
  for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1))
    hand_on(text.substr(0, end));
  if (all) hand_on(text);
}

}  // namespace

ChildResult run_in_child(const std::function<std::string()>& work, const ChildOptions& options) {
  Pipe output, errors;
  const pid_t parent = ::getpid();
  // NOTE: what waits in the buffers would be written twice, since cerr flushes cout in the child,
  // too.
  std::cout.flush();
  std::fflush(stdout);
  const pid_t id = ::fork();
  if (id < 0)
    throw Error("tokenizer", fmt::format("no child process: {}", std::strerror(errno)),
                "free memory, or raise the limit of processes (ulimit -u)");
  if (id == 0) be_the_child(work, parent, output, errors);
  Child child(id);
  output.close_end(1);
  errors.close_end(1);
  ChildResult result;
  std::string text;
  std::array<pollfd, 2> streams = {
      {{output.read_end(), POLLIN, 0}, {errors.read_end(), POLLIN, 0}}};
  while (streams[0].fd >= 0 || streams[1].fd >= 0) {
    if (options.stopped && options.stopped()) {
      child.kill();
      result.stopped = true;
      result.output.clear();
      return result;
    }
    if (::poll(streams.data(), streams.size(), kPollMs) <= 0) continue;
    if (streams[0].revents && !output.read_some(result.output)) streams[0].fd = -1;
    if (streams[1].revents && !errors.read_some(text)) streams[1].fd = -1;
    take_lines(text, streams[1].fd < 0, result, options);
  }
  result.failure = failure_of(child.wait());
  if (!result.failure.empty()) result.output.clear();
  return result;
}

}  // namespace tessera
