// SPDX-License-Identifier: MIT
// queue: runs that wait for a machine, and the process that starts them.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "app/commands.h"
#include "app/host_options.h"
#include "app/mirrors.h"
#include "app/queue.h"
#include "app/ranks.h"
#include "app/signals.h"
#include "app/sweep_stops.h"
#include "app/terminal.h"
#include "core/base/error.h"
#include "core/config/paths.h"
#include "core/history/library.h"
#include "core/launch/launch_desk.h"
#include "core/launch/local_host.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
constexpr auto kLookAtRuns = std::chrono::milliseconds(100);
constexpr auto kLookAround = std::chrono::seconds(2);

struct QueueOptions {
  std::string spec, resume, entry;
  std::vector<std::string> settings, entries;
  std::int64_t to = 1;
  bool first = false, json = false;
  HostOptions hosts;
  std::string slurm;
};

bool something_waits(const RunQueue& queue) {
  return !queue.paused && std::any_of(queue.entries.begin(), queue.entries.end(),
                                      [](const QueueEntry& e) { return e.problem.empty(); });
}

std::unique_ptr<LocalHost> this_machine() {
  return std::make_unique<LocalHost>(LocalHost::Paths{
      .launches = home_folder() / "launches",
      .program = running_program,
      .folder_of =
          [](const std::string& run) {
            if (const auto row = Library().run(run)) return row->folder;
            return RunFolder::find(run, runs_folder()).path();
          },
      .roots = [] { return Library().roots(); },
      .launched = home_folder() / "launched",
      .mirrors = mirror_list_folder(),
  });
}

std::string standing_of(const RunQueue& queue, std::size_t at) {
  const QueueEntry& entry = queue.entries[at];
  if (!entry.problem.empty()) return "cannot start: " + entry.problem;
  if (!entry.announced.empty()) return "starting";
  if (queue.paused) return "waits: the queue is paused";
  return "waits";
}

/// The entry with this place (1, 2, ...), id, begin of an id, or name.
std::string entry_id(const RunQueue& queue, const std::string& named) {
  std::vector<std::string> found;
  for (std::size_t i = 0; i < queue.entries.size(); ++i) {
    const QueueEntry& entry = queue.entries[i];
    if (std::to_string(i + 1) == named || entry.id == named) return entry.id;
    if (entry.name == named || (named.size() >= 4 && entry.id.starts_with(named))) {
      found.push_back(entry.id);
    }
  }
  if (found.size() == 1) return found.front();
  throw Error("queue",
              found.empty() ? fmt::format("has no entry \"{}\"", named)
                            : fmt::format("has several entries \"{}\"", named),
              "`tessera queue list` shows them with their numbers");
}

void list_queue(const QueueOptions& options) {
  QueueFile file = queue_file();
  file.refresh();
  const RunQueue& queue = file.queue();
  begin_holder(file);
  if (options.json) {
    nlohmann::json entries = nlohmann::json::array();
    for (std::size_t i = 0; i < queue.entries.size(); ++i) {
      const QueueEntry& e = queue.entries[i];
      entries.push_back({{"id", e.id},
                         {"name", e.name},
                         {"resume", e.resume},
                         {"fork_from", e.fork_from},
                         {"place", e.place.text()},
                         {"standing", standing_of(queue, i)}});
    }
    nlohmann::json begun = nlohmann::json::array();
    for (const QueueStart& start : queue.begun) {
      begun.push_back({{"entry", start.entry}, {"name", start.name}, {"run", start.run}});
    }
    const nlohmann::json all{{"paused", queue.paused}, {"entries", entries}, {"begun", begun}};
    std::printf("%s\n", all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return;
  }
  if (queue.entries.empty()) {
    std::printf("No run waits. Add one:  tessera queue add SPEC\n");
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < queue.entries.size(); ++i) {
    const QueueEntry& e = queue.entries[i];
    rows.push_back(
        {std::to_string(i + 1), e.name, e.id.substr(0, 8), e.place.text(), standing_of(queue, i)});
  }
  std::fputs(table({"", "name", "id", "place", "standing"}, rows).c_str(), stdout);
}

/// Where an entry is to be started. What it names is looked at now: nobody looks on later.
LaunchPlace place_for(const QueueOptions& options) {
  const HostOptions& hosts = options.hosts;
  LaunchPlace place;
  const bool far = !hosts.hosts.empty() || !hosts.host_file.empty() || hosts.local > 0;
  if (!options.slurm.empty() && far) {
    throw Error("queue add", "--slurm and hosts are two places", "leave one of the two out");
  }
  if (!options.slurm.empty()) {
    place.kind = LaunchPlace::Kind::Slurm;
    place.profile = load_slurm_profile(slurm_profiles_folder(), options.slurm).name;
  } else if (far) {
    place.kind = LaunchPlace::Kind::Hosts;
    place.local = hosts.local;
    std::vector<std::string> names;
    for (const HostSlots& one : hosts.list()) {
      if (!one.host.empty()) names.push_back(fmt::format("{}:{}", one.host, one.ranks));
    }
    place.hosts = fmt::format("{}", fmt::join(names, ","));
    place.program = hosts.program;
    const std::string ssh = ssh_command(hosts);
    if (ssh != "ssh") place.ssh = ssh;
    place.copy = hosts.copy;
  } else if (!hosts.folder.empty() || hosts.copy || !hosts.program.empty()) {
    throw Error("queue add", "--folder, --copy and --program are for other hosts",
                "name them: --hosts a:4,b:4");
  }
  place.folder = hosts.folder;
  // Whoever holds the queue starts it from another folder; a folder of hosts is found by them.
  const bool is_here = place.kind == LaunchPlace::Kind::Slurm || place.local > 0;
  if (is_here && !place.folder.empty()) place.folder = fs::absolute(place.folder).string();
  return place;
}

/// The spec for as many ranks as there are at its place.
RunSpec spec_for_place(const QueueOptions& options, const LaunchPlace& place) {
  if (place.is_here()) return spec_for_queue(options.spec, options.settings);
  std::vector<std::string> settings = options.settings;
  settings.insert(settings.end(), {"host.kind=\"local\"", "host.address=\"\""});
  RunSpec spec = spec_for_queue(options.spec, settings);
  SlurmProfile profile;
  const bool slurm = place.kind == LaunchPlace::Kind::Slurm;
  if (slurm) profile = load_slurm_profile(slurm_profiles_folder(), place.profile);
  ranks_at_place(place, spec, slurm ? &profile : nullptr);
  return spec;
}

void add_entry(const QueueOptions& options) {
  if (options.spec.empty() == options.resume.empty()) {
    throw Error("queue add", options.spec.empty() ? "nothing to run is named" : "too much is named",
                "a spec or preset, or --resume RUN");
  }
  QueueEntry entry;
  const LaunchPlace place = place_for(options);
  if (!options.resume.empty()) {
    const RunFolder run = RunFolder::find(options.resume, runs_folder());
    entry = entry_to_resume(run.id());
  } else {
    entry = entry_of_spec(spec_for_place(options, place));
  }
  entry.place = place;
  QueueFile file = queue_file();
  file.change([&](RunQueue& queue) {
    queue.add(entry);
    if (options.first) queue.move(entry.id, 0);
  });
  const auto& entries = file.queue().entries;
  const auto at = std::find(entries.begin(), entries.end(), entry) - entries.begin();
  std::printf("%s is number %td in the queue\n", entry.name.c_str(), at + 1);
  if (file.queue().paused)
    std::printf("the queue is paused; `tessera queue unpause` lets it go on\n");
  begin_holder(file);
}

void change_queue(const std::function<void(RunQueue&)>& change) {
  QueueFile file = queue_file();
  file.change(change);
  begin_holder(file);
}

void move_entry(const QueueOptions& options) {
  change_queue([&](RunQueue& queue) {
    queue.move(entry_id(queue, options.entry), static_cast<int>(options.to) - 1);
  });
}

void remove_entries(const QueueOptions& options) {
  change_queue([&](RunQueue& queue) {
    std::vector<std::string> ids;
    for (const std::string& named : options.entries) ids.push_back(entry_id(queue, named));
    for (const std::string& id : ids) queue.remove(id);
  });
}

void retry_entry(const QueueOptions& options) {
  change_queue(
      [&](RunQueue& queue) { queue.find(entry_id(queue, options.entry))->problem.clear(); });
}

/// What the holder does, for its log.
class HolderView : public LaunchListener {
 public:
  void begun(const LaunchOrder& order, const std::string& run) override {
    tell(fmt::format("{} has begun as {}", order.tag, run));
  }
  void start_failed(const LaunchOrder& order, const std::string& message, int code) override {
    tell(fmt::format("{} could not start (exit status {}): {}", order.tag, code, message));
  }
  void ended(const std::string& run, int code) override {
    tell(fmt::format("{} has ended with exit status {}", run, code));
  }
  void queue_changed(const RunQueue&) override {}
  void running_changed(const std::string& run) override {
    if (!run.empty()) tell(fmt::format("{} has this machine", run));
  }
  void trouble(const std::string& message) override { tell(message); }
  void queue_set_aside(const std::string& message, const std::string& aside) override {
    tell(fmt::format("{}; it lies at {} now", message, aside));
  }

 private:
  static void tell(const std::string& line) {
    std::printf("%s %s\n", fmt::format("{:%F %T}", fmt::localtime(std::time(nullptr))).c_str(),
                line.c_str());
    std::fflush(stdout);
  }
};

/// Until nothing waits and what was started has ended; its ends are told then too.
void hold_queue(const std::atomic<bool>& stop) {
  HolderView view;
  LaunchDesk desk(this_machine(), queue_file().path(), view);
  desk.open();
  if (!desk.holds_queue()) return;
  SweepStops stops;
  auto around = std::chrono::steady_clock::time_point();
  while (!stop && (desk.look() || something_waits(desk.queue()))) {
    if (std::chrono::steady_clock::now() - around >= kLookAround) {
      around = std::chrono::steady_clock::now();
      desk.look_around();
      stops.look();
    }
    std::this_thread::sleep_for(kLookAtRuns);
  }
}

void run_queue() {
  const std::atomic<bool>& stop = stop_on_signals();
  while (!stop) {
    QueueFile file = queue_file();
    file.refresh();
    // Whoever changes the queue looks at the lock afterwards, and this at the queue once the lock
    // is free: one of the two sees the other.
    if (!something_waits(file.queue()) || file.has_holder()) return;
    hold_queue(stop);
  }
}
}  // namespace

QueueFile queue_file() {
  return QueueFile(home_folder() / "queue.json");
}

void begin_holder(const QueueFile& queue) {
  begin_queue_holder(queue, running_program());
}

RunSpec spec_for_queue(const std::string& file_or_preset,
                       const std::vector<std::string>& settings) {
  RunSpec spec = load_spec(file_or_preset, settings);
  make_paths_absolute(spec, fs::exists(file_or_preset) ? fs::absolute(file_or_preset).parent_path()
                                                       : resources_folder());
  return spec;
}

QueueEntry entry_of_spec(const RunSpec& spec) {
  QueueEntry entry;
  entry.id = new_entry_id();
  entry.name = spec.run.name;
  entry.spec = write_spec(spec);
  return entry;
}

QueueEntry entry_to_resume(const std::string& run) {
  QueueEntry entry;
  entry.id = new_entry_id();
  entry.name = run;
  entry.resume = run;
  return entry;
}

void add_queue(CLI::App& app) {
  auto* queue =
      app.add_subcommand("queue", "Runs that wait for this machine, for hosts or for a cluster");
  queue->require_subcommand(0, 1);
  auto options = std::make_shared<QueueOptions>();
  auto* lists = queue->add_subcommand("list", "Show what waits");
  lists->add_flag("--json", options->json, "As JSON");
  lists->callback([options] { list_queue(*options); });
  queue->callback([queue, options] {
    if (queue->get_subcommands().empty()) list_queue(*options);
  });
  auto* adds = queue->add_subcommand("add", "Let a run wait for its turn");
  adds->add_option("spec", options->spec, "A TOML file, or the name of a preset");
  adds->add_option("--resume", options->resume, "Go on with this run instead")->type_name("RUN");
  adds->add_option("--set", options->settings, "Override a key: --set optimiser.clip=0.5")
      ->type_name("KEY=VALUE");
  adds->add_flag("--first", options->first, "Before all others");
  add_host_options(*adds, options->hosts);
  adds->add_option("--slurm", options->slurm, "As a job of Slurm, by this profile")
      ->type_name("PROFILE");
  adds->callback([options] { add_entry(*options); });
  const char* const which = "Its number, its name, its id, or how that begins";
  auto* moves = queue->add_subcommand("move", "Put an entry to another place");
  moves->add_option("entry", options->entry, which)->required();
  moves->add_option("place", options->to, "1 is the next to start")
      ->required()
      ->check(CLI::Range(1, 1'000'000));
  moves->callback([options] { move_entry(*options); });
  auto* removes = queue->add_subcommand("remove", "Take entries off the queue");
  removes->add_option("entries", options->entries, which)->required();
  removes->callback([options] { remove_entries(*options); });
  auto* retries = queue->add_subcommand("retry", "Try one again that could not start");
  retries->add_option("entry", options->entry, which)->required();
  retries->callback([options] { retry_entry(*options); });
  queue->add_subcommand("pause", "Start nothing until it is unpaused")->callback([] {
    change_queue([](RunQueue& all) { all.paused = true; });
  });
  queue->add_subcommand("unpause", "Go on with what waits")->callback([] {
    change_queue([](RunQueue& all) { all.paused = false; });
  });
  queue->add_subcommand("run", "Start what waits, one after the other, until nothing does")
      ->callback([] { run_queue(); });
}

}  // namespace tessera::app
