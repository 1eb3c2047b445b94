// SPDX-License-Identifier: MIT
// TCP connections by name: all addresses of both families are tried, and errors name each.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace tessera {

/// Owns a file descriptor. Move only.
class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket();
  int fd() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Where a server listens: a name or an address of either family, and a port.
struct Endpoint {
  std::string name;
  int port = 0;
  /// "node7 port 29500".
  std::string describe() const;
};

using Deadline = std::chrono::steady_clock::time_point;
inline Deadline deadline_in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}

/// A connection that does not block. The server may come later: addresses are tried again until the
/// deadline. Throws Error then, with what became of each address.
Socket connect_to(const Endpoint& server, Deadline deadline);

/// For connections of either side: messages go at once, and a peer whose host is gone is noticed
/// within ten seconds.
void set_stream_options(int fd);

/// Sockets that listen where the endpoint's name leads to: on this machine alone where the name is
/// one of its loopback addresses, else on every address. Port 0 takes a free one; `port` is the one
/// taken. Throws Error where the port is in use, naming who has it where that can be seen.
std::vector<Socket> listen_at(const Endpoint& endpoint, int& port);

/// "process 4711 (python3)": who listens on a port of this machine; empty where nobody does, or
/// where it is another user's.
std::string holder_of_port(int port);

}  // namespace tessera
