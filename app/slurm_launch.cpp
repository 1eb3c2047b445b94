// SPDX-License-Identifier: MIT
#include "app/slurm_launch.h"

#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <sstream>
#include <thread>

#include "app/commands.h"
#include "app/ranks.h"
#include "app/signals.h"
#include "app/terminal.h"
#include "app/threads.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/config/paths.h"
#include "core/history/library.h"
#include "core/launch/agent_protocol.h"
#include "core/launch/launch_place.h"
#include "core/launch/ssh.h"
#include "core/spec/curriculum.h"

namespace tessera::app {

namespace fs = std::filesystem;
using Sight = SlurmSight::Kind;

namespace {
constexpr const char* kToldOfSlurm =
    "\nstopping: the run saves first; Ctrl+C again leaves it to the cluster\n";
constexpr auto kSlurmLook = std::chrono::milliseconds(200);
constexpr double kFirstPause_s = 1, kLongestPause_s = 15, kPauseGrows = 1.5;
constexpr double kSurePause_s = 2;
constexpr int kEndsToBeSure = 2;

Slurm slurm() {
  return Slurm(SlurmOptions{.own_variables = own_thread_variables()});
}

fs::path runs_of(const std::string& asked, const SlurmProfile& profile) {
  if (!asked.empty()) return fs::absolute(asked);
  return profile.runs.empty() ? runs_folder() : resolve_path(profile.runs);
}

/// The spec for as many ranks as the profile has, with its paths in full.
RunSpec spec_for_slurm(const SlurmLaunch& asked, const SlurmProfile& profile) {
  tell_of_other_hosts(asked.spec, asked.settings);
  RunSpec spec = spec_for_ranks(
      [&](const std::vector<std::string>& more) {
        std::vector<std::string> settings = asked.settings;
        settings.insert(settings.end(), more.begin(), more.end());
        // Inside of its job a run trains where it is.
        settings.insert(settings.end(), {"host.kind=\"local\"", "host.address=\"\""});
        return load_spec(asked.spec, settings);
      },
      profile.ranks());
  make_paths_absolute(
      spec, fs::exists(asked.spec) ? fs::path(asked.spec).parent_path() : resources_folder());
  return spec;
}

void check_device(const RunSpec& spec, const SlurmProfile& profile) {
  check_gpus(spec, profile);
  if (spec.host.device == Device::Cpu && profile.gpus_per_node > 0) {
    std::fprintf(stderr,
                 "tessera: the profile %s asks for GPUs that the run does not use: host.device is "
                 "\"cpu\"\n",
                 profile.name.c_str());
  }
}

SlurmRun run_for_script(const SlurmLaunch& asked, const std::string& name) {
  return {.name = name,
          .program = fs::read_symlink("/proc/self/exe").string(),
          .variables = asked.variables,
          .most_steps = asked.most_steps};
}

// ---- The script ---------------------------------------------------------------------------------

/// The user's editor in this terminal. Throws Error where it ends badly: nothing is submitted then.
void run_editor(const fs::path& file) {
  const char* editor = std::getenv("VISUAL");
  if (!editor || !*editor) editor = std::getenv("EDITOR");
  if (!editor || !*editor) editor = "vi";
  const std::string line = fmt::format("{} \"$1\"", editor);
  std::vector<std::string> words = {"sh", "-c", line, "sh", file.string()};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  const InterruptsWork keys;  // Ctrl+C is for the editor
  pid_t child = -1;
  const int error = ::posix_spawnp(&child, "sh", nullptr, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) throw Error("editor", fmt::format("cannot be started: {}", strerror(error)));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status == 0) return;
  throw Error("editor", fmt::format("`{}` {}: nothing was submitted", editor, end_text(status)),
              "set EDITOR to the editor that you want");
}

/// Tells what is odd in an edited script. Throws Error where sbatch or bash would not take it.
void check_edited_script(const fs::path& file, const std::string& text) {
  for (const ScriptProblem& problem : check_slurm_script(text)) {
    const std::string where =
        problem.line > 0 ? fmt::format("{}, line {}", file.string(), problem.line) : file.string();
    if (problem.is_error) throw Error(where, problem.text, problem.hint);
    std::fprintf(stderr, "tessera: %s\n", Error(where, problem.text, problem.hint).what());
  }
  const std::string shell = text.substr(0, text.find('\n'));
  if (shell.find("bash") == std::string::npos && !shell.ends_with("/sh")) return;
  const HostAnswer answer =
      run_all({{"bash", "-n", file.string()}}, "", std::chrono::seconds(10)).front();
  if (answer.is_good() || answer.timed_out) return;
  std::string said = answer.errors.substr(0, answer.errors.find('\n'));
  const std::string head = file.string() + ": ";
  if (said.starts_with(head)) said.erase(0, head.size());
  throw Error(file.string(), fmt::format("is no script that bash can run: {}", said),
              "mend that line, or remove the file: it is written anew from the profile then");
}

void tell_difference(const std::string& file, const SlurmScript& script) {
  if (!script.edited || script.difference.empty()) return;
  std::fprintf(stderr, "tessera: %s was edited by hand: it %s\n", file.c_str(),
               script.difference.text().c_str());
}

/// The script lies in the folder as it is to be submitted.
void prepare_script(const SlurmLaunch& asked, const SlurmFiles& files,
                    const std::string& from_profile) {
  place_slurm_script(files, from_profile);
  if (!asked.script.empty()) edit_slurm_script(files, read_file(asked.script));
  if (asked.edit) run_editor(files.script());
  const SlurmScript script = look_at_slurm_script(files, from_profile);
  tell_difference(files.script().string(), script);
  const bool more = asked.most_steps > 0 || !asked.variables.empty();
  if (more && script.edited && !script.difference.empty()) {
    std::fprintf(
        stderr,
        "tessera: --most-steps and --env would stand in the script, which is kept as it was "
        "edited: write them there\n");
  }
  check_edited_script(files.script(), script.text);
}

/// What would be submitted, without making or changing anything.
void show_script(const SlurmLaunch& asked, const SlurmProfile& profile) {
  if (asked.resume.empty()) {
    const RunSpec spec = spec_for_slurm(asked, profile);
    check_device(spec, profile);
    const std::string given = slurm_script(profile, run_for_script(asked, spec.run.name));
    SlurmScript script{.text = given, .difference = {}};
    if (!asked.script.empty()) {
      script.text = read_file(asked.script);
      script.difference = compare_scripts(given, script.text);
      script.edited = !script.difference.empty();
    }
    std::fputs(script.text.c_str(), stdout);
    return tell_difference(asked.script, script);
  }
  const RunFolder folder = RunFolder::find(asked.resume, runs_of(asked.runs, profile));
  const SlurmFiles files{folder.path()};
  const SlurmScript script = look_at_slurm_script(
      files, slurm_script(profile, run_for_script(asked, folder.spec().run.name)));
  std::fputs(script.text.c_str(), stdout);
  tell_difference(files.script().string(), script);
}

// ---- Submitting ---------------------------------------------------------------------------------

SlurmRecord keep_job(const RunFolder& folder, const std::string& profile, const std::string& job) {
  const SlurmRecord before = slurm_record_of(folder.path()).value_or(SlurmRecord{});
  SlurmRecord record;
  record.earlier = before.earlier;
  if (!before.is_new()) record.earlier.push_back(before.job);
  record.profile = profile;
  record.job = job;
  record.submitted = clock_now();
  record.save({folder.path()});
  return record;
}

/// Before it is submitted, so that a job is found again whose number nobody had time to write down.
void keep_that_it_is_submitted(const RunFolder& folder, const std::string& profile) {
  SlurmRecord record;
  if (const auto before = slurm_record_of(folder.path())) {
    record.earlier = before->earlier;
    if (!before->is_new()) record.earlier.push_back(before->job);
  }
  record.profile = profile;
  record.save({folder.path()});
}

/// The run is listed here, also where its folder is not the usual one.
void list_run_here(const RunFolder& folder) {
  std::error_code none;
  if (fs::equivalent(folder.path().parent_path(), runs_folder(), none)) return;
  Library().add_root(folder.path().parent_path());
}

/// Where whoever has submitted it was killed before the job's number was written down, Slurm is
/// asked for it. Throws Error where Slurm does not say.
SlurmRecord with_its_job(const RunFolder& folder, const SlurmRecord& record) {
  if (!record.is_new()) return record;
  const std::string job = slurm().job_of_folder(folder.path());
  return job.empty() ? record : keep_job(folder, record.profile, job);
}

/// Throws Error where the run has a job that has not ended.
void check_no_job(const RunFolder& folder) {
  const auto record = slurm_record_of(folder.path());
  if (!record) return;
  std::string trouble;
  const SlurmRecord now = look_at_slurm_job(folder, with_its_job(folder, *record), &trouble);
  if (!trouble.empty()) {
    throw Error(
        folder.id(),
        fmt::format("has job {}, and Slurm does not say how it stands: {}", now.job, trouble),
        "try again once `squeue` answers");
  }
  if (!now.is_open()) return;
  throw Error(folder.id(), fmt::format("has a job already: {}", now.text(clock_now())),
              fmt::format("`tessera launch --attach {0}` follows it, `tessera stop {0}` ends it",
                          folder.id()));
}

RunFolder folder_to_submit(const SlurmLaunch& asked, const SlurmProfile& profile) {
  const fs::path runs = runs_of(asked.runs, profile);
  if (asked.resume.empty()) {
    const RunSpec spec = spec_for_slurm(asked, profile);
    check_device(spec, profile);
    return RunFolder::create(runs, spec);
  }
  const RunFolder folder = RunFolder::find(asked.resume, runs);
  check_ranks(folder.spec(), profile.ranks());
  check_device(folder.spec(), profile);
  check_no_job(folder);
  const RunStatus status = status_of(folder);
  if (status.state == RunState::Finished) {
    throw Error(folder.id(), "is finished: there is nothing to go on with");
  }
  return folder;
}

// ---- Following ----------------------------------------------------------------------------------

/// Asks Slurm in a thread of its own, as it may keep whoever asks waiting.
class JobWatch {
 public:
  JobWatch(const RunFolder& folder, SlurmRecord record)
      : folder_(folder), record_(std::move(record)) {}

  const SlurmRecord& record() const { return record_; }
  /// Nothing the job does any more changes its end.
  bool is_over() const { return ends_ >= kEndsToBeSure; }
  /// A line for people where something is new; else empty.
  std::string look() {
    if (answer_.valid()) {
      if (answer_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return "";
      return take(answer_.get());
    }
    if (Clock::now() >= next_) {
      answer_ = std::async(std::launch::async, [job = record_.job] { return slurm().look(job); });
    }
    return "";
  }

 private:
  using Clock = std::chrono::steady_clock;

  std::string take(const SlurmSight& sight) {
    const bool changed = record_.take(sight, clock_now());
    pause_s_ = changed ? kFirstPause_s : std::min(pause_s_ * kPauseGrows, kLongestPause_s);
    // NOTE: between the end of one start and its place in the queue for the next a job looks as if
    // it had ended.
    const bool over =
        sight.kind == Sight::Gone || (sight.kind == Sight::Seen && tessera::is_over(sight.job));
    ends_ = over ? ends_ + 1 : 0;
    if (over) pause_s_ = kSurePause_s;
    next_ = Clock::now() + std::chrono::milliseconds(static_cast<int>(pause_s_ * 1000));
    record_.save({folder_.path()});
    if (sight.kind == Sight::NoAnswer) {
      const bool told = std::exchange(trouble_, sight.trouble) == sight.trouble;
      return told ? ""
                  : fmt::format("Slurm does not answer: {}; {}", sight.trouble,
                                record_.text(clock_now()));
    }
    trouble_.clear();
    return changed ? record_.text(clock_now()) : "";
  }

  const RunFolder& folder_;
  SlurmRecord record_;
  std::future<SlurmSight> answer_;
  Clock::time_point next_{};
  double pause_s_ = kFirstPause_s;
  int ends_ = 0;
  std::string trouble_;
};

/// The last lines that the job has printed, on one line.
std::string last_words_of(const fs::path& output) {
  std::error_code error;
  if (!fs::exists(output, error)) return "";
  std::istringstream lines(read_file(output));
  std::vector<std::string> last;
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" \t\r") != line.npos) last.push_back(line);
    constexpr std::size_t kMostLines = 3;
    if (last.size() > kMostLines) last.erase(last.begin());
  }
  return fmt::format("{}", fmt::join(last, " | "));
}

std::string next_step_of(const SlurmRecord& record, const RunFolder& folder) {
  const std::string again = fmt::format("`tessera launch --resume {} --slurm {}`", folder.id(),
                                        record.profile.empty() ? "PROFILE" : record.profile);
  if (record.last.state == "TIMEOUT") {
    return fmt::format(
        "{} goes on from the newest checkpoint; a larger `warn_s` in the profile lets "
        "the run save in time and go back into the queue",
        again);
  }
  if (record.last.state == "OUT_OF_MEMORY") {
    return fmt::format("set `memory` in the profile to more; {} goes on", again);
  }
  return fmt::format("{} goes on from the newest checkpoint; {} has all that the job printed",
                     again, SlurmFiles{folder.path()}.output(record.job).string());
}

/// Tells how the job ended, and ends as it did.
void tell_end(const RunFolder& folder, const SlurmRecord& record) {
  const RunStatus status = status_of(folder);
  const std::string job = record.text(clock_now());
  const bool well = status.state == RunState::Finished || status.state == RunState::Stopped;
  if (well) {
    std::printf("%s%s%s\n", std::string(name_of(status.state)).c_str(),
                status.reason.empty() ? "" : ": ", status.reason.c_str());
    if (status.state == RunState::Stopped) {
      std::printf("go on with it:  tessera launch --resume %s --slurm %s\n", folder.path().c_str(),
                  record.profile.empty() ? "PROFILE" : record.profile.c_str());
    }
    if (record.last.state == "TIMEOUT") {
      std::printf(
          "it was not put back into the queue: with a larger `warn_s` in its profile it is\n");
    }
    return;
  }
  std::string what = job;
  if (status.state == RunState::Failed && !status.reason.empty()) {
    what += "; the run failed: " + status.reason;
  } else {
    const std::string words = last_words_of(SlurmFiles{folder.path()}.output(record.job));
    if (!words.empty()) what += "; it printed last: " + words;
  }
  throw Error(folder.id(), what, next_step_of(record, folder));
}

/// Its record was made, and no job came of it.
Error was_not_submitted(const RunFolder& folder, const SlurmRecord& record) {
  return Error(folder.id(), "has no job in Slurm: it was not submitted",
               fmt::format("`tessera launch --resume {} --slurm {}` submits it", folder.id(),
                           record.profile.empty() ? "PROFILE" : record.profile));
}

RunView view_of_run(const RunFolder& folder) {
  const Curriculum curriculum(folder.spec());
  return {curriculum.total_steps(), curriculum.total_tokens()};
}

/// It may have come to its end by itself meanwhile, which the watch then sees.
void stop_what_is_followed(const RunFolder& folder) {
  try {
    stop_slurm_run(folder, /*now=*/false);
  } catch (const Error& error) {
    std::fprintf(stderr, "tessera: %s\n", error.what());
  }
}

/// To the end of the job, or until whoever follows has pressed Ctrl+C twice.
void follow_job(const RunFolder& folder, const SlurmRecord& record, bool from_now) {
  leave_on_hangup(kToldOfSlurm);
  const std::atomic<bool>& stop = stop_on_signals();
  RunView view = view_of_run(folder);
  EventReader events(folder.events_path());
  std::error_code none;
  const std::uintmax_t size = fs::file_size(folder.events_path(), none);
  if (from_now && !none && size > 0) events.seek_offset(size);
  JobWatch watch(folder, record);
  bool stopped = false;
  while (true) {
    for (const Event& event : events.poll(4096)) view.event(event);
    const std::string said = watch.look();
    if (!said.empty()) {
      view.finish_line();
      std::printf("%s\n", said.c_str());
      std::fflush(stdout);
    }
    if (watch.is_over()) break;
    if (stop && !std::exchange(stopped, true)) {
      view.finish_line();
      stop_what_is_followed(folder);
    }
    std::this_thread::sleep_for(kSlurmLook);
  }
  for (const Event& event : events.poll()) view.event(event);
  view.finish_line();
  if (stopped && watch.record().last.state == "CANCELLED") return;
  tell_end(folder, watch.record());
}

/// A folder that was made for a job that Slurm has refused, and in which nobody has written, goes.
void remove_unless_edited(const SlurmLaunch& asked, const RunFolder& folder) {
  if (!asked.resume.empty()) return;
  // The window has the script still.
  if (asked.start_files.empty() && (asked.edit || !asked.script.empty())) {
    std::fprintf(stderr,
                 "tessera: the script is kept in %s; once it is mended: tessera launch --resume %s "
                 "--slurm %s\n",
                 SlurmFiles{folder.path()}.script().c_str(), folder.path().c_str(),
                 asked.profile.c_str());
    return;
  }
  std::error_code error;
  fs::remove_all(folder.path(), error);
  if (error) {
    std::fprintf(stderr, "tessera: %s is left, and cannot be removed: %s\n", folder.path().c_str(),
                 error.message().c_str());
  }
}
/// Nothing of a submission that came to nothing is left; what cannot be taken back is told.
void take_back(const SlurmLaunch& asked, const RunFolder& folder,
               const std::optional<SlurmRecord>& before) {
  try {
    take_back_submission({folder.path()}, before);
  } catch (const Error& error) {
    std::fprintf(stderr, "tessera: %s\n", error.what());
  }
  remove_unless_edited(asked, folder);
}

/// The job's record. It is in the folder before the job is in the queue, so that a job is found
/// again whatever ends this program.
SlurmRecord submit_run(const SlurmLaunch& asked, const SlurmProfile& profile,
                       const RunFolder& folder, const StartReport& report,
                       const std::atomic<bool>* stop) {
  const auto before = slurm_record_of(folder.path());
  std::string job;
  try {
    prepare_script(asked, {folder.path()},
                   slurm_script(profile, run_for_script(asked, folder.spec().run.name)));
    check_not_stopped(stop);
    keep_that_it_is_submitted(folder, profile.name);
    report.begin(folder.path().string());
    job = slurm().submit(folder.path());
  } catch (...) {
    take_back(asked, folder, before);
    throw;
  }
  const SlurmRecord record = keep_job(folder, profile.name, job);
  if (!is_set(stop)) return record;
  slurm().cancel(job);  // where Slurm does not take it, the record names the job
  take_back(asked, folder, before);
  check_not_stopped(stop);
  return record;
}
}  // namespace

SlurmRecord look_at_slurm_job(const RunFolder& folder, SlurmRecord record, std::string* trouble) {
  if (!record.is_open()) return record;
  const SlurmSight sight = slurm().look(record.job);
  if (trouble) *trouble = sight.trouble;
  record.take(sight, clock_now());
  if (sight.kind != Sight::NoAnswer) {
    if (trouble) trouble->clear();
    record.save({folder.path()});
  }
  return record;
}

void launch_on_slurm(const SlurmLaunch& asked) {
  const SlurmProfile profile = load_slurm_profile(slurm_profiles_folder(), asked.profile);
  if (asked.show) return show_script(asked, profile);
  slurm().require_here();
  const StartReport report(asked.start_files);
  // Whoever started this as a program may end it; a job that was just submitted goes with it.
  const std::atomic<bool>* const stop = report.is_wanted() ? &stop_on_signals() : nullptr;
  report.phase(StartPhase::Kind::Submitting);
  const RunFolder folder = folder_to_submit(asked, profile);
  const bool has_events = fs::exists(folder.events_path());
  const SlurmRecord record = submit_run(asked, profile, folder, report, stop);
  if (report.is_wanted()) list_run_here(folder);
  report.begun(folder.path().string());
  std::printf("run %s\njob %s: %lld ranks on %lld nodes, by the profile %s\n",
              folder.path().c_str(), record.job.c_str(), static_cast<long long>(profile.ranks()),
              static_cast<long long>(profile.nodes), profile.name.c_str());
  std::fflush(stdout);
  if (report.is_wanted()) return;
  if (!asked.detach) return follow_job(folder, record, has_events);
  std::printf("follow it:  tessera launch --attach %s\n", folder.path().c_str());
}

std::optional<RunFolder> run_on_slurm(const std::string& name, const std::string& runs) {
  if (name.empty()) return {};
  try {
    RunFolder folder = RunFolder::find(name, runs.empty() ? runs_folder() : fs::path(runs));
    if (slurm_record_of(folder.path())) return folder;
  } catch (const Error&) {
    // It is the name of something else, or of nothing: whoever asks says so.
  }
  return {};
}

void find_slurm_start(const RunFolder& folder, const StartReport& report) {
  report.phase(StartPhase::Kind::Asking);
  const auto record = slurm_record_of(folder.path());
  if (!record) throw Exit{kNothingWasStarted};
  if (with_its_job(folder, *record).is_new()) {
    // A job may have come to its end meanwhile: then something has run in the folder.
    const bool has_run = process_of(folder).has_value() && record->earlier.empty();
    if (!has_run) {
      // Nothing ever ran in it, and the same start makes another one.
      std::error_code none;
      if (record->earlier.empty()) fs::remove_all(folder.path(), none);
      throw Exit{kNothingWasStarted};
    }
  }
  list_run_here(folder);
  report.begun(folder.path().string());
}

bool has_slurm_job(const RunFolder& folder) {
  const auto record = slurm_record_of(folder.path());
  return record && (record->is_open() || record->is_new());
}

void follow_slurm_run(const RunFolder& folder) {
  const auto kept = slurm_record_of(folder.path());
  if (!kept) throw Error(folder.id(), "has no job in Slurm");
  const SlurmRecord record = with_its_job(folder, *kept);
  if (record.is_new()) throw was_not_submitted(folder, record);
  if (!record.is_open()) return tell_end(folder, record);
  follow_job(folder, record, /*from_now=*/true);
}

bool stop_slurm_run(const RunFolder& folder, bool now) {
  const auto kept = slurm_record_of(folder.path());
  if (!kept) throw Error(folder.id(), "has no job in Slurm");
  std::string trouble;
  SlurmRecord record = *kept;
  try {
    record = look_at_slurm_job(folder, with_its_job(folder, *kept), &trouble);
  } catch (const Error& error) {
    trouble = error.what_failed();
  }
  const RunStatus status = status_of(folder);
  const bool trains = status.process && !is_final(status.state) && status.state != RunState::Draft;
  if (!trouble.empty()) {
    // The run's folder is reached without Slurm.
    std::fprintf(stderr, "tessera: Slurm does not answer: %s\n", trouble.c_str());
    request_control(folder, now ? Control::StopNow : Control::StopSaving);
    std::printf("asked %s to stop, by its folder\n", folder.id().c_str());
    return true;
  }
  const bool over = !record.is_open();
  if (over && trains) {  // it was resumed without Slurm
    request_control(folder, now ? Control::StopNow : Control::StopSaving);
    return true;
  }
  if (record.is_new()) throw was_not_submitted(folder, record);
  if (over) {
    throw Error(folder.id(), fmt::format("is not running: {}", record.text(clock_now())),
                next_step_of(record, folder));
  }
  if (!is_waiting(record.last) && trains && !now) {
    request_control(folder, Control::StopSaving);
    std::printf("asked %s to save and stop; its job %s ends then\n", folder.id().c_str(),
                record.job.c_str());
    std::fflush(stdout);
    return true;
  }
  slurm().cancel(record.job, now && !is_waiting(record.last));
  std::printf("job %s is cancelled: %s\n", record.job.c_str(),
              is_waiting(record.last) ? "it waited in the queue"
              : now                   ? "all its ranks end, unsaved"
                                      : "it had not begun to train");
  std::fflush(stdout);
  return false;
}

}  // namespace tessera::app
