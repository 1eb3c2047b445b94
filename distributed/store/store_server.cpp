// SPDX-License-Identifier: MIT
#include "distributed/store/store_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <map>
#include <thread>

#include "core/base/error.h"
#include "core/base/log.h"
#include "distributed/store/store_state.h"

namespace tessera {

using namespace std::chrono_literals;

class StoreServer::Impl {
 public:
  Impl(const Endpoint& at, int ranks)
      : listeners_(listen_at(at, port_)),
        wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        state_(ranks, [this](int to, std::string answer) { queue(to, std::move(answer)); }),
        thread_([this] { serve(); }) {}

  ~Impl() {
    ends_ = true;
    const std::uint64_t one = 1;
    // A full counter wakes the thread as well.
    [[maybe_unused]] const auto written = ::write(wake_.fd(), &one, sizeof one);
    thread_.join();
  }

  int port() const { return port_; }

 private:
  struct Connection {
    Socket socket;
    std::string in, out;
    bool greeted = false, broken = false;
    Deadline greets_until;
  };

  void serve() {
    std::optional<Deadline> last;
    for (;;) {
      if (ends_ && !last) last = deadline_in(10s);
      if (last && (is_done() || std::chrono::steady_clock::now() >= *last)) return;
      wait_for_something();
      accept_all();
      const Deadline now = std::chrono::steady_clock::now();
      for (auto& [number, connection] : connections_) read(number, connection, now);
      state_.end_waiting(now);
      for (auto& [number, connection] : connections_) write(connection);
      drop_broken(now);
    }
  }

  bool is_done() const {
    if (!state_.is_empty() || state_.owes_the_reason()) return false;
    return std::all_of(connections_.begin(), connections_.end(),
                       [](const auto& c) { return c.second.out.empty(); });
  }

  void wait_for_something() {
    std::vector<pollfd> all{{wake_.fd(), POLLIN, 0}};
    for (const Socket& listener : listeners_) all.push_back({listener.fd(), POLLIN, 0});
    for (const auto& [number, c] : connections_) {
      all.push_back(
          {c.socket.fd(), static_cast<short>(c.out.empty() ? POLLIN : POLLIN | POLLOUT), 0});
    }
    auto most = std::chrono::milliseconds(ends_ ? 50 : 1000);
    if (const auto next = state_.next_deadline()) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(*next - std::chrono::steady_clock::now());
      most = std::clamp(left, 0ms, most);
    }
    ::poll(all.data(), all.size(), static_cast<int>(most.count()));
    std::uint64_t count = 0;
    [[maybe_unused]] const auto ignored = ::read(wake_.fd(), &count, sizeof count);
  }

  void accept_all() {
    for (const Socket& listener : listeners_) {
      for (;;) {
        const int fd = ::accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) break;
        set_stream_options(fd);
        connections_[next_number_++] = {Socket(fd), "",    std::string(wire::kGreeting),
                                        false,      false, deadline_in(5s)};
      }
    }
  }

  void read(int number, Connection& c, Deadline now) {
    char part[1 << 16];
    // A little of each, so that nobody keeps the others waiting.
    for (int turn = 0; turn < 64; ++turn) {
      const ssize_t count = ::recv(c.socket.fd(), part, sizeof part, 0);
      if (count > 0) {
        c.in.append(part, static_cast<std::size_t>(count));
        continue;
      }
      c.broken |= count == 0 || (errno != EAGAIN && errno != EINTR);
      break;
    }
    try {
      if (!c.greeted && !greet(c)) return;
      // Before it has joined, a stranger does not make the store keep much.
      const auto most = [&] {
        return state_.has_joined(number) ? wire::kMostBytes : wire::kMostGreetingBytes;
      };
      while (const auto message = wire::take_message(c.in, most())) {
        state_.handle(number, *message, now);
      }
    } catch (const Error& error) {
      log::warning("the store closes a connection: {}", error.what_failed());
      c.broken = true;
    }
  }

  /// False while the greeting is not whole.
  static bool greet(Connection& c) {
    const std::size_t known = std::min(c.in.size(), wire::kGreeting.size());
    require(c.in.compare(0, known, wire::kGreeting, 0, known) == 0, "ranks",
            "a stranger, or another version of tessera, has connected");
    if (known < wire::kGreeting.size()) return false;
    c.in.erase(0, known);
    return c.greeted = true;
  }

  static void write(Connection& c) {
    while (!c.out.empty()) {
      const ssize_t count = ::send(c.socket.fd(), c.out.data(), c.out.size(), MSG_NOSIGNAL);
      if (count < 0) {
        c.broken |= errno != EAGAIN && errno != EINTR;
        return;
      }
      c.out.erase(0, static_cast<std::size_t>(count));
    }
  }

  void drop_broken(Deadline now) {
    for (auto at = connections_.begin(); at != connections_.end();) {
      const Connection& c = at->second;
      const bool silent = !state_.has_joined(at->first) && now >= c.greets_until;
      if (!c.broken && !silent) {
        ++at;
        continue;
      }
      const int number = at->first;
      at = connections_.erase(at);
      state_.closed(number);
    }
  }

  void queue(int to, std::string answer) {
    const auto found = connections_.find(to);
    if (found != connections_.end()) found->second.out += answer;
  }

  int port_ = 0;
  std::vector<Socket> listeners_;
  Socket wake_;
  std::map<int, Connection> connections_;
  int next_number_ = 0;
  StoreState state_;
  std::atomic<bool> ends_{false};
  std::thread thread_;  // last: it uses all the others
};

StoreServer::StoreServer(const Endpoint& at, int ranks)
    : impl_(std::make_unique<Impl>(at, ranks)) {}

StoreServer::~StoreServer() = default;

int StoreServer::port() const {
  return impl_->port();
}

}  // namespace tessera
