// SPDX-License-Identifier: MIT
#include "distributed/store/endpoint.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <thread>

#include "core/base/call_record.h"
#include "core/base/error.h"

namespace tessera {

namespace {
using namespace std::chrono_literals;
using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Addresses look_up(const Endpoint& endpoint, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(endpoint.port);
  const int status = ::getaddrinfo(endpoint.name.c_str(), port.c_str(), &hints, &found);
  if (status != 0) {
    throw Error("ranks",
                fmt::format("host {} cannot find the name \"{}\" (MASTER_ADDR): {}", host_name(),
                            endpoint.name, ::gai_strerror(status)),
                "name the first host as every host knows it, or give its address");
  }
  return {found, ::freeaddrinfo};
}

std::string text_of(const sockaddr* address, socklen_t length) {
  char text[NI_MAXHOST];
  if (::getnameinfo(address, length, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) {
    return "an address that cannot be printed";
  }
  return text;
}

/// Whether all addresses are of the machine that asks.
bool is_loopback(const addrinfo* first) {
  for (const addrinfo* a = first; a; a = a->ai_next) {
    if (a->ai_family == AF_INET) {
      const auto* v4 = reinterpret_cast<const sockaddr_in*>(a->ai_addr);
      if ((ntohl(v4->sin_addr.s_addr) >> 24) != 127) return false;
    } else {
      const auto* v6 = reinterpret_cast<const sockaddr_in6*>(a->ai_addr);
      if (!IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr)) return false;
    }
  }
  return true;
}

/// "localhost", or an address and no name.
bool means_this_machine(const std::string& name) {
  in6_addr ignored;
  return name == "localhost" || ::inet_pton(AF_INET, name.c_str(), &ignored) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), &ignored) == 1;
}

void set_option(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);  // what a system lacks it does without
}

/// Connects or says why not.
Socket connect_once(const addrinfo& address, Deadline deadline, std::string& problem) {
  Socket socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) {
    problem = std::strerror(errno);
    return {};
  }
  if (::connect(socket.fd(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) {
      problem = std::strerror(errno);
      return {};
    }
    // An address that swallows packets leaves time for the others.
    const Deadline until = std::min(deadline, deadline_in(5s));
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    pollfd wait{socket.fd(), POLLOUT, 0};
    if (::poll(&wait, 1, std::max(1, static_cast<int>(left.count()))) <= 0) {
      problem = "no answer";
      return {};
    }
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      problem = std::strerror(error);
      return {};
    }
  }
  set_stream_options(socket.fd());
  return socket;
}

[[noreturn]] void throw_in_use(int port, const char* what) {
  const std::string holder = holder_of_port(port);
  throw Error("ranks",
              fmt::format("host {} cannot listen on port {} (MASTER_PORT): {}{}", host_name(), port,
                          what, holder.empty() ? "" : ", by " + holder),
              "end that process, or choose another MASTER_PORT");
}

Socket listen_on(const sockaddr* address, socklen_t length, bool both_families) {
  Socket socket(::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return {};
  set_option(socket.fd(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (address->sa_family == AF_INET6) {
    set_option(socket.fd(), IPPROTO_IPV6, IPV6_V6ONLY, both_families ? 0 : 1);
  }
  if (::bind(socket.fd(), address, length) != 0 || ::listen(socket.fd(), 4096) != 0) return {};
  return socket;
}

int port_of(const Socket& socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  ::getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

std::vector<Socket> listen_on_loopback(const addrinfo* first, int& port) {
  std::vector<Socket> sockets;
  std::string problem;
  for (const addrinfo* a = first; a; a = a->ai_next) {
    sockaddr_storage address{};
    std::memcpy(&address, a->ai_addr, a->ai_addrlen);
    // A port that the first address was given is asked for at the others.
    if (a->ai_family == AF_INET) {
      reinterpret_cast<sockaddr_in&>(address).sin_port = htons(static_cast<std::uint16_t>(port));
    } else {
      reinterpret_cast<sockaddr_in6&>(address).sin6_port = htons(static_cast<std::uint16_t>(port));
    }
    Socket socket = listen_on(reinterpret_cast<const sockaddr*>(&address), a->ai_addrlen, false);
    if (socket) {
      port = port_of(socket);
      sockets.push_back(std::move(socket));
    } else if (errno == EADDRINUSE) {
      throw_in_use(port, "it is in use");
    } else {  // localhost may name a family that this machine has switched off
      problem = std::strerror(errno);
    }
  }
  if (sockets.empty()) throw_in_use(port, problem.c_str());
  return sockets;
}
}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

void set_stream_options(int fd) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 4);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 2);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 10000);
}

std::string Endpoint::describe() const {
  return fmt::format("{} port {}", name, port);
}

Socket connect_to(const Endpoint& server, Deadline deadline) {
  for (;;) {
    std::vector<std::string> problems;
    const Addresses addresses = look_up(server, 0);
    for (const addrinfo* a = addresses.get(); a; a = a->ai_next) {
      std::string problem;
      Socket socket = connect_once(*a, deadline, problem);
      if (socket) return socket;
      problems.push_back(text_of(a->ai_addr, a->ai_addrlen) + ": " + problem);
    }
    if (std::chrono::steady_clock::now() + 100ms >= deadline) {
      throw Error("ranks",
                  fmt::format("host {} cannot reach rank 0 at {} ({})", host_name(),
                              server.describe(), fmt::join(problems, "; ")),
                  is_loopback(addresses.get())
                      ? "every host is that to itself: where ranks run on several hosts, "
                        "MASTER_ADDR is to name the first of them"
                      : "rank 0 must run there, and no firewall stand between (MASTER_ADDR, "
                        "MASTER_PORT)");
    }
    std::this_thread::sleep_for(100ms);
  }
}

std::vector<Socket> listen_at(const Endpoint& endpoint, int& port) {
  port = endpoint.port;
  const Addresses addresses = look_up(endpoint, AI_PASSIVE);
  // A host's own name may lead to its loopback too (Debian's 127.0.1.1), and others come by it.
  if (is_loopback(addresses.get()) && means_this_machine(endpoint.name)) {
    return listen_on_loopback(addresses.get(), port);
  }
  sockaddr_in6 any6{};
  any6.sin6_family = AF_INET6;
  any6.sin6_addr = in6addr_any;
  any6.sin6_port = htons(static_cast<std::uint16_t>(port));
  sockaddr_in any4{};
  any4.sin_family = AF_INET;
  any4.sin_port = any6.sin6_port;
  Socket socket = listen_on(reinterpret_cast<const sockaddr*>(&any6), sizeof any6, true);
  if (!socket && errno != EADDRINUSE) {  // no IPv6 here
    socket = listen_on(reinterpret_cast<const sockaddr*>(&any4), sizeof any4, false);
  }
  if (!socket) throw_in_use(port, errno == EADDRINUSE ? "it is in use" : std::strerror(errno));
  port = port_of(socket);
  std::vector<Socket> sockets;
  sockets.push_back(std::move(socket));
  return sockets;
}

namespace {
/// The inodes of sockets that listen on the port.
std::set<std::string> listening_inodes(int port) {
  std::set<std::string> inodes;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream lines(table);
    std::string line;
    std::getline(lines, line);  // titles
    while (std::getline(lines, line)) {
      std::istringstream words(line);
      std::string word[10];
      for (std::string& w : word) words >> w;
      const std::size_t colon = word[1].rfind(':');
      constexpr const char* kListening = "0A";
      if (colon == std::string::npos || word[3] != kListening) continue;
      if (std::stoi(word[1].substr(colon + 1), nullptr, 16) == port) inodes.insert(word[9]);
    }
  }
  return inodes;
}

bool has_open(const std::filesystem::path& process, const std::set<std::string>& inodes) {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(process / "fd", none)) {
    const std::string target = std::filesystem::read_symlink(entry.path(), none).string();
    if (!target.starts_with("socket:[") || !target.ends_with("]")) continue;
    if (inodes.contains(target.substr(8, target.size() - 9))) return true;
  }
  return false;
}
}  // namespace

std::string holder_of_port(int port) {
  const std::set<std::string> inodes = listening_inodes(port);
  if (inodes.empty()) return {};
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", none)) {
    const std::string pid = entry.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (!has_open(entry.path(), inodes)) continue;
    std::string name;
    std::ifstream comm(entry.path() / "comm");
    std::getline(comm, name);
    return fmt::format("process {} ({})", pid, name);
  }
  return {};
}

}  // namespace tessera
