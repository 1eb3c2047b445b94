// SPDX-License-Identifier: MIT
// runs, watch, stop, control.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "app/commands.h"
#include "app/mirrors.h"
#include "app/signals.h"
#include "app/slurm_launch.h"
#include "app/terminal.h"
#include "core/base/error.h"
#include "core/config/paths.h"
#include "core/history/library.h"
#include "core/history/time_left.h"
#include "core/launch/agent_protocol.h"
#include "core/launch/run_teller.h"
#include "core/spec/curriculum.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
struct Options {
  std::string run, runs, action;
  bool json = false, all = false, now = false, follow = false, once = false, raw = false;
  std::uint64_t from = 0;

  fs::path runs_path() const { return runs.empty() ? runs_folder() : fs::path(runs); }
  RunFolder folder() const { return RunFolder::find(run, runs_path()); }
};

std::string loss_text(double loss) {
  return std::isnan(loss) ? "-" : fmt::format("{:.4f}", loss);
}

std::string state_text(const RunStatus& status) {
  std::string text(name_of(status.state));
  if (status.phase && !is_final(status.state)) {
    const PhaseEvent& p = *status.phase;
    text += ", " + phase_text({p.phase, p.done, p.total, p.unit});
  }
  return text;
}

/// Why it stands as it does: the run's own word, and what Slurm said last where it has a job there.
std::string reason_text(const fs::path& folder, const RunStatus& status) {
  std::string text = status.reason;
  try {
    const auto record = slurm_record_of(folder);
    if (!record || record->is_new() || status.state == RunState::Finished) return text;
    if (!text.empty()) text += "; ";
    return text + record->text(clock_now());
  } catch (const Error& error) {
    return text.empty() ? error.what() : text;
  }
}

nlohmann::json phase_json(const RunStatus& status) {
  if (!status.phase || is_final(status.state)) return {};
  const PhaseEvent& p = *status.phase;
  return {{"phase", p.phase}, {"done", p.done}, {"total", p.total}, {"unit", p.unit}};
}

/// While it trains; NaN otherwise.
double time_left(const fs::path& folder, const RunStatus& status) {
  if (status.state != RunState::Running && status.state != RunState::Saving) return kNotMeasured;
  const RunFolder run = RunFolder::open(folder);
  return seconds_left(run.events_path(), total_tokens_of(read_spec(run.spec_path()).spec));
}

nlohmann::json status_json(const RunRow& row, const RunStatus& status, double left) {
  return {{"id", row.id},
          {"folder", row.folder.string()},
          {"host", status.host},
          {"last_contact", status.last_contact},
          {"state", name_of(status.state)},
          {"reason", reason_text(row.folder, status)},
          {"phase", phase_json(status)},
          {"step", status.step},
          {"total_steps", status.total_steps},
          {"seconds_left", std::isnan(left) ? nlohmann::json() : nlohmann::json(left)},
          {"tokens", status.tokens},
          {"loss", std::isnan(status.loss) ? nlohmann::json() : nlohmann::json(status.loss)},
          {"validation_loss", std::isnan(status.validation_loss)
                                  ? nlohmann::json()
                                  : nlohmann::json(status.validation_loss)},
          {"created", status.created},
          {"can_resume", status.can_resume}};
}

void list_runs(const Options& options) {
  keep_mirrors_going();
  Library library;
  if (!library.recovery().empty())
    std::fprintf(stderr, "tessera: %s\n", library.recovery().c_str());
  if (!options.runs.empty()) library.add_root(fs::absolute(options.runs));
  library.refresh();
  bool any_remote = false;
  std::vector<std::vector<std::string>> rows;
  nlohmann::json list = nlohmann::json::array();
  for (const RunRow& row : library.runs(options.all)) {
    if (row.missing) continue;
    const RunStatus status = status_of(RunFolder::open(row.folder));
    const double left = time_left(row.folder, status);
    list.push_back(status_json(row, status, left));
    any_remote = any_remote || !status.host.empty();
    rows.push_back({row.id, status.host.empty() ? "here" : status.host, state_text(status),
                    fmt::format("{}/{}", status.step + 1, status.total_steps),
                    std::isnan(left) ? "-" : duration(left),
                    count(static_cast<double>(status.tokens)), loss_text(status.loss),
                    loss_text(status.validation_loss), duration(status.age_seconds()) + " ago",
                    reason_text(row.folder, status)});
  }
  if (options.json) {
    std::printf("%s\n", list.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  } else if (rows.empty()) {
    std::printf("No runs yet. Start one:  tessera demo\n");
  } else {
    std::vector<std::string> head = {"run",    "host", "state",      "steps",     "left",
                                     "tokens", "loss", "validation", "last word", "reason"};
    if (!any_remote) {
      head.erase(head.begin() + 1);
      for (auto& row : rows) row.erase(row.begin() + 1);
    }
    std::fputs(table(head, rows).c_str(), stdout);
  }
}

/// The events as they stand in the log, for programs: a word a line (core/launch/run_words.h).
void watch_raw(const RunFolder& folder, const Options& options) {
  std::signal(SIGPIPE, SIG_IGN);
  RunAsk ask;
  ask.run = folder.path().string();
  ask.follow = !options.once;
  tell_run(folder, ask, {.out = STDOUT_FILENO, .from = options.from, .stop = &stop_on_signals()});
}

/// Prints what is in the log from a sequence number on, and what comes until the run has ended.
void watch(const Options& options) {
  const RunFolder folder = options.folder();
  if (options.raw) return watch_raw(folder, options);
  if (is_mirror(folder.path())) keep_mirrors_going();
  const std::atomic<bool>& stop = stop_on_signals();
  EventReader reader(folder.events_path());
  if (options.from > 0) reader.seek_sequence(options.from);
  const Curriculum curriculum(folder.spec());
  RunView view(curriculum.total_steps(), curriculum.total_tokens());
  while (!stop) {
    const std::vector<Event> events = reader.poll(4096);
    for (const Event& event : events) {
      if (options.json) {
        std::printf("%s\n", to_json_line(event).c_str());
      } else {
        view.event(event);
      }
    }
    if (std::fflush(stdout) != 0) break;  // nobody reads any more: `tessera watch RUN | head`
    if (!events.empty()) continue;
    const RunState state = status_of(folder).state;
    if (options.once || is_final(state)) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  view.finish_line();
  for (const LogDamage& damage : reader.damage()) {
    std::fprintf(stderr, "tessera: %s: %s\n", folder.events_path().c_str(), damage.text().c_str());
  }
}

/// Asks, then waits until the run has stopped: it ends what it cannot leave half done and saves,
/// and a large checkpoint takes its time. Ctrl+C ends the waiting, not the request.
void stop_run(const Options& options) {
  const RunFolder folder = options.folder();
  if (is_mirror(folder.path())) keep_mirrors_going();
  if (has_slurm_job(folder)) {
    if (!stop_slurm_run(folder, options.now)) return;
  } else {
    request_control(folder, options.now ? Control::StopNow : Control::StopSaving);
    std::printf("asked %s to stop%s\n", folder.id().c_str(), options.now ? " without saving" : "");
    std::fflush(stdout);
  }
  std::string told;
  for (int i = 0;; ++i) {
    const RunStatus status = status_of(folder);
    if (is_final(status.state)) {
      std::printf("%s%s%s\n", std::string(name_of(status.state)).c_str(),
                  status.reason.empty() ? "" : ": ", status.reason.c_str());
      return;
    }
    if (status.state == RunState::LostContact) throw Error(folder.id(), status.reason);
    if (i >= 100 && i % 50 == 0 && state_text(status) != told) {
      told = state_text(status);
      std::printf("it is %s\n", told.c_str());
      std::fflush(stdout);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

void control(const Options& options) {
  const RunFolder folder = options.folder();
  if (is_mirror(folder.path())) keep_mirrors_going();
  const Control request = options.action == "pause"     ? Control::Pause
                          : options.action == "unpause" ? Control::Resume
                                                        : Control::Save;
  request_control(folder, request);
  std::printf("asked %s to %s\n", folder.id().c_str(), options.action.c_str());
}

std::shared_ptr<Options> add_options(CLI::App& command, bool takes_run) {
  auto options = std::make_shared<Options>();
  if (takes_run) {
    command.add_option("run", options->run, "Its folder, its name, or how that begins")->required();
  }
  command.add_option("--runs", options->runs, "Folder of the runs")->type_name("DIR");
  return options;
}
}  // namespace

void add_runs(CLI::App& app) {
  auto* command = app.add_subcommand("runs", "List runs and how they stand");
  auto options = add_options(*command, false);
  command->add_flag("--json", options->json, "As JSON");
  command->add_flag("--all", options->all, "Archived ones too");
  command->callback([options] { list_runs(*options); });
}

void add_watch(CLI::App& app) {
  auto* command = app.add_subcommand("watch", "Follow the events of a run");
  auto options = add_options(*command, true);
  command->add_flag("--json", options->json, "One JSON object per event and line");
  command->add_option("--from", options->from, "First sequence number to show");
  auto* once = command->add_flag("--once", options->once, "Show what is there and end");
  command->add_flag("--follow", options->follow, "Until the run has ended: what it does anyway")
      ->excludes(once);
  auto* raw = command->add_flag("--raw", options->raw,
                                "For programs: events as they stand in the log, logs, and beats");
  raw->excludes(command->get_option("--json"));
  command->callback([options] { watch(*options); });
}

void add_stop(CLI::App& app) {
  auto* command = app.add_subcommand("stop", "Save and stop a run");
  auto options = add_options(*command, true);
  command->add_flag("--now", options->now, "Without saving");
  command->callback([options] { stop_run(*options); });
}

void add_control(CLI::App& app) {
  auto* command = app.add_subcommand("control", "Pause or unpause a run, or let it save");
  auto options = std::make_shared<Options>();
  command->add_option("action", options->action, "pause, unpause or save")
      ->required()
      ->check(CLI::IsMember({"pause", "unpause", "save"}));
  command->add_option("run", options->run, "Its folder, its name, or how that begins")->required();
  command->add_option("--runs", options->runs, "Folder of the runs")->type_name("DIR");
  command->callback([options] { control(*options); });
}

}  // namespace tessera::app
