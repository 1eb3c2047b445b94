// SPDX-License-Identifier: MIT
// A run folder: run.toml, events.log, log/, checkpoints/, control/. What a run is, who writes it,
// how it truly stands, and how other processes ask it to stop.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/events/events.h"
#include "core/spec/spec.h"

namespace tessera {

/// Where a run was forked from.
struct Lineage {
  std::string parent{};         ///< id of the parent run
  std::string parent_folder{};  ///< where it was then
  std::string checkpoint{};     ///< the folder whose weights and state were taken
  std::int64_t step = -1;
};

class RunFolder {
 public:
  /// Makes runs/<name>-<date>-<suffix>/ with the resolved spec. Relative paths of the spec must
  /// have been made absolute. Throws Error when the folder cannot be made.
  static RunFolder create(const std::filesystem::path& runs, const RunSpec& spec,
                          const std::optional<Lineage>& lineage = {});
  /// Throws Error naming the folder when it is missing or holds no run.toml.
  static RunFolder open(const std::filesystem::path& folder);
  /// A path, or the name of a run in `runs` or the unique beginning of one. Throws Error listing
  /// the candidates.
  static RunFolder find(const std::string& name_or_path, const std::filesystem::path& runs);
  static bool is_run(const std::filesystem::path& folder);

  const std::filesystem::path& path() const { return path_; }
  std::string id() const { return path_.filename().string(); }
  std::filesystem::path spec_path() const { return path_ / "run.toml"; }
  std::filesystem::path events_path() const { return path_ / "events.log"; }
  std::filesystem::path log_path(int rank) const;  ///< log/rank-0.log
  std::filesystem::path checkpoints_path() const { return path_ / "checkpoints"; }
  std::filesystem::path shards_path() const { return path_ / "shards"; }
  std::filesystem::path tokenizer_path() const { return path_ / "tokenizer.model"; }
  std::filesystem::path control_path() const { return path_ / "control"; }

  /// Throws Error with the problems of run.toml, if it has any.
  RunSpec spec() const;
  std::optional<Lineage> lineage() const;

 private:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

// ---- The process that runs it -------------------------------------------------------------------

/// A process, told apart from a later one with the same number.
struct ProcessId {
  std::int64_t pid = 0;
  std::int64_t start_ticks = 0;  ///< after boot, as in /proc/PID/stat
  std::string host{}, boot_id{};
  std::string pid_namespace{};  ///< numbers of another container mean nothing here

  bool operator==(const ProcessId&) const = default;
};
ProcessId this_process();

enum class Liveness : std::uint8_t { Alive, Dead, OtherHost };
/// Dead also after a reboot of the same host; OtherHost also for another container's.
Liveness liveness_of(const ProcessId& process);

/// The process that runs or ran it last; nothing before its first start.
std::optional<ProcessId> process_of(const RunFolder& folder);

/// The right to write into a run folder. The trainer takes it first and keeps it to its end.
class RunLock {
 public:
  /// Locks, and leaves this_process() in the folder for others to see. Requests made to an earlier
  /// process are dropped. Throws Error naming the process that holds it.
  explicit RunLock(const RunFolder& folder);
  ~RunLock();
  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&& other) noexcept;

 private:
  int file_ = -1;
};

/// What a launcher saw of the process's end (wait status of waitpid), for status_of() to tell.
void record_exit(const RunFolder& folder, const ProcessId& process, int wait_status);

// ---- How it stands ------------------------------------------------------------------------------

struct RunStatus {
  RunState state = RunState::Draft;
  std::string reason{};  ///< for people: why it ended, or does not go on
  int rank = -1;         ///< set with Failed: the rank that failed first
  std::int64_t step = -1, tokens = 0, total_steps = 0;
  double loss = kNotMeasured, validation_loss = kNotMeasured;
  double tokens_per_second = 0;
  double created = 0;                ///< seconds since 1970
  double last_word = 0;              ///< time of the last event; 0: none
  std::optional<ProcessId> process;  ///< that runs or ran it
  std::optional<PhaseEvent> phase;   ///< what it does before its first step; nothing afterwards
  std::string host{};       ///< set where the folder is a mirror: the host on which the run is
  double last_contact = 0;  ///< with it: seconds since 1970 by this machine's clock; 0: none yet
  /// It is not running, and has a checkpoint to go on from or was stopped before its first step.
  bool can_resume = false;

  double age_seconds() const;  ///< since the last word; 0: none
};

/// From evidence alone: the last events, and whether their process is alive on this host. A dead
/// process makes an unfinished run Failed; a process of another host that has said nothing for a
/// minute makes it LostContact. A mirror (mirror_note.h) stands as its host says, and is
/// LostContact once that has been silent for a minute.
RunStatus status_of(const RunFolder& folder);

// ---- Requests -----------------------------------------------------------------------------------

/// Requests are files in control/, made under another name and renamed, so that they work over a
/// network file system, survive a reader that is busy, and are never half seen. The trainer looks
/// between steps. Signals to the process itself (app/signals.h) mean StopSaving.
enum class Control : std::uint8_t { Save, Pause, Resume, StopSaving, StopNow };
std::string_view name_of(Control control);

/// Throws Error when the run has no live process that would answer (one of another host counts).
void request_control(const RunFolder& folder, Control control);

/// A request that nobody has taken yet; its file's name is its own.
struct PendingRequest {
  std::filesystem::path file;
  Control control = Control::Save;
};
/// Oldest first. For a mirror, whose requests are handed on to the run's host.
std::vector<PendingRequest> pending_requests(const RunFolder& folder);

/// The trainer's side: takes the requests, oldest first, and removes them.
std::vector<Control> take_requests(const RunFolder& folder);
/// Whether one of them, to be taken yet, is to stop.
bool stop_requested(const RunFolder& folder);

}  // namespace tessera
