// SPDX-License-Identifier: MIT
#include "distributed/store/store_client.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "core/base/call_record.h"
#include "core/base/error.h"
#include "distributed/store/wire.h"

namespace tessera {

using wire::Answer, wire::Ask, wire::Reader, wire::Writer;
using namespace std::chrono_literals;

namespace {
using Clock = std::chrono::steady_clock;

/// How long the store may take for what it need not wait for, and beyond the time that it waits.
constexpr auto kAnswerTime = 30s, kExtraTime = 4s;

int milliseconds_until(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1 << 30));
}

/// One connection, with the bytes that have come and are not read yet.
class Line {
 public:
  explicit Line(const Endpoint& server, Deadline deadline)
      : server_(server), socket_(connect_to(server, deadline)) {
    send(wire::kGreeting, deadline);
    while (in_.size() < wire::kGreeting.size()) {
      if (!receive(deadline, -1)) throw_stranger("it does not answer");
      const std::size_t known = std::min(in_.size(), wire::kGreeting.size());
      if (in_.compare(0, known, wire::kGreeting, 0, known) != 0) {
        throw_stranger("it is another program, or another version of tessera");
      }
    }
    in_.erase(0, wire::kGreeting.size());
  }

  int fd() const { return socket_.fd(); }

  void send(std::string_view bytes, Deadline deadline) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(count));
      } else if (errno == EAGAIN || errno == EINTR) {
        pollfd wait{fd(), POLLOUT, 0};
        if (::poll(&wait, 1, milliseconds_until(deadline)) == 0)
          throw_lost("takes nothing any more");
      } else {
        throw_lost(std::strerror(errno));
      }
    }
  }

  /// Waits for more bytes. False where none came before the deadline, or `wake` was written to.
  bool receive(Deadline deadline, int wake) {
    for (;;) {
      char part[1 << 16];
      const ssize_t count = ::recv(fd(), part, sizeof part, 0);
      if (count > 0) {
        in_.append(part, static_cast<std::size_t>(count));
        return true;
      }
      if (count == 0) throw_lost("has closed the connection");
      if (errno != EAGAIN && errno != EINTR) throw_lost(std::strerror(errno));
      pollfd wait[] = {{fd(), POLLIN, 0}, {wake, POLLIN, 0}};
      const int ready = ::poll(wait, wake >= 0 ? 2 : 1, milliseconds_until(deadline));
      if (ready == 0 || (ready > 0 && wait[0].revents == 0)) return false;
    }
  }

  std::optional<std::string> message() { return wire::take_message(in_); }

  [[noreturn]] void throw_lost(const char* what) const {
    throw Error("ranks",
                fmt::format("rank 0 is lost: its store at {} {}", server_.describe(), what));
  }

 private:
  [[noreturn]] void throw_stranger(const char* what) const {
    throw Error(
        "ranks",
        fmt::format("what listens at {} is not rank 0's store: {}", server_.describe(), what),
        "start all ranks of a run with the same program, and with a MASTER_PORT that "
        "nobody else uses");
  }
  Endpoint server_;
  Socket socket_;
  std::string in_;
};
}  // namespace

class StoreClient::Impl {
 public:
  Impl(const Endpoint& server, int rank, int size, Patience patience)
      : server_(server),
        rank_(rank),
        size_(size),
        line_(server, deadline_in(patience)),
        watch_(server, deadline_in(patience)),
        wake_main_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        wake_watch_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    join(line_, /*watches=*/false);
    join(watch_, /*watches=*/true);
    watcher_ = std::thread([this] { watch(); });
  }

  ~Impl() {
    ends_ = true;
    wake(wake_watch_);
    watcher_.join();
    try {
      line_.send(Writer(Ask::Leave).take(), deadline_in(1s));
      watch_.send(Writer(Ask::Leave).take(), deadline_in(1s));
    } catch (const Error&) {
      // The store is gone: nobody is left to take leave of.
    }
  }

  /// Sends a question and waits for its answer, for which the store waits `patience` itself.
  std::string ask(std::string question, Patience patience = {}) {
    const std::lock_guard lock(one_at_a_time_);
    throw_if_aborted();
    const Deadline deadline =
        patience.count() > 0 ? deadline_in(patience + kExtraTime) : deadline_in(kAnswerTime);
    try {
      line_.send(question, deadline);
      for (;;) {
        if (auto answer = line_.message()) return checked(std::move(*answer));
        if (line_.receive(deadline, wake_main_.fd())) continue;
        throw_if_aborted();
        if (Clock::now() >= deadline) line_.throw_lost("does not answer");
      }
    } catch (const Error& error) {
      note_abort(error.what_failed());
      throw Error("ranks", aborted());
    }
  }

  void throw_if_aborted() const {
    const std::string reason = aborted();
    if (!reason.empty()) throw Error("ranks", reason);
  }

  /// The watcher says it, as this rank's other line may be waiting for an answer.
  void abort(const std::string& reason) noexcept {
    {
      std::unique_lock lock(state_);
      if (!aborted_.empty()) return;
      farewell_ = reason;
      wake(wake_watch_);
      heard_.wait_for(lock, 3s, [this] { return !aborted_.empty(); });
    }
    note_abort(reason);
  }

  std::string aborted() const {
    const std::lock_guard lock(state_);
    return aborted_;
  }

  void on_abort(std::function<void()> call) {
    {
      const std::lock_guard lock(state_);
      on_abort_ = call;
      if (aborted_.empty()) return;
    }
    call();
  }

  void doing(std::string what) {
    const std::lock_guard lock(state_);
    doing_ = std::move(what);
  }

  const Endpoint server_;
  const int rank_, size_;

 private:
  static void wake(const Socket& event) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event.fd(), &one, sizeof one);
  }

  void join(Line& line, bool watches) {
    const Deadline deadline = deadline_in(kAnswerTime);
    line.send(Writer(Ask::Join)
                  .number(rank_)
                  .number(size_)
                  .number(::getpid())
                  .text(host_name())
                  .number(watches ? 1 : 0)
                  .take(),
              deadline);
    for (;;) {
      if (const auto answer = line.message()) return void(checked(*answer));
      if (!line.receive(deadline, -1)) line.throw_lost("does not answer");
    }
  }

  /// The answer, where it is none that ends the work.
  static std::string checked(std::string answer) {
    Reader fields(answer);
    const auto kind = static_cast<Answer>(fields.kind());
    if (kind == Answer::Aborted || kind == Answer::Refused) {
      throw Error("ranks", std::string(fields.text()));
    }
    return answer;
  }

  /// The first reason stays.
  void note_abort(const std::string& reason) {
    std::function<void()> call;
    {
      const std::lock_guard lock(state_);
      if (!aborted_.empty()) return;
      aborted_ = reason;
      call = on_abort_;
    }
    heard_.notify_all();
    wake(wake_main_);
    if (call) call();
  }

  /// Says once a second that this rank lives, and hears when another one does not.
  void watch() {
    try {
      while (!ends_) {
        std::string what, farewell;
        {
          const std::lock_guard lock(state_);
          what = doing_;
          farewell = std::exchange(farewell_, {});
        }
        watch_.send(Writer(Ask::Beat).text(what).take(), deadline_in(kAnswerTime));
        if (!farewell.empty()) {
          watch_.send(Writer(Ask::Abort).text(farewell).take(), deadline_in(kAnswerTime));
        }
        if (watch_.receive(deadline_in(1s), wake_watch_.fd())) {
          while (const auto message = watch_.message()) checked(*message);
        }
        std::uint64_t count = 0;
        [[maybe_unused]] const auto ignored = ::read(wake_watch_.fd(), &count, sizeof count);
      }
    } catch (const Error& error) {
      if (!ends_) note_abort(error.what_failed());
    }
  }

  std::mutex one_at_a_time_;
  Line line_, watch_;
  Socket wake_main_, wake_watch_;
  std::atomic<bool> ends_{false};
  mutable std::mutex state_;
  std::condition_variable heard_;
  std::string aborted_, doing_, farewell_;
  std::function<void()> on_abort_;
  std::thread watcher_;
};

StoreClient::StoreClient(const Endpoint& server, int rank, int size, Patience patience)
    : impl_(std::make_unique<Impl>(server, rank, size, patience)) {}

StoreClient::~StoreClient() = default;

int StoreClient::rank() const {
  return impl_->rank_;
}
int StoreClient::size() const {
  return impl_->size_;
}
const Endpoint& StoreClient::server() const {
  return impl_->server_;
}

namespace {
/// The value of an answer; nothing where it is that the time is over.
std::optional<std::string> value_of(const std::string& answer) {
  Reader fields(answer);
  if (static_cast<Answer>(fields.kind()) == Answer::TimedOut) return {};
  return std::string(fields.text());
}
}  // namespace

void StoreClient::set(std::string_view key, std::string_view value) {
  impl_->ask(Writer(Ask::Set).text(key).text(value).take());
}

std::optional<std::string> StoreClient::get(std::string_view key, Patience patience) {
  return value_of(impl_->ask(Writer(Ask::Get).text(key).number(patience.count()).take(), patience));
}

std::optional<std::string> StoreClient::take(std::string_view key, Patience patience) {
  return value_of(
      impl_->ask(Writer(Ask::Take).text(key).number(patience.count()).take(), patience));
}

std::int64_t StoreClient::add(std::string_view key, std::int64_t number) {
  const auto value = value_of(impl_->ask(Writer(Ask::Add).text(key).number(number).take()));
  std::int64_t sum = 0;
  require(value && value->size() == sizeof sum, "ranks", "the store has no number {}", key);
  std::memcpy(&sum, value->data(), sizeof sum);
  return sum;
}

std::string StoreClient::compare_and_set(std::string_view key, std::string_view expected,
                                         std::string_view wanted) {
  return value_of(impl_->ask(Writer(Ask::Compare).text(key).text(expected).text(wanted).take()))
      .value_or("");
}

std::vector<std::string> StoreClient::gather(std::string_view key, std::int64_t index,
                                             std::int64_t count, std::string_view part,
                                             Patience patience,
                                             const std::function<void(std::vector<int>)>& missing) {
  const std::string answer = impl_->ask(Writer(Ask::Gather)
                                            .text(key)
                                            .number(index)
                                            .number(count)
                                            .number(patience.count())
                                            .text(part)
                                            .take(),
                                        patience);
  Reader fields(answer);
  if (static_cast<Answer>(fields.kind()) == Answer::TimedOut) {
    std::vector<int> who;
    while (!fields.at_end()) who.push_back(static_cast<int>(fields.number()));
    missing(who);
    throw Error("ranks", fmt::format("{} of {} ranks did not come to {}", who.size(), count, key));
  }
  std::vector<std::string> parts;
  while (!fields.at_end()) parts.emplace_back(fields.text());
  return parts;
}

std::string StoreClient::about(int rank) {
  return value_of(impl_->ask(Writer(Ask::About).number(rank).take())).value_or("");
}

void StoreClient::abort(const std::string& reason) noexcept {
  impl_->abort(reason);
}

std::string StoreClient::aborted() const {
  return impl_->aborted();
}

void StoreClient::on_abort(std::function<void()> call) {
  impl_->on_abort(std::move(call));
}

void StoreClient::doing(std::string what) {
  impl_->doing(std::move(what));
}

}  // namespace tessera
