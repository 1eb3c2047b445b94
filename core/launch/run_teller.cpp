// SPDX-License-Identifier: MIT
#include "core/launch/run_teller.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "core/base/call_record.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/progress.h"
#include "core/launch/agent_protocol.h"
#include "core/launch/slurm_record.h"
#include "core/run/kept_timeline.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
using ToldWord = RunWord::Kind;
using TellClock = std::chrono::steady_clock;

/// A desk pings every few seconds; whoever is silent for so long is not there any more.
constexpr double kDeskSilence_s = 120;
constexpr double kLookAtFiles_s = 1, kJudgeAtLeast_s = 5, kJudgeAtMost_s = 1;
constexpr std::size_t kEventsInTurn = 256, kMostOfPart = 1u << 18, kMostOfFile = 4u << 20;
constexpr const char* kToldFiles[] = {"run.toml", "process.json", "lineage.json", "exit.json"};

double since_s(TellClock::time_point then) {
  return std::chrono::duration<double>(TellClock::now() - then).count();
}

/// Network file systems keep what they know of a folder for half a minute; reading it asks anew.
void list_parent(const fs::path& path) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path.parent_path(), error)) (void)entry;
}

/// Up to kMostOfPart bytes from here on; empty where there are none, or they cannot be read now.
std::string read_part(const fs::path& path, std::uint64_t from) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::string part(kMostOfPart, '\0');
  const ssize_t count = ::pread(file, part.data(), part.size(), static_cast<off_t>(from));
  ::close(file);
  part.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return part;
}

/// Nobody has begun this run, and no job of Slurm waits that would.
bool is_left_unstarted(const RunFolder& folder, const RunStatus& status) {
  const bool unclear = status.state == RunState::Draft || status.state == RunState::LostContact;
  if (!unclear || status.process) return false;
  try {
    const auto job = slurm_record_of(folder.path());
    return !job || !(job->is_new() || job->is_open());
  } catch (const Error&) {
    return false;  // it has a job, of which nothing is known: that is no evidence
  }
}

class Teller {
 public:
  Teller(const RunFolder& folder, const RunAsk& ask, const TellOptions& options)
      : folder_(folder), ask_(ask), options_(options), reader_(folder.events_path()) {}

  void run() {
    say({.kind = ToldWord::Run,
         .name = folder_.id(),
         .text = folder_.path().string(),
         .source = host_name()});
    begin_log();
    while (!closed_ && !is_set(options_.stop)) {
      if (!look_for_folder()) return;
      const bool due = since_s(judged_) >= (fresh_events_ ? kJudgeAtMost_s : kJudgeAtLeast_s);
      const std::optional<RunStatus> status =
          due || !told_all_ ? std::optional(status_of(folder_)) : std::nullopt;
      const bool more = tell_events();
      const bool more_logs = tell_files(!told_all_ || status.has_value());
      if (status) tell_state(*status);
      if (!more && !more_logs && finish_turn(status)) return;
      beat();
      listen(more || more_logs ? 0 : 100);
    }
  }

 private:
  /// Whether what the desk has is the begin of what is there.
  struct Comparison {
    std::string difference;  ///< empty: it is
    bool may_come = false;   ///< a network file system may show the rest later
  };
  Comparison compare() {
    EventReader reader(folder_.events_path());
    const auto first = reader.poll_raw(1);
    if (first.empty()) return {"the log there is empty", true};
    if (first[0].payload != ask_.first) return {"the log there begins otherwise"};
    reader.seek_sequence(ask_.have);
    const auto last = reader.poll_raw(1);
    if (last.empty()) return {fmt::format("the log there has no event {}", ask_.have), true};
    if (last[0].sequence == ask_.have && last[0].payload == ask_.last) return {};
    return {fmt::format("event {} is another one there", ask_.have)};
  }

  void begin_log() {
    if (ask_.have == 0) {
      if (options_.from > 0) reader_.seek_sequence(options_.from);
      return;
    }
    const auto begin = TellClock::now();
    Comparison found = compare();
    while (!closed_ && !found.difference.empty() && found.may_come &&
           since_s(begin) < options_.gone_after_s) {
      list_parent(folder_.events_path());
      beat();
      listen(500);
      found = compare();
    }
    if (closed_) return;
    if (!found.difference.empty()) return begin_anew(found.difference);
    told_ = ask_.have;
    reader_.seek_sequence(ask_.have + 1);
  }

  void begin_anew(const std::string& why) {
    say({.kind = ToldWord::Anew, .text = why});
    told_ = 0;
    reader_ = EventReader(folder_.events_path());
  }

  bool tell_events() {
    const std::vector<RawFrame> frames = reader_.poll_raw(kEventsInTurn);
    for (const RawFrame& frame : frames) {
      if (frame.sequence <= told_) {
        begin_anew("the log there was replaced");
        return true;
      }
      say({.kind = ToldWord::Event, .number = frame.sequence, .data = frame.payload});
      told_ = frame.sequence;
      fresh_events_ = true;
      ended_.reset();  // somebody writes it
    }
    return frames.size() == kEventsInTurn;
  }

  bool tell_files(bool at_once) {
    if (!at_once && since_s(looked_at_files_) < kLookAtFiles_s) return false;
    looked_at_files_ = TellClock::now();
    for (const char* name : kToldFiles) tell_file(name);
    bool more = tell_timeline();
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder_.path() / "log", error)) {
      std::error_code none;
      if (entry.is_regular_file(none)) more = tell_log(entry.path()) || more;
    }
    return more;
  }

  void tell_file(const std::string& name) {
    const fs::path path = folder_.path() / name;
    std::error_code error;
    const auto written = fs::last_write_time(path, error);
    if (error || files_[name] == written) return;
    try {
      std::string bytes = read_file(path, kMostOfFile);
      files_[name] = written;
      say({.kind = ToldWord::File, .name = name, .data = std::move(bytes)});
    } catch (const Error&) {
      // It is being replaced; the next look has it.
    }
  }

  /// A part in a turn, so that events are not kept waiting. True: there is more of it. One that is
  /// larger than what is kept in the folder of a run is not told: no window would read it.
  bool tell_timeline() {
    const fs::path path = folder_.path() / kTimelineName;
    const std::string stamp = timeline_stamp(path);
    if (stamp.empty() || stamp == ask_.timeline) return false;
    const std::uint64_t bytes = parse_timeline_stamp(stamp).bytes;
    if (bytes > kMostTimelineBytes) return false;
    if (std::exchange(telling_timeline_, stamp) != stamp) told_of_timeline_ = 0;
    std::string part = read_part(path, told_of_timeline_);
    if (part.empty() && told_of_timeline_ < bytes) return false;  // it is being replaced
    const std::uint64_t from = told_of_timeline_;
    told_of_timeline_ += part.size();
    say({.kind = ToldWord::File,
         .number = from,
         .name = kTimelineName,
         .text = stamp,
         .data = std::move(part)});
    if (told_of_timeline_ < bytes) return true;
    ask_.timeline = stamp;
    return false;
  }

  /// Where it has grown; from its start where it has become shorter.
  bool tell_log(const fs::path& path) {
    const std::string name = path.filename().string();
    std::error_code error;
    const std::uint64_t size = fs::file_size(path, error);
    std::uint64_t& told = ask_.logs[name];
    if (error || size == told) return false;
    const bool anew = size < told;
    if (anew) told = 0;
    const std::string part = read_part(path, told);
    if (part.empty()) return false;
    say({.kind = ToldWord::Log,
         .number = told,
         .name = name,
         .text = anew ? "anew" : "",
         .data = part});
    told += part.size();
    return told < size;
  }

  void tell_state(const RunStatus& status) {
    judged_ = TellClock::now();
    fresh_events_ = false;
    RunWord word{.kind = ToldWord::State,
                 .number = told_,
                 .rank = status.rank,
                 .state = status.state,
                 .text = status.reason};
    const bool same = said_state_ && said_state_->state == word.state &&
                      said_state_->text == word.text && said_state_->number == word.number;
    if (same) return;
    say(word);
    said_state_ = word;
  }

  /// True: there is nothing more to say. `status` is from before the last look at log and files.
  bool finish_turn(const std::optional<RunStatus>& status) {
    if (!told_all_) {
      told_all_ = true;
      say({.kind = ToldWord::CaughtUp});
      if (!ask_.follow) return true;
    }
    if (!status) return false;
    const bool is_left = is_left_unstarted(folder_, *status);
    if (!is_final(status->state) && !is_left) {
      ended_.reset();
      return false;
    }
    if (!ended_) ended_ = TellClock::now();
    if (since_s(*ended_) < (is_left ? options_.unstarted_s : options_.linger_s)) return false;
    say({.kind = ToldWord::Ended,
         .text = is_left ? "no process runs it there, and it is not followed any more" : ""});
    return true;
  }

  /// False: it is gone for good, which has been told.
  bool look_for_folder() {
    while (!closed_ && !is_set(options_.stop) && !RunFolder::is_run(folder_.path())) {
      if (!missing_) missing_ = TellClock::now();
      list_parent(folder_.path());
      if (RunFolder::is_run(folder_.path())) break;
      if (since_s(*missing_) > options_.gone_after_s) {
        say({.kind = ToldWord::Gone,
             .text = fmt::format("{} is not there any more", folder_.path().string())});
        return false;
      }
      beat();
      listen(static_cast<int>(std::min(1000.0, 100 + 250 * since_s(*missing_))));
    }
    missing_.reset();
    return true;
  }

  void beat() {
    if (since_s(said_) >= options_.beat_s) say({.kind = ToldWord::Beat});
  }

  void say(RunWord word) {
    word.time = clock_now();
    const std::string line = to_line(word);
    for (std::size_t at = 0; at < line.size() && !closed_;) {
      const ssize_t count = ::write(options_.out, line.data() + at, line.size() - at);
      if (count > 0) {
        at += static_cast<std::size_t>(count);
      } else if (errno != EINTR) {
        closed_ = true;
      }
    }
    said_ = TellClock::now();
  }

  void listen(int milliseconds) {
    if (options_.in < 0) {
      if (milliseconds > 0) std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
      return;
    }
    pollfd wait{options_.in, POLLIN, 0};
    if (::poll(&wait, 1, milliseconds) > 0) {
      char part[4096];
      const ssize_t count = ::read(options_.in, part, sizeof part);
      if (count == 0 || (count < 0 && errno != EINTR)) closed_ = true;
      if (count > 0) heard_text_.append(part, static_cast<std::size_t>(count));
      heard_ = TellClock::now();
    }
    for (const std::string& line : take_lines(heard_text_)) {
      if (line.starts_with("ask ")) carry_out(line.substr(4));
    }
    if (since_s(heard_) > kDeskSilence_s) closed_ = true;
  }

  /// A request's name is that of its file at the desk: "TIME-PROCESS-NUMBER.save".
  void carry_out(const std::string& name) {
    RunWord answer{.kind = ToldWord::Answer, .name = name};
    try {
      const auto control = control_named(name.substr(name.rfind('.') + 1));
      if (!control) throw Error("mirror", fmt::format("\"{}\" is no request", name));
      request_control(folder_, *control);
    } catch (const Error& error) {
      answer.text = error.what_failed();
      answer.hint = error.hint();
    }
    say(answer);
  }

  static std::optional<Control> control_named(const std::string& name) {
    for (const Control one :
         {Control::Save, Control::Pause, Control::Resume, Control::StopSaving, Control::StopNow}) {
      if (name_of(one) == name) return one;
    }
    return {};
  }

  const RunFolder& folder_;
  RunAsk ask_;
  TellOptions options_;
  EventReader reader_;
  std::uint64_t told_ = 0;
  std::map<std::string, fs::file_time_type> files_;
  std::optional<RunWord> said_state_;
  std::optional<TellClock::time_point> ended_, missing_;
  TellClock::time_point judged_{}, looked_at_files_{}, said_{}, heard_ = TellClock::now();
  std::string heard_text_, telling_timeline_;
  std::uint64_t told_of_timeline_ = 0;
  bool fresh_events_ = false, told_all_ = false, closed_ = false;
};
}  // namespace

void tell_run(const RunFolder& folder, const RunAsk& ask, const TellOptions& options) {
  Teller teller(folder, ask, options);
  teller.run();
}

RunFolder find_told_run(const std::string& run, const fs::path& runs, double patience_s) {
  const auto begin = TellClock::now();
  double pause_s = 0.1;
  while (true) {
    try {
      return RunFolder::find(run, runs);
    } catch (const Error&) {
      if (since_s(begin) >= patience_s) throw;
    }
    list_parent(run);
    std::this_thread::sleep_for(std::chrono::duration<double>(pause_s));
    pause_s = std::min(2 * pause_s, 5.0);
  }
}

}  // namespace tessera
