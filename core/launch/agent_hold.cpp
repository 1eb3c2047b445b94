// SPDX-License-Identifier: MIT
// The agent's own process: see agent.h.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "core/base/call_record.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/progress.h"
#include "core/launch/agent.h"

namespace tessera {

namespace fs = std::filesystem;
using Word = AgentWord::Kind;

namespace {
/// A host that is to be switched off gives its programs half a minute or so.
constexpr double kAfterSignal_s = 25;
constexpr std::size_t kLongestLine = 1 << 16;
constexpr std::int64_t kMostOutput = std::int64_t{256} << 20;

double steady_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Appends words to a file, whole or not at all.
class Journal {
 public:
  explicit Journal(const fs::path& file)
      : fd_(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
    if (fd_ < 0) {
      throw Error(file.string(), fmt::format("cannot be made: {}", std::strerror(errno)));
    }
  }
  ~Journal() { ::close(fd_); }
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// A word that finds no room on the disk is lost, and its number with it: the run goes on.
  void say(AgentWord word) {
    word.number = next_++;
    word.time = clock_now();
    const std::string line = to_line(word);
    if (word.kind == Word::Output && !has_room_for(line)) return;
    const ssize_t count = ::write(fd_, line.data(), line.size());
    if (count == static_cast<ssize_t>(line.size())) {
      written_ += count;
    } else if (count > 0 && ::ftruncate(fd_, written_) != 0) {
      written_ += count;  // half a line stays, which readers pass over
    }
  }

 private:
  /// What ranks print is kept up to a limit, so that one that prints without end fills no disk.
  bool has_room_for(const std::string& line) {
    output_ += static_cast<std::int64_t>(line.size());
    if (output_ <= kMostOutput) return true;
    if (!told_) {
      told_ = true;
      say({.kind = Word::Note,
           .text = "the ranks have printed 256 MiB; what they print further is "
                   "not kept"});
    }
    return false;
  }

  int fd_;
  std::int64_t next_ = 0, written_ = 0, output_ = 0;
  bool told_ = false;
};

/// A rank, and the ends of its pipes that the agent holds.
struct HeldRank {
  int number = 0;
  pid_t process = -1;
  int lifeline = -1, out = -1, err = -1;
  std::string out_text, err_text;
  bool was_told = false;
  bool runs = false;
};

void shut(int& fd) {
  if (fd >= 0) ::close(fd);
  fd = -1;
}

std::vector<std::string> rank_variables(const AgentOrder& order, int local,
                                        const std::vector<std::string>& without) {
  std::map<std::string, std::string> added = order.environment;
  for (const auto& [name, value] : order.defaults) {
    if (!::getenv(name.c_str())) added.emplace(name, value);
  }
  added["RANK"] = std::to_string(order.first_rank + local);
  added["WORLD_SIZE"] = std::to_string(order.world);
  added["LOCAL_RANK"] = std::to_string(local);
  added["LOCAL_WORLD_SIZE"] = std::to_string(order.ranks);
  added["MASTER_ADDR"] = order.master_address;
  added["MASTER_PORT"] = std::to_string(order.master_port);
  added["TESSERA_LIFELINE"] = std::string("1");
  std::vector<std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    const bool own = std::find(without.begin(), without.end(), name) != without.end();
    // What another starter left would contradict these numbers.
    const bool other = name.starts_with("OMPI_COMM_WORLD_") || name.starts_with("PMI");
    if (!own && !other && !added.contains(name)) all.push_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> as_argv(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

[[noreturn]] void become(int in, int out, int err, char* const* argv, char* const* envp) {
  // Only what may be called between fork and exec.
  ::setpgid(0, 0);
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ}) ::signal(number, SIG_DFL);
  ::execve(argv[0], argv, envp);
  ::_exit(127);
}

class Agent {
 public:
  Agent(const AgentFiles& files, const HoldOptions& options)
      : files_(files),
        options_(options),
        order_(order_of_line(read_file(files.order()))),
        lock_(::open(files.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    take_folder();
    journal_.emplace(files.journal());
    journal_->say({.kind = Word::Begun, .process = ::getpid(), .text = host_name()});
  }
  ~Agent() {
    end_all(SIGKILL);
    for (HeldRank& rank : ranks_) {
      shut(rank.lifeline), shut(rank.out), shut(rank.err);
      if (rank.runs) ::waitpid(rank.process, nullptr, 0);
    }
    shut(asks_);
    shut(lock_);
  }
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  void run() {
    start_all(order_.arguments);
    hold();
    while (may_begin_again()) {
      begin_again();
      hold();
    }
    journal_->say({.kind = Word::Done});
  }

 private:
  /// NOTE: called before there is anything to end; what is open ends with the process.
  void take_folder() {
    const auto fail = [this](const std::string& what) {
      throw Error(files_.folder.string(), what,
                  "a launch has one agent on a host, in a folder that it can write: look at the "
                  "disk there, and launch again");
    };
    if (lock_ < 0) fail(fmt::format("its lock cannot be made: {}", std::strerror(errno)));
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
      fail(errno == EWOULDBLOCK ? std::string("another agent holds it")
                                : fmt::format("cannot be locked: {}", std::strerror(errno)));
    }
    asks_ = ::open(files_.asks().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (asks_ < 0) fail(fmt::format("its requests cannot be read: {}", std::strerror(errno)));
  }

  void start_all(const std::vector<std::string>& arguments) {
    for (int local = 0; local < order_.ranks; ++local) {
      try {
        start(local, arguments);
      } catch (const Error& error) {
        journal_->say({.kind = Word::Note, .is_error = true, .text = error.what()});
        failed_at_s_ = steady_s() - options_.last_words_s;
        cause_ = fmt::format("rank {} cannot be started: {}", order_.first_rank + local,
                             error.what_failed());
        journal_->say({.kind = Word::Ended,
                       .rank = order_.first_rank + local,
                       .status = 127 << 8});  // as a shell that finds no program
        break;
      }
    }
  }

  void hold() {
    while (any_runs()) {
      wait();
      for (HeldRank& rank : ranks_) listen(rank);
      take_asks();
      look_for_signal();
      look_for_run();
      for (HeldRank& rank : ranks_) reap(rank);
      keep_deadlines();
    }
    look_for_run();
  }

  /// A rank was lost, nobody asked for the end, and there is a run to go on with.
  bool may_begin_again() const {
    return restarts_ < order_.restarts && failed_at_s_ > 0 && told_run_ && !was_asked_ &&
           !signalled_;
  }

  /// From the run's newest checkpoint; ranks find it themselves.
  void begin_again() {
    ++restarts_;
    journal_->say(
        {.kind = Word::Again,
         .status = restarts_,
         .text = fmt::format("{}; restart {} of {}", cause_, restarts_, order_.restarts)});
    ranks_.clear();
    failed_at_s_ = end_at_s_ = kill_at_s_ = 0;
    cause_.clear();
    std::vector<std::string> arguments = order_.again;
    for (std::string& argument : arguments) {
      if (argument == "{run}") argument = run_;
    }
    start_all(arguments);
  }

  void start(int local, const std::vector<std::string>& arguments) {
    std::vector<std::string> line = {options_.program};
    for (std::string argument : arguments) {
      if (argument == "{spec}") argument = files_.spec().string();
      if (argument == "{run-file}") argument = files_.run().string();
      line.push_back(std::move(argument));
    }
    std::vector<std::string> variables = rank_variables(order_, local, options_.own_variables);
    const std::vector<char*> argv = as_argv(line), envp = as_argv(variables);
    int in[2], out[2], err[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0 ||
        ::pipe2(err, O_CLOEXEC) != 0) {
      throw Error("rank", fmt::format("no pipe can be made for it: {}", std::strerror(errno)),
                  "raise the limit of open files on this host: ulimit -n");
    }
    HeldRank rank;
    rank.number = order_.first_rank + local;
    const pid_t child = ::fork();
    if (child == 0) become(in[0], out[1], err[1], argv.data(), envp.data());
    const int error = errno;
    ::close(in[0]), ::close(out[1]), ::close(err[1]);
    rank.lifeline = in[1];
    rank.out = out[0];
    rank.err = err[0];
    if (child < 0) {
      shut(rank.lifeline), shut(rank.out), shut(rank.err);
      throw Error("rank", fmt::format("cannot be started: {}", std::strerror(error)),
                  "raise the limit of processes on this host: ulimit -u");
    }
    ::setpgid(child, child);  // here as well: whoever comes first
    for (const int fd : {rank.out, rank.err}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
    rank.process = child;
    rank.runs = true;
    journal_->say({.kind = Word::Rank, .rank = rank.number, .process = child});
    ranks_.push_back(std::move(rank));
  }

  bool any_runs() const {
    return std::any_of(ranks_.begin(), ranks_.end(), [](const HeldRank& r) { return r.runs; });
  }

  void wait() const {
    std::vector<pollfd> all{{asks_, POLLIN, 0}};
    for (const HeldRank& rank : ranks_) {
      for (const int fd : {rank.out, rank.err}) {
        if (fd >= 0) all.push_back({fd, POLLIN, 0});
      }
    }
    ::poll(all.data(), all.size(), 50);
  }

  void listen(HeldRank& rank) {
    take(rank.out, rank.out_text);
    take(rank.err, rank.err_text);
    tell_lines(rank, rank.out_text, false);
    tell_lines(rank, rank.err_text, true);
  }

  static void take(int& fd, std::string& text) {
    char part[1 << 14];
    for (int turn = 0; fd >= 0 && turn < 16; ++turn) {
      const ssize_t count = ::read(fd, part, sizeof part);
      if (count > 0) {
        text.append(part, static_cast<std::size_t>(count));
      } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        shut(fd);
      } else {
        return;
      }
    }
  }

  void tell_lines(const HeldRank& rank, std::string& text, bool is_error) {
    for (std::string& line : take_lines(text)) tell_line(rank, std::move(line), is_error);
    if (text.size() > kLongestLine) tell_line(rank, std::exchange(text, {}), is_error);
  }

  void tell_line(const HeldRank& rank, std::string line, bool is_error) {
    journal_->say(
        {.kind = Word::Output, .rank = rank.number, .is_error = is_error, .text = std::move(line)});
  }

  void take_asks() {
    char part[4096];
    for (ssize_t count; (count = ::read(asks_, part, sizeof part)) > 0;) {
      ask_text_.append(part, static_cast<std::size_t>(count));
    }
    for (const std::string& ask : take_lines(ask_text_)) {
      was_asked_ = was_asked_ || ask == "stop" || ask == "end";
      if (ask == "stop") stop(/*by_signal=*/false);
      if (ask == "end") end();
    }
  }

  void look_for_signal() {
    if (!is_set(options_.stop) || signalled_) return;
    signalled_ = true;
    stop(/*by_signal=*/true);
    if (order_.first_rank > 0 && end_at_s_ == 0) end_at_s_ = steady_s() + kAfterSignal_s;
  }

  /// Rank 0 decides for all ranks, so it alone is asked.
  void stop(bool by_signal) {
    journal_->say({.kind = Word::Asked, .is_error = by_signal, .text = "stop"});
    for (HeldRank& rank : ranks_) {
      if (rank.number != 0 || !rank.runs) continue;
      rank.was_told = true;
      ::kill(rank.process, SIGTERM);
    }
  }

  void end() {
    if (kill_at_s_ > 0) return;
    journal_->say({.kind = Word::Asked, .text = "end"});
    end_all(SIGTERM);
    kill_at_s_ = steady_s() + options_.mercy_s;
  }

  void end_all(int signal) {
    for (HeldRank& rank : ranks_) {
      if (!rank.runs) continue;
      rank.was_told = true;
      ::kill(signal == SIGKILL ? -rank.process : rank.process, signal);
    }
  }

  void keep_deadlines() {
    const double now = steady_s();
    const bool last_words_are_over =
        failed_at_s_ > 0 && now - failed_at_s_ >= options_.last_words_s;
    if (last_words_are_over || (end_at_s_ > 0 && now >= end_at_s_)) end();
    if (kill_at_s_ > 0 && now >= kill_at_s_) end_all(SIGKILL);
  }

  void reap(HeldRank& rank) {
    int status = 0;
    if (!rank.runs || ::waitpid(rank.process, &status, WNOHANG) != rank.process) return;
    rank.runs = false;
    ::kill(-rank.process, SIGKILL);  // what it has started and left behind
    listen(rank);                    // its last words are in the pipes
    for (auto* text : {&rank.out_text, &rank.err_text}) {
      if (!text->empty()) tell_line(rank, std::exchange(*text, {}), text == &rank.err_text);
    }
    shut(rank.lifeline), shut(rank.out), shut(rank.err);
    journal_->say({.kind = Word::Ended,
                   .rank = rank.number,
                   .status = status,
                   .process = rank.process,
                   .was_told = rank.was_told});
    if (status == 0 || failed_at_s_ > 0) return;
    failed_at_s_ = steady_s();
    cause_ = fmt::format("rank {} (process {}): {}", rank.number, rank.process, end_text(status));
  }

  void look_for_run() {
    std::error_code none;
    if (told_run_ || !fs::exists(files_.run(), none)) return;
    told_run_ = true;
    std::string folder = read_file(files_.run());
    while (folder.ends_with('\n')) folder.pop_back();
    run_ = folder;
    journal_->say({.kind = Word::Run, .text = std::move(folder)});
  }

  const AgentFiles& files_;
  const HoldOptions& options_;
  AgentOrder order_;
  int lock_ = -1, asks_ = -1;
  std::optional<Journal> journal_;
  std::vector<HeldRank> ranks_;
  std::string ask_text_;
  double failed_at_s_ = 0, end_at_s_ = 0, kill_at_s_ = 0;  ///< 0: not yet
  bool signalled_ = false, told_run_ = false, was_asked_ = false;
  int restarts_ = 0;
  std::string run_, cause_;
};
}  // namespace

void hold_ranks(const AgentFiles& files, const HoldOptions& options) {
  Agent agent(files, options);
  agent.run();
}

}  // namespace tessera
