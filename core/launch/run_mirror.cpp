// SPDX-License-Identifier: MIT
#include "core/launch/run_mirror.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/launch/agent_protocol.h"
#include "core/launch/host_list.h"
#include "core/run/kept_timeline.h"
#include "core/run/run_folder.h"

namespace tessera {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using MirrorWord = RunWord::Kind;

namespace {
constexpr auto kMirrorPingEvery = 5s, kAskAgainAfter = 15s;
constexpr auto kLookAtRequestsEvery = 200ms;
constexpr auto kOthersHeardWithin = 10s;

/// Names come from another machine: none may lead out of the folder.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name[0] != '.' && name.find('/') == name.npos &&
         name.find('\0') == name.npos && name.size() < 200;
}

bool is_told_file(const std::string& name) {
  return name == "run.toml" || name == "process.json" || name == "lineage.json" ||
         name == "exit.json";
}

/// Whether another process writes this log.
bool is_locked(const fs::path& log) {
  const int file = ::open(log.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool locked = ::flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(file);
  return locked;
}

/// Sizes of the files of log/.
std::map<std::string, std::uint64_t> log_sizes(const fs::path& folder) {
  std::map<std::string, std::uint64_t> sizes;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder / "log", error)) {
    std::error_code none;
    const auto size = entry.file_size(none);
    if (!none) sizes[entry.path().filename().string()] = size;
  }
  return sizes;
}

class LogFile {
 public:
  explicit LogFile(const fs::path& path)
      : path_(path), fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666)) {
    if (fd_ < 0) fail();
  }
  ~LogFile() { ::close(fd_); }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  std::uint64_t size() const {
    struct stat info {};
    return ::fstat(fd_, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
  }
  void cut() const {
    if (::ftruncate(fd_, 0) != 0) fail();
  }
  /// A part that finds no room is asked for again: the size says what is here.
  void write_at(std::uint64_t at, std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) fail();
      at += static_cast<std::uint64_t>(count);
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }

 private:
  [[noreturn]] void fail() const {
    throw Error(path_.string(), fmt::format("cannot be written: {}", std::strerror(errno)),
                "free some space on this disk; what is missing comes again");
  }
  fs::path path_;
  int fd_;
};
}  // namespace

std::optional<RemoteRun> remote_run_of(const std::string& text) {
  const bool bracketed = text.starts_with('[');
  const std::size_t end_of_host = bracketed ? text.find(']') : 0;
  const std::size_t colon = text.find(':', end_of_host == text.npos ? 0 : end_of_host);
  const std::size_t slash = text.find('/');
  if (colon == text.npos || (!bracketed && slash < colon)) return {};
  const std::string host = text.substr(0, colon), run = text.substr(colon + 1);
  const auto hosts = parse_host_list(host);
  if (hosts.size() != 1 || run.empty()) {
    throw Error(text, hosts.size() == 1 ? "names no run behind the host" : "names several hosts",
                "HOST:RUN, where RUN is a folder there or the name of a run");
  }
  return RemoteRun{hosts.front().host, run};
}

fs::path make_mirror(const MirrorNote& source, const std::string& name, const fs::path& root) {
  if (!is_plain_name(name)) throw Error("mirror", fmt::format("\"{}\" is no name of a run", name));
  const fs::path folder = root / name;
  if (const auto there = MirrorNote::load(folder)) {
    if (there->host != source.host) {
      throw Error(folder.string(), fmt::format("is the mirror of a run on {}", there->host),
                  "choose another folder with --runs");
    }
    MirrorNote now = *there;  // what was said stands until something else is
    now.run = source.run;
    now.runs = source.runs;
    now.ssh = source.ssh;
    now.program = source.program;
    now.gone.clear();
    now.save(folder);
    return folder;
  }
  if (RunFolder::is_run(folder)) {
    throw Error(folder.string(), "is a run of this machine already, and no mirror",
                "choose another folder with --runs");
  }
  std::error_code error;
  for (const char* part : {"log", "checkpoints", "control"}) {
    fs::create_directories(folder / part, error);
    if (error) throw Error(folder.string(), "cannot be made: " + error.message());
  }
  source.save(folder);  // before run.toml: it is never taken for a run of this machine
  return folder;
}

RunMirror::RunMirror(Ssh& ssh, HostPulses& pulses, fs::path folder, Options options)
    : ssh_(ssh), pulses_(pulses), folder_(std::move(folder)), options_(options) {
  const auto note = MirrorNote::load(folder_);
  if (!note) {
    throw Error(folder_.string(), "is no mirror of a run", "`tessera mirror HOST:RUN` makes one");
  }
  note_ = *note;
  open_log();
  connect();
}

RunMirror::RunMirror(Ssh& ssh, HostPulses& pulses, MirrorNote source, fs::path root,
                     Options options)
    : ssh_(ssh),
      pulses_(pulses),
      note_(std::move(source)),
      root_(std::move(root)),
      options_(options) {
  connect();
}

RunMirror::~RunMirror() = default;

/// Reads the first event and the last: with their numbers they say what is here.
void RunMirror::open_log() {
  const fs::path path = folder_ / "events.log";
  if (is_locked(path)) {
    throw Error(folder_.filename().string(), "is kept up to date by another process already",
                fmt::format("`tessera watch {}` shows it", folder_.filename().string()));
  }
  events_.emplace(path);
  first_.clear();
  last_.clear();
  EventReader reader(path);
  const auto first = reader.poll_raw(1);
  if (first.empty()) return;
  first_ = first[0].payload;
  reader.seek_sequence(events_->last_sequence());
  const auto last = reader.poll_raw(1);
  if (!last.empty()) last_ = last[0].payload;
}

void RunMirror::connect() {
  // It could not be opened when the log that was here was set aside.
  if (!folder_.empty() && !events_) open_log();
  RunAsk ask;
  ask.run = note_.run;
  ask.runs = note_.runs;
  ask.follow = options_.follow;
  if (events_) {
    ask.have = events_->last_sequence();
    ask.first = first_;
    ask.last = last_;
    ask.logs = log_sizes(folder_);
    ask.timeline = timeline_stamp(folder_ / kTimelineName);
  }
  out_.clear();
  err_.clear();
  asked_.clear();
  process_.reset();
  ++lines_;
  process_.emplace(ssh_.line(note_.host, RemoteProgram{note_.program}.command({"agent", "tell"})));
  process_->write(to_line(ask));
  heard_ = pinged_ = Clock::now();
}

void RunMirror::look() {
  if (state_ == State::Over) return;
  try {
    if (!folder_.empty() && !is_mirror(folder_)) {  // somebody has removed it here
      process_.reset();
      state_ = State::Over;
      return;
    }
    if (state_ == State::Broken) {
      if (Clock::now() < again_at_) return;
      connect();
      state_ = State::Begins;
    }
    listen();
  } catch (const Error& error) {
    if (state_ == State::Over || !options_.follow || folder_.empty()) {
      state_ = State::Over;
      process_.reset();
      throw;
    }
    stumble(error.what());
  }
}

void RunMirror::listen() {
  if (state_ == State::Live) {
    hand_on_requests();
    ping();
  }
  const auto ended = process_->poll();  // before the last look at what it has printed
  process_->exchange(out_, err_);
  const int line_number = lines_;
  for (const std::string& line : take_lines(out_)) {
    if (!line.starts_with('{')) continue;  // a login shell that greets
    take(run_word_of_line(line));
    if (lines_ != line_number) return;
    if (state_ == State::Over) break;
  }
  if (state_ == State::Over) {
    process_.reset();
    forget_requests();
    save_note();
  } else if (ended) {
    finish(*ended);
  } else if (Clock::now() - heard_ >
             (state_ == State::Live ? options_.silence : options_.patience)) {
    finish(0);
  } else {
    save_note_now_and_then();
  }
}

/// What came cannot be kept, or no line can be made: tried again later, from what is here.
void RunMirror::stumble(const std::string& why) {
  process_.reset();
  if (note_.trouble_since == 0) note_.trouble_since = clock_now();
  note_.trouble = why;
  state_ = State::Broken;
  again_at_ = Clock::now() +
              std::min<Clock::duration>(options_.longest_pause, 1s * (1 << std::min(tries_, 6)));
  ++tries_;
  try {
    save_note();
  } catch (const Error& error) {
    log::warning("{}", error.what());  // a full disk: the trouble itself is told when there is room
  }
}

void RunMirror::take(const RunWord& word) {
  if (word.kind == MirrorWord::Refused) return take_refusal(word);
  heard_ = pulses_[note_.host] = Clock::now();
  note_.last_contact = clock_now();
  if (state_ != State::Live) {
    state_ = State::Live;
    tries_ = 0;
    note_.trouble.clear();
    note_.trouble_since = 0;
  }
  const bool needs_folder = word.kind != MirrorWord::Run && word.kind != MirrorWord::Beat;
  require(events_.has_value() || !needs_folder, "mirror", "the host has not named the run yet");
  switch (word.kind) {
    case MirrorWord::Run:
      return take_run(word);
    case MirrorWord::Anew:
      return begin_anew(word);
    case MirrorWord::File:
      return take_file(word);
    case MirrorWord::Event:
      return take_event(word);
    case MirrorWord::Log:
      return take_log(word);
    case MirrorWord::State:
      return take_state(word);
    case MirrorWord::Answer:
      asked_.erase(word.name);
      if (is_plain_name(word.name)) {
        std::error_code error;
        fs::remove(folder_ / "control" / word.name, error);
      }
      if (!word.text.empty()) tell(fmt::format("{} refuses: {}", note_.host, word.text));
      return;
    case MirrorWord::CaughtUp:
      caught_up_ = true;
      events_->sync();
      save_note();
      if (!options_.follow) state_ = State::Over;
      return;
    case MirrorWord::Ended:
      if (!word.text.empty()) tell(fmt::format("{}: {}", note_.host, word.text));
      state_ = State::Over;
      return;
    case MirrorWord::Gone:
      note_.gone = fmt::format("the folder {} is not on {} any more", note_.run, note_.host);
      state_ = State::Over;
      return;
    case MirrorWord::Beat:
    case MirrorWord::Refused:
      return;
  }
}

void RunMirror::take_refusal(const RunWord& word) {
  const Error error("host " + note_.host, word.text, word.hint);
  const bool known = !folder_.empty() && options_.follow;
  if (known && word.name != kMissingRun) throw error;  // tried again: another version may come
  state_ = State::Over;
  if (!known) throw error;
  note_.gone = fmt::format("the run is not on {} any more: {}", note_.host, word.text);
}

void RunMirror::take_run(const RunWord& word) {
  note_.run = word.text;
  note_.runs.clear();
  note_.gone.clear();
  if (folder_.empty()) {
    folder_ = make_mirror(note_, word.name, root_);
    const auto there = MirrorNote::load(folder_);  // it may have been there before
    if (there) note_ = *there;
    note_.last_contact = clock_now();
    open_log();
    if (events_->last_sequence() > 0) {  // what is here already is not asked for again
      connect();
      state_ = State::Begins;
      return;
    }
  }
  save_note();
}

void RunMirror::take_event(const RunWord& word) {
  if (word.number <= events_->last_sequence()) return;
  if (events_->last_sequence() == 0) first_ = word.data;
  events_->append_raw({word.number, word.data});
  last_ = word.data;
}

/// What was mirrored is kept beside the log: it may be all that is left of the run that was there.
void RunMirror::begin_anew(const RunWord& word) {
  const fs::path log = folder_ / "events.log";
  const fs::path aside = folder_ / fmt::format("events.log.before-{}-{}", std::time(nullptr),
                                               events_ ? events_->last_sequence() : 0);
  events_.reset();
  std::error_code error;
  fs::rename(log, aside, error);
  if (error) throw Error(log.string(), "cannot be set aside: " + error.message());
  note_.judged_at = 0;
  open_log();
  tell(
      fmt::format("the run on {} is not the one that was mirrored before: {}; what was here is "
                  "{} now",
                  note_.host, word.text, aside.filename().string()));
  save_note();
}

void RunMirror::take_log(const RunWord& word) {
  if (folder_.empty() || !is_plain_name(word.name)) return;
  const LogFile file(folder_ / "log" / word.name);
  if (word.text == "anew") file.cut();
  const std::uint64_t size = file.size();
  // Beyond the end, something between is missing, which the next line brings; before it, it is
  // here.
  if (word.number > size || word.number + word.data.size() <= size) return;
  file.write_at(size, std::string_view(word.data).substr(size - word.number));
}

void RunMirror::take_file(const RunWord& word) {
  if (folder_.empty()) return;
  if (word.name == kTimelineName) return take_timeline(word);
  if (!is_told_file(word.name)) return;
  write_file_atomically(folder_ / word.name, word.data);
}

/// Its parts come in order, into a file of another name until it is whole.
void RunMirror::take_timeline(const RunWord& word) {
  const TimelineStamp stamp = parse_timeline_stamp(word.text);
  const std::uint64_t end = word.number + word.data.size();
  if (stamp.bytes > kMostTimelineBytes || end > stamp.bytes) return;
  const fs::path staged = folder_ / fmt::format(".{}.part", kTimelineName);
  {
    const LogFile file(staged);
    if (word.number == 0) file.cut();
    if (file.size() != word.number) return;  // it begins anew with the next line
    file.write_at(word.number, word.data);
  }
  if (end < stamp.bytes) return;
  std::error_code error;
  fs::rename(staged, folder_ / kTimelineName, error);
  if (error) throw Error(staged.string(), "cannot be renamed: " + error.message());
  // Without it the same timeline comes once more with the next line.
  fs::last_write_time(folder_ / kTimelineName,
                      fs::file_time_type(fs::file_time_type::duration(stamp.time)), error);
}

void RunMirror::take_state(const RunWord& word) {
  const bool changed = note_.state != word.state || note_.reason != word.text;
  const bool again = is_final(note_.state) && !is_final(word.state) && note_.judged_at > 0;
  note_.state = word.state;
  note_.reason = word.text;
  note_.rank = word.rank;
  note_.judged_at = std::max<std::uint64_t>(1, word.number);
  if (again) tell(fmt::format("the run goes on again on {}", note_.host));
  if (!changed) return;
  events_->sync();  // the verdict is about these
  save_note();
}

/// Requests lie in control/ as for a run of this machine, until the host has them.
void RunMirror::hand_on_requests() {
  if (!caught_up_ || folder_.empty() || Clock::now() - looked_ < kLookAtRequestsEvery) return;
  looked_ = Clock::now();
  if (!RunFolder::is_run(folder_)) return;
  for (const PendingRequest& request : pending_requests(RunFolder::open(folder_))) {
    const std::string name = request.file.filename().string();
    const auto asked = asked_.find(name);
    if (asked != asked_.end() && Clock::now() - asked->second < kAskAgainAfter) continue;
    asked_[name] = Clock::now();
    process_->write("ask " + name + "\n");
  }
}

/// A run that has ended has nobody who would take them.
void RunMirror::forget_requests() {
  if (!options_.follow || folder_.empty() || !RunFolder::is_run(folder_)) return;
  take_requests(RunFolder::open(folder_));
}

void RunMirror::ping() {
  if (Clock::now() - pinged_ < kMirrorPingEvery) return;
  pinged_ = Clock::now();
  process_->write("ping\n");
}

void RunMirror::tell(const std::string& what) {
  note_.told = what;
  note_.told_at = clock_now();
  save_note();
}

/// The line has ended without the host's last word.
void RunMirror::finish(int wait_status) {
  const HostAnswer answer{wait_status, /*timed_out=*/wait_status == 0, out_, err_};
  process_->kill(SIGKILL);
  process_.reset();
  const auto heard = pulses_.find(note_.host);
  const bool others_live = heard != pulses_.end() && heard->second > heard_ &&
                           Clock::now() - heard->second < kOthersHeardWithin;
  if (!others_live) ssh_.forget(note_.host);
  if (WIFSIGNALED(wait_status)) {
    const std::string why = fmt::format("its ssh was ended by signal {}", WTERMSIG(wait_status));
    if (!options_.follow || folder_.empty()) throw Error("host " + note_.host, why);
    return stumble(why);
  }
  try {
    require_answer(note_.host, answer);
  } catch (const Error& error) {
    if (!options_.follow || folder_.empty()) throw;
    return stumble(error.what_failed());
  }
  stumble("the line has ended without a word");
}

void RunMirror::save_note() {
  noted_ = Clock::now();
  if (!folder_.empty() && is_mirror(folder_)) note_.save(folder_);
}

void RunMirror::save_note_now_and_then() {
  if (std::chrono::duration<double>(Clock::now() - noted_).count() >= options_.note_every_s) {
    save_note();
  }
}

}  // namespace tessera
