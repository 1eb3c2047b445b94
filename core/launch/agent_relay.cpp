// SPDX-License-Identifier: MIT
// The far end of a line to an agent: see relay_agent() in agent.h.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>

#include "core/base/error.h"
#include "core/launch/agent.h"

namespace tessera {

namespace {
using Word = AgentWord::Kind;
using Clock = std::chrono::steady_clock;

/// A desk asks every few seconds; whoever is silent for so long is not there any more.
constexpr auto kSilence = std::chrono::minutes(2);
constexpr auto kLookForAgent = std::chrono::milliseconds(300);

class Relay {
 public:
  Relay(const AgentFiles& files, std::int64_t from, int in, int out)
      : files_(files),
        from_(from),
        in_(in),
        out_(out),
        journal_(::open(files.journal().c_str(), O_RDONLY | O_CLOEXEC)) {
    if (journal_ < 0) {
      throw Error(files.folder.filename().string(),
                  fmt::format("is no agent on this host: {}", std::strerror(errno)),
                  "agents forget what ended two weeks ago, and everything when the host starts "
                  "anew");
    }
  }
  ~Relay() { ::close(journal_); }
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  void run() {
    while (!ended_) {
      const bool dead = is_dead();  // before the last look at what it has written
      read_journal();
      if (!told_caught_up_ && !ended_) {
        told_caught_up_ = true;
        say({.kind = Word::CaughtUp});
      }
      if (done_) return;
      if (dead) {
        say({.kind = Word::Gone,
             .text = "the agent is gone without a last word, and its ranks end with it"});
        return;
      }
      listen();
    }
  }

 private:
  bool is_dead() {
    if (Clock::now() - looked_ < kLookForAgent) return false;
    looked_ = Clock::now();
    return !files_.is_held();
  }

  void read_journal() {
    char part[1 << 16];
    for (ssize_t count; !ended_ && (count = ::read(journal_, part, sizeof part)) > 0;) {
      text_.append(part, static_cast<std::size_t>(count));
      for (const std::string& line : take_lines(text_)) hand_on(line);
    }
  }

  void hand_on(const std::string& line) {
    try {
      const AgentWord word = word_of_line(line);
      if (word.number < from_) return;
      done_ = done_ || word.kind == Word::Done;
      send(line + "\n");
    } catch (const Error&) {
      // Half a line, from a moment when the disk was full.
    }
  }

  void say(AgentWord word) {
    word.time = clock_now();
    send(to_line(word));
  }

  void send(const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t count = ::write(out_, text.data() + at, text.size() - at);
      if (count > 0) {
        at += static_cast<std::size_t>(count);
      } else if (errno != EINTR) {
        ended_ = true;
        return;
      }
    }
  }

  void listen() {
    pollfd wait{in_, POLLIN, 0};
    if (::poll(&wait, 1, 50) > 0) {
      char part[4096];
      const ssize_t count = ::read(in_, part, sizeof part);
      if (count <= 0) ended_ = true;
      if (count > 0) asked_.append(part, static_cast<std::size_t>(count));
      heard_ = Clock::now();
    }
    for (const std::string& ask : take_lines(asked_)) carry_out(ask);
    if (Clock::now() - heard_ > kSilence) ended_ = true;
  }

  void carry_out(const std::string& ask) {
    if (ask.starts_with("ping ")) {
      int number = 0;
      std::from_chars(ask.data() + 5, ask.data() + ask.size(), number);
      return say({.kind = Word::Pong, .status = number});
    }
    const int fd = ::open(files_.asks().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return;  // the agent is gone, which is told soon
    const std::string line = ask + "\n";
    if (::write(fd, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      say({.kind = Word::Note,
           .is_error = true,
           .text = "the agent does not take what it is told"});
    }
    ::close(fd);
  }

  const AgentFiles& files_;
  std::int64_t from_;
  int in_, out_, journal_;
  std::string text_, asked_;
  Clock::time_point looked_{}, heard_ = Clock::now();
  bool told_caught_up_ = false, done_ = false, ended_ = false;
};
}  // namespace

void relay_agent(const AgentFiles& files, std::int64_t from, int in, int out) {
  Relay relay(files, from, in, out);
  relay.run();
}

}  // namespace tessera
