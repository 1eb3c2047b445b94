// SPDX-License-Identifier: MIT
#include "app/rank_launcher.h"

#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "app/rank_processes.h"
#include "core/base/call_record.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/progress.h"
#include "core/train/event_sink.h"
#include "distributed/mpi/mpi_ranks.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
constexpr auto kLook = std::chrono::milliseconds(50);
constexpr double kEnd_s = 5;
constexpr int kSeenBefore = 5;

std::string own_program() {
  return fs::read_symlink("/proc/self/exe").string();
}

/// The end of what ranks and mpirun printed, on one line.
std::string last_words(const fs::path& log, std::uintmax_t from) {
  std::ifstream in(log, std::ios::binary);
  in.seekg(static_cast<std::streamoff>(from));
  std::string text, line;
  while (std::getline(in, line)) {
    if (line.find_first_not_of("- \t\r") == line.npos) continue;
    text += (text.empty() ? "" : " | ") + line;
  }
  constexpr std::size_t kMost = 2000;
  return text.size() > kMost ? text.substr(text.size() - kMost) : text;
}

/// One start of all ranks, from their begin to their end.
class Attempt {
 public:
  Attempt(const RunFolder& folder, const RunSpec& spec, const LaunchOptions& options)
      : folder_(folder),
        spec_(spec),
        options_(options),
        log_(folder.path() / "log" / "ranks.log"),
        events_(folder.events_path()) {}

  /// Runs the ranks to their end. Empty where all is well; else what happened, and to which rank.
  std::string run() {
    clear_records();
    std::error_code none;
    const std::uintmax_t before = fs::exists(log_) ? fs::file_size(log_, none) : 0;
    const std::uintmax_t events =
        fs::exists(folder_.events_path()) ? fs::file_size(folder_.events_path(), none) : 0;
    if (events > 0) events_.seek_offset(events);
    RankProcesses processes = start();
    std::optional<RanksEnd> end;
    while (!end) {
      end = processes.poll();
      show();
      if (!end && hang()) end = processes.end(kEnd_s);
      pass_stop_on();
      if (!end) std::this_thread::sleep_for(kLook);
    }
    end_left_overs();
    show();
    if (is_final(state_) && state_ != RunState::Failed) return {};
    return cause_of(*end, last_words(log_, before));
  }

  bool has_trained() const { return trained_; }
  RunState state() const { return state_; }
  int rank() const { return rank_; }

 private:
  fs::path records() const { return folder_.path() / "ranks"; }

  void clear_records() const {
    std::error_code error;
    fs::remove_all(records(), error);
    fs::create_directory(records(), error);
    if (error) throw Error(records().string(), "cannot be made: " + error.message());
  }

  RankProcesses start() const {
    std::vector<std::string> arguments = {"rank", folder_.path().string()};
    if (options_.most_steps > 0) {
      arguments.insert(arguments.end(), {"--most-steps", std::to_string(options_.most_steps)});
    }
    if (!options_.timeline.empty()) {
      arguments.insert(arguments.end(), {"--timeline", options_.timeline.string()});
    }
    if (spec_.host.device == Device::Cuda) {
      return RankProcesses::by_variables(options_.ranks, own_program(), arguments, log_);
    }
    return RankProcesses::with_mpirun(options_.ranks, own_program(), arguments, log_);
  }

  void show() {
    for (const Event& event : events_.poll()) {
      trained_ = trained_ || std::holds_alternative<StepEvent>(event.body);
      if (const auto* state = std::get_if<StateEvent>(&event.body)) {
        state_ = state->state;
        if (state_ == RunState::Failed) {
          reason_ = state->reason;
          continue;  // told when all is over
        }
      }
      if (options_.on_event) options_.on_event(event.body);
    }
  }

  /// Whether a rank hangs; seen several times in a row, as a machine that stood still makes every
  /// rank look silent for a moment.
  bool hang() {
    const auto now = std::chrono::steady_clock::now();
    if (now - looked_ < std::chrono::milliseconds(500)) return false;
    looked_ = now;
    const auto trouble =
        find_hang(read_all_calls(records()), monotonic_ns(), spec_.host.hang_limit_s);
    seen_ = trouble ? seen_ + 1 : 0;
    if (seen_ < kSeenBefore) return false;
    hang_ = trouble->text;
    rank_ = trouble->rank;
    return true;
  }

  /// A stop is a request in the folder, which rank 0 takes. A run that has not begun yet takes
  /// none.
  void pass_stop_on() {
    if (!is_set(options_.stop) || passed_on_) return;
    try {
      request_control(folder_, Control::StopSaving);
      passed_on_ = true;
    } catch (const Error&) {
      // Tried again at the next look.
    }
  }

  /// mpirun ends its ranks; where it was killed itself, they are told by the system. This is for
  /// what is left after both.
  void end_left_overs() const {
    for (int look = 0; look < 100; ++look) {
      bool any = false;
      for (const RankCalls& rank : read_all_calls(records())) {
        if (!rank.is_here() || !rank.is_there()) continue;
        ::kill(static_cast<pid_t>(rank.pid), SIGKILL);
        any = true;
      }
      if (!any) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  std::string cause_of(const RanksEnd& end, const std::string& printed) {
    if (!hang_.empty()) return hang_;
    if (const auto trouble = find_first_ended(read_all_calls(records()))) {
      rank_ = trouble->rank;
      const bool told = trouble->text.find("without a last word") == std::string::npos;
      return told ? trouble->text : fmt::format("{}; {}", trouble->text, end.text());
    }
    if (!reason_.empty()) return reason_;
    return fmt::format("the ranks {}{}", end.text(), printed.empty() ? "" : ": " + printed);
  }

  const RunFolder& folder_;
  const RunSpec& spec_;
  const LaunchOptions& options_;
  fs::path log_;
  EventReader events_;
  RunState state_ = RunState::Draft;
  std::string reason_, hang_;
  int rank_ = -1, seen_ = 0;
  bool trained_ = false, passed_on_ = false;
  std::chrono::steady_clock::time_point looked_{};
};

void check_transport(const RunSpec& spec) {
  if (spec.host.device == Device::Cuda) return;
  std::string looked;
  if (has_mpi_plugin(&looked)) return;
  throw Error("ranks", fmt::format("this program was built without Open MPI ({})", looked),
              "install openmpi-bin and libopenmpi-dev and build anew; or train on one rank");
}
}  // namespace

RunState launch_ranks(const RunFolder& folder, const LaunchOptions& options) {
  const RunSpec spec = folder.spec();
  check_transport(spec);
  const RunLock lock(folder);
  for (std::int64_t restarts = 0;; ++restarts) {
    Attempt attempt(folder, spec, options);
    const std::string cause = attempt.run();
    if (cause.empty()) return attempt.state();
    // What fails before its first step would fail again.
    const bool again =
        restarts < spec.host.restart && attempt.has_trained() && !is_set(options.stop);
    EventSink events(folder, options.on_event);
    if (!again) {
      if (attempt.state() != RunState::Failed || attempt.rank() > 0) events.failed(cause);
      throw Error(folder.id(), cause,
                  fmt::format("`tessera resume {}` goes on from its newest checkpoint; log/ in its "
                              "folder has what each rank said",
                              folder.id()));
    }
    events.message("warning",
                   fmt::format("{}; restart {} of {}", cause, restarts + 1, spec.host.restart));
    events.state(RunState::Starting);
  }
}

}  // namespace tessera::app
