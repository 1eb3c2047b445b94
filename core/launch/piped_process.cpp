// SPDX-License-Identifier: MIT
#include "core/launch/piped_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/error.h"

namespace tessera {

namespace {
struct PipeEnds {
  int read = -1, write = -1;
};

PipeEnds make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw Error("pipe", fmt::format("cannot be made: {}", std::strerror(errno)),
                "raise the limit of open files: ulimit -n");
  }
  return {ends[0], ends[1]};
}

void close_end(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

void take_from(int& fd, std::string& to) {
  char part[1 << 14];
  // A little at a time, so that one that talks without end does not keep the others waiting.
  for (int turn = 0; fd >= 0 && turn < 64; ++turn) {
    const ssize_t count = ::read(fd, part, sizeof part);
    if (count > 0) {
      to.append(part, static_cast<std::size_t>(count));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      close_end(fd);
    } else {
      return;
    }
  }
}

pid_t spawn_with_pipes(const std::vector<std::string>& line, int in, int out, int err) {
  std::vector<char*> argv;
  for (const std::string& word : line) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, in, 0);
  ::posix_spawn_file_actions_adddup2(&files, out, 1);
  ::posix_spawn_file_actions_adddup2(&files, err, 2);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t child = -1;
  const int error = ::posix_spawnp(&child, argv[0], &files, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&attributes);
  if (error == 0) return child;
  errno = error;
  return -1;
}
}  // namespace

PipedProcess::PipedProcess(const std::vector<std::string>& line) {
  PipeEnds in = make_pipe(), out = make_pipe(), err = make_pipe();
  pid_ = spawn_with_pipes(line, in.read, out.write, err.write);
  const int error = errno;
  close_end(in.read);
  close_end(out.write);
  close_end(err.write);
  in_ = in.write;
  out_ = out.read;
  err_ = err.read;
  if (pid_ < 0) {
    close_all();
    throw Error(line[0], fmt::format("cannot be started: {}", std::strerror(error)),
                error == ENOENT ? "install it, or put it on the PATH" : "");
  }
  for (const int fd : {in_, out_, err_}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
}

PipedProcess::PipedProcess(PipedProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      in_(std::exchange(other.in_, -1)),
      out_(std::exchange(other.out_, -1)),
      err_(std::exchange(other.err_, -1)),
      waiting_(std::move(other.waiting_)),
      closing_(other.closing_),
      ended_(other.ended_) {}

PipedProcess::~PipedProcess() {
  close_all();
  if (pid_ <= 0 || poll()) return;
  // With all that it has started: a shell's pipeline would go on without it.
  if (::kill(-pid_, SIGKILL) != 0) kill(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void PipedProcess::close_all() {
  close_end(in_);
  close_end(out_);
  close_end(err_);
}

void PipedProcess::exchange(std::string& out, std::string& err) {
  while (in_ >= 0 && !waiting_.empty()) {
    const ssize_t count = ::write(in_, waiting_.data(), waiting_.size());
    if (count > 0) {
      waiting_.erase(0, static_cast<std::size_t>(count));
    } else {
      if (errno != EAGAIN && errno != EINTR) close_end(in_);  // it reads no more
      break;
    }
  }
  if (closing_ && waiting_.empty()) close_end(in_);
  take_from(out_, out);
  take_from(err_, err);
}

std::optional<int> PipedProcess::poll() {
  if (ended_ || pid_ <= 0) return ended_;
  int status = 0;
  const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
  if (ended == pid_) ended_ = status;
  if (ended < 0 && errno == ECHILD) ended_ = 0;  // somebody else has waited for it
  return ended_;
}

void PipedProcess::kill(int signal) const {
  if (pid_ > 0 && !ended_) ::kill(pid_, signal);
}

void wait_for_any(const std::vector<const PipedProcess*>& processes, int milliseconds) {
  std::vector<pollfd> all;
  for (const PipedProcess* one : processes) {
    if (one->output() >= 0) all.push_back({one->output(), POLLIN, 0});
    if (one->errors() >= 0) all.push_back({one->errors(), POLLIN, 0});
    if (one->has_waiting()) all.push_back({one->input(), POLLOUT, 0});
  }
  ::poll(all.data(), all.size(), milliseconds);
}

}  // namespace tessera
