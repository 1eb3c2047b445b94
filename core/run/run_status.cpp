// SPDX-License-Identifier: MIT
// How a run truly stands: from the end of its log and from its process.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/config/paths.h"
#include "core/events/events_frames.h"
#include "core/run/mirror_note.h"
#include "core/run/run_folder_internal.h"
#include "core/spec/curriculum.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
constexpr double kSilentSeconds = 60;

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// What the last events say.
struct LogEnd {
  RunStatus status;
  bool has_state = false, has_step = false, has_validation = false;
  std::uint64_t last_sequence = 0;

  void take(const Event& event) {
    last_sequence = event.sequence;
    if (std::isfinite(event.time)) status.last_word = event.time;
    std::visit([this](const auto& body) { take_body(body); }, event.body);
  }

  void take_body(const StateEvent& e) {
    status.state = e.state;
    status.reason = e.reason;
    status.rank = e.rank;
    if (e.step >= 0) status.step = e.step;
    if (e.state != RunState::Starting) status.phase.reset();
    has_state = true;
  }
  void take_body(const PhaseEvent& e) { status.phase = e; }
  void take_body(const HeartbeatEvent& e) {
    status.state = e.state;
    has_state = true;
  }
  void take_body(const StepEvent& e) {
    status.step = e.step;
    status.tokens = e.tokens;
    status.loss = e.loss;
    status.tokens_per_second = e.tokens_per_second;
    has_step = true;
  }
  void take_body(const ValidationEvent& e) {
    status.validation_loss = e.loss;
    has_validation = true;
  }
  void take_body(const ResumeEvent& e) {
    status.step = e.step;
    status.tokens = e.tokens;
  }
  void take_body(const RollbackEvent& e) { status.step = e.to_step; }
  template <class Other>
  void take_body(const Other&) {}
};

class File {
 public:
  explicit File(const fs::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

void read_on(events::FrameScanner& scanner, LogEnd& end) {
  while (const auto frame = scanner.next()) {
    if (kind_of_payload(frame->payload) == "experts") continue;
    try {
      end.take(decode_payload(frame->sequence, frame->payload));
    } catch (const Error&) {
      // A reader of the whole log reports it.
    }
  }
}

double time_of_first_event(events::FrameScanner& scanner) {
  scanner.seek(events::kHeaderBytes);
  const auto frame = scanner.next();
  return frame ? decode_payload(frame->sequence, frame->payload).time : 0;
}

/// Reads backwards in growing parts until the end is known to say all.
LogEnd read_end(const fs::path& path) {
  LogEnd end;
  const File file(path);
  if (file.fd() < 0) return end;
  events::FrameScanner scanner(file.fd(), path.string());
  if (!scanner.refresh()) return end;
  for (std::uint64_t part = 1 << 18;; part *= 4) {
    end = {};
    const bool whole = part + events::kHeaderBytes >= scanner.size();
    scanner.seek(whole ? events::kHeaderBytes : scanner.size() - part);
    read_on(scanner, end);
    if (whole || (end.has_state && end.has_step && end.has_validation)) break;
    // A validation may be long ago or never come: it is not worth reading far back.
    if (end.has_state && end.has_step && part >= (1 << 22)) break;
  }
  try {
    end.status.created = time_of_first_event(scanner);
  } catch (const Error&) {
    end.status.created = 0;
  }
  return end;
}

double file_time(const fs::path& path) {
  std::error_code error;
  const auto time = fs::last_write_time(path, error);
  if (error) return 0;
  const auto ago = fs::file_time_type::clock::now() - time;
  return now_seconds() - std::chrono::duration<double>(ago).count();
}

bool has_checkpoint(const RunFolder& folder) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder.checkpoints_path(), error)) {
    const std::string name = entry.path().filename().string();
    // A torn one still has its temporary name.
    if (name.starts_with("step-") && name.find_first_not_of("0123456789", 5) == name.npos) {
      return true;
    }
  }
  return false;
}

std::int64_t total_steps_of(const RunFolder& folder) {
  try {
    return Curriculum(read_spec(folder.spec_path()).spec).total_steps();
  } catch (const Error&) {
    return 0;  // a spoilt run.toml is told when it is used
  }
}

std::string age_text(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.0f} h", seconds / 3600);
}

std::string silence_text(const MirrorNote& note, double silent_s) {
  if (note.last_contact <= 0) {
    return note.trouble.empty() ? fmt::format("no word from {} yet", note.host)
                                : fmt::format("no word from {} yet: {}", note.host, note.trouble);
  }
  const std::string age = age_text(silent_s);
  return note.trouble.empty()
             ? fmt::format("no word from {} for {}", note.host, age)
             : fmt::format("no word from {} for {}: {}", note.host, age, note.trouble);
}

/// A copy of a run on another host: its process is not looked for here. What that host has said
/// stands as long as there is word from it; after a minute of silence nobody knows.
void judge_mirror(RunStatus& status, const LogEnd& end, const MirrorNote& note) {
  status.host = note.host;
  status.last_contact = note.last_contact;
  if (end.has_state && is_final(status.state)) return;
  // A log that has grown since says more than the verdict does.
  const bool judged = note.judged_at > 0 && note.judged_at >= end.last_sequence;
  if (judged) {
    status.state = note.state;
    status.reason = note.reason;
    status.rank = note.rank;
  } else if (!end.has_state) {
    status.state = RunState::Starting;
  }
  if (judged && is_final(note.state)) return;
  status.last_word = note.last_contact;
  const double silent_s = note.last_contact > 0 ? now_seconds() - note.last_contact
                                                : std::numeric_limits<double>::infinity();
  if (!note.gone.empty()) {
    status.state = RunState::LostContact;
    status.reason = note.gone;
  } else if (silent_s > kSilentSeconds) {
    status.state = RunState::LostContact;
    status.reason = silence_text(note, silent_s);
  }
}

/// Holds what the log says against what is known of the process.
void judge(RunStatus& status, bool has_state, const fs::path& folder) {
  if (has_state && is_final(status.state)) return;
  if (!status.process) {
    if (!has_state) return;  // a draft
    status.state = RunState::LostContact;
    status.reason = "the folder does not say which process runs it";
    return;
  }
  switch (liveness_of(*status.process)) {
    case Liveness::Alive:
      if (!has_state) status.state = RunState::Starting;
      if (run_folder::is_suspended(*status.process)) {
        status.reason =
            fmt::format("its process is suspended, as by Ctrl+Z; `kill -CONT {}` lets it go on",
                        status.process->pid);
      }
      return;
    case Liveness::Dead:
      status.state = RunState::Failed;
      status.reason = run_folder::exit_reason(folder, *status.process);
      if (status.phase) status.reason += " (it was at: " + status.phase->phase + ")";
      return;
    case Liveness::OtherHost:
      if (!has_state) status.state = RunState::Starting;
      if (status.last_word == 0) status.last_word = file_time(folder / "process.json");
      if (status.age_seconds() <= kSilentSeconds) return;
      status.state = RunState::LostContact;
      status.reason = fmt::format("no word from {} for {}", status.process->host,
                                  age_text(status.age_seconds()));
  }
}
}  // namespace

double RunStatus::age_seconds() const {
  return last_word > 0 ? std::max(0.0, now_seconds() - last_word) : 0;
}

RunStatus status_of(const RunFolder& folder) {
  const LogEnd end = read_end(folder.events_path());
  RunStatus status = end.status;
  if (!(status.created > 0)) status.created = file_time(folder.spec_path());
  status.total_steps = total_steps_of(folder);
  status.process = run_folder::read_process(folder.path() / "process.json", nullptr);
  if (is_mirror(folder.path())) {
    try {
      const MirrorNote note = MirrorNote::load(folder.path()).value_or(MirrorNote());
      judge_mirror(status, end, note);
      if (status.reason.empty()) status.reason = note.told;
    } catch (const Error& problem) {
      status.state = RunState::LostContact;
      status.reason = problem.what();
    }
    return status;  // it goes on over there, not in this folder
  }
  judge(status, end.has_state, folder.path());
  const bool stands = is_final(status.state) || status.state == RunState::LostContact;
  const bool has_start = has_checkpoint(folder) || status.state == RunState::Stopped;
  status.can_resume = stands && status.state != RunState::Finished && has_start;
  return status;
}

}  // namespace tessera
