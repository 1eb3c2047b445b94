// SPDX-License-Identifier: MIT
// launch: a run on several hosts, over ssh, or as a job of Slurm.
#include <fmt/format.h>

#include <atomic>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <random>

#include "app/commands.h"
#include "app/host_meeting.h"
#include "app/host_options.h"
#include "app/mirrors.h"
#include "app/ranks.h"
#include "app/signals.h"
#include "app/slurm_launch.h"
#include "app/start_report.h"
#include "app/test_launch.h"
#include "core/base/error.h"
#include "core/config/paths.h"
#include "core/launch/launch_record.h"
#include "core/launch/launch_watch.h"
#include "core/run/mirror_note.h"
#include "core/spec/spec.h"

namespace tessera::app {

namespace fs = std::filesystem;
using Word = AgentWord::Kind;

namespace {
constexpr std::size_t kShownOnAttach = 20;
constexpr const char* kToldOnInterrupt =
    "\nstopping: the run saves first; Ctrl+C again leaves it to its agents\n";

struct LaunchArguments {
  HostOptions hosts;
  std::string spec, resume, attach, stop, master_address;
  std::vector<std::string> settings, variables;
  std::int64_t most_steps = 0;
  bool detach = false, now = false;
  std::string slurm, script;
  bool show = false, edit = false;
  std::string fork, start_files;
  std::int64_t fork_step = -1;
  bool hello = false;
  double probe_s = 0;
};

fs::path launches_folder() {
  const fs::path folder = home_folder() / "launched";
  fs::create_directories(folder);
  return folder;
}

std::string launch_name(const std::string& begin) {
  std::string name;
  for (const char c : begin) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
    name += plain ? c : '-';
  }
  const std::time_t now = std::time(nullptr);
  std::tm date{};
  ::localtime_r(&now, &date);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d-%H%M", &date);
  constexpr std::size_t kMostOfName = 40;
  return fmt::format("{}-{}-{:04x}", name.substr(0, kMostOfName), text,
                     std::random_device{}() & 0xffff);
}

/// "NAME=VALUE", or "NAME" with the value that it has here.
std::map<std::string, std::string> variables_of(const std::vector<std::string>& given) {
  std::map<std::string, std::string> all;
  for (const std::string& one : given) {
    const std::size_t equals = one.find('=');
    const std::string name = one.substr(0, equals);
    const char* own = std::getenv(name.c_str());
    if (name.empty() || (equals == one.npos && !own)) {
      throw Error("--env", fmt::format("\"{}\" is no variable that is set here", one),
                  "NAME=VALUE, or the name of a variable of this shell");
    }
    all[name] = equals == one.npos ? std::string(own) : one.substr(equals + 1);
  }
  return all;
}

/// What hosts say, for people: rank 0 shows the run, and what others say carries their name.
class LaunchView {
 public:
  /// `all`: also what was said before this desk came.
  explicit LaunchView(bool all, std::function<void(const std::string&)> line = {})
      : all_(all), line_(std::move(line)) {}

  void tell(const HostWord& said) {
    const AgentWord& word = said.word;
    if (word.kind == Word::CaughtUp) return show_kept();
    if (!said.is_new && !all_) return keep(said);
    show(said);
  }
  static void note(const std::string& text) { std::fprintf(stderr, "tessera: %s\n", text.c_str()); }

 private:
  void keep(const HostWord& said) {
    if (said.word.kind != Word::Output || said.word.rank != 0) return;
    kept_.push_back(said.word.text);
    if (kept_.size() > kShownOnAttach) kept_.pop_front();
  }
  void show_kept() {
    for (const std::string& line : kept_) std::printf("%s\n", line.c_str());
    kept_.clear();
    std::fflush(stdout);
  }
  void show(const HostWord& said) const {
    const AgentWord& word = said.word;
    const std::string host = said.host.name();
    if (line_ && word.kind == Word::Output && word.rank == 0 && !word.is_error) {
      line_(word.text);
    } else if (word.kind == Word::Output) {
      std::FILE* const out = word.is_error ? stderr : stdout;
      if (word.rank == 0) {
        std::fprintf(out, "%s\n", word.text.c_str());
      } else {
        std::fprintf(out, "[rank %d on %s] %s\n", word.rank, host.c_str(), word.text.c_str());
      }
      std::fflush(out);
    } else if (word.kind == Word::Note || word.kind == Word::Gone || word.kind == Word::Again) {
      note(fmt::format("host {}: {}", host, word.text));
    } else if (word.kind == Word::Asked) {
      note(fmt::format("host {}: its agent was {} to {}", host,
                       word.is_error ? "told by a signal" : "asked", word.text));
    } else if (word.kind == Word::Ended && word.status != 0 && !word.was_told) {
      note(fmt::format("rank {} on host {} (process {}): {}", word.rank, host, word.process,
                       end_text(word.status)));
    }
  }

  bool all_;
  std::function<void(const std::string&)> line_;  ///< gets what rank 0 prints, in its place
  std::deque<std::string> kept_;
};

/// The name of the host of each rank, for a test launch.
std::string names_for_ranks(const std::vector<HostSlots>& hosts) {
  std::vector<std::string> names;
  for (const HostSlots& one : hosts) names.insert(names.end(), std::size_t(one.ranks), one.name());
  return fmt::format("{}", fmt::join(names, ","));
}

std::vector<std::string> arguments_of_ranks(const LaunchArguments& asked) {
  if (!asked.resume.empty()) return {"resume", asked.resume};
  if (asked.fork.empty()) return {"train", "{spec}"};
  std::vector<std::string> words = {"resume", asked.fork, "--fork", "--spec", "{spec}"};
  if (asked.fork_step >= 0) {
    words.insert(words.end(), {"--step", std::to_string(asked.fork_step)});
  }
  return words;
}

AgentOrder order_of(const LaunchArguments& asked, const HostMeeting& meeting,
                    const std::vector<HostSlots>& hosts) {
  const int world = count_ranks(hosts);
  AgentOrder order;
  order.world = world;
  order.build = own_build();
  order.master_address =
      asked.master_address.empty() ? meeting.address.address : asked.master_address;
  order.master_port = meeting.port;
  order.environment = variables_of(asked.variables);
  if (asked.hello) {
    order.arguments = {"hello",           "{spec}",
                       "--names",         names_for_ranks(hosts),
                       "--probe-seconds", fmt::format("{}", asked.probe_s)};
    return order;
  }
  order.arguments = arguments_of_ranks(asked);
  order.arguments.insert(order.arguments.end(),
                         {"--runs", meeting.folder, "--id-file", "{run-file}"});
  order.again = {"resume", "{run}", "--runs", meeting.folder, "--id-file", "{run-file}"};
  if (asked.most_steps > 0) {
    for (std::vector<std::string>* words : {&order.arguments, &order.again}) {
      words->insert(words->end(), {"--most-steps", std::to_string(asked.most_steps)});
    }
  }
  return order;
}

std::unique_ptr<AgentLine> line_to(Ssh& ssh, const LaunchRecord& record, std::size_t index) {
  AgentOrder named;
  named.launch = record.name;
  named.index = static_cast<int>(index);
  return std::make_unique<AgentLine>(ssh, record.hosts[index], RemoteProgram{record.program},
                                     named.agent_name());
}

std::vector<std::unique_ptr<AgentLine>> start_all(Ssh& ssh, const LaunchRecord& record,
                                                  AgentOrder order, const HostMeeting& meeting) {
  std::vector<std::unique_ptr<AgentLine>> lines;
  order.launch = record.name;
  for (std::size_t i = 0; i < record.hosts.size(); ++i) {
    order.index = static_cast<int>(i);
    order.ranks = record.hosts[i].ranks;
    order.defaults.clear();
    const std::string& interface = meeting.interfaces.at(i);
    // NCCL would take the first interface that is up, which may lead nowhere.
    if (!interface.empty()) order.defaults["NCCL_SOCKET_IFNAME"] = "=" + interface;
    lines.push_back(line_to(ssh, record, i));
    lines.back()->start(order);
    order.first_rank += order.ranks;
  }
  return lines;
}

/// The run's folder on this machine: its copy, or itself where it is begun in the usual folder.
std::string folder_here(const LaunchRecord& record) {
  const fs::path there = record.run, copy = runs_folder() / there.filename();
  if (record.hosts.front().host.empty()) return there.string();
  std::error_code none;
  return fs::exists(copy, none) || !fs::exists(there, none) ? copy.string() : there.string();
}

/// Follows a launch to its end; nothing where it only began, as was asked for.
std::optional<LaunchEnd> follow(LaunchRecord& record, std::vector<std::unique_ptr<AgentLine>> lines,
                                LaunchView view, const std::atomic<bool>& stop,
                                LaunchWatch::Options options, const StartReport& report) {
  RankCount ranks(report, count_ranks(record.hosts));
  options.tell = [&](const HostWord& word) {
    if (word.word.kind == Word::Rank) ranks.one_more();
    view.tell(word);
  };
  options.note = LaunchView::note;
  options.run_known = [&](const std::string& run) {
    record.run = run;
    record.save(launches_folder());
    const std::string trouble =
        mirror_launched_run(record.hosts.front().host, run, record.ssh, record.program);
    if (!trouble.empty()) LaunchView::note("no copy of the run is kept here: " + trouble);
    report.begun(folder_here(record));
  };
  options.stop = &stop;
  LaunchWatch watch(std::move(lines), options);
  const auto end = watch.run();
  if (!end) return end;
  record.end = end->cause.empty() ? "ended well" : end->cause;
  record.save(launches_folder());
  return end;
}

/// As its worst rank ended.
void end_as(const LaunchRecord& record, const LaunchEnd& end) {
  if (end.exit_status == 0) return;
  const std::string next = record.run.empty()
                               ? "log/ in the run's folder has what each rank said"
                               : fmt::format(
                                     "`tessera launch --resume {} --hosts ...` goes on from its "
                                     "newest checkpoint; log/ in that folder has what each rank "
                                     "said",
                                     record.run);
  std::fprintf(stderr, "tessera: %s\n", Error(record.name, end.cause, next).what());
  throw Exit{end.exit_status};
}

void attach_to(const LaunchArguments& asked) {
  static const std::atomic<bool> at_once{true};
  const bool stops = !asked.stop.empty();
  const StartReport report(asked.start_files);
  LaunchRecord record;
  try {
    record = find_launch(launches_folder(), stops ? asked.stop : asked.attach);
  } catch (const Error&) {
    // It was killed before it wrote down what it was about to begin.
    if (report.is_wanted()) throw Exit{kNothingWasStarted};
    throw;
  }
  if (!record.end.empty()) {
    std::printf("%s: %s\n", record.name.c_str(), record.end.c_str());
    if (report.is_wanted() && record.run.empty()) throw Exit{kNothingWasStarted};
    if (!record.run.empty()) report.begun(folder_here(record));
    return;
  }
  report.phase(StartPhase::Kind::Asking);
  leave_on_hangup(kToldOnInterrupt);
  const std::atomic<bool>& signalled = stop_on_signals();
  // As it was started, unless another command is named now.
  if (!asked.hosts.ssh.empty() || record.ssh.empty()) record.ssh = ssh_command(asked.hosts);
  Ssh ssh(record.ssh);
  std::vector<std::unique_ptr<AgentLine>> lines;
  for (std::size_t i = 0; i < record.hosts.size(); ++i) {
    lines.push_back(line_to(ssh, record, i));
    lines.back()->attach();
  }
  const auto end = follow(record, std::move(lines), LaunchView(/*all=*/false),
                          stops && !asked.now ? at_once : signalled,
                          {.only_until_begun = asked.detach, .ends_all = asked.now}, report);
  if (!end) return;  // it goes on by itself
  if (report.is_wanted() && record.run.empty()) throw Exit{kNothingWasStarted};
  if (!asked.now) return end_as(record, *end);
  std::printf("%s: all ranks have ended, unsaved\n", record.name.c_str());
}

void check_arguments(const LaunchArguments& asked) {
  if (asked.hello && (asked.spec.empty() || asked.detach || !asked.fork.empty())) {
    throw Error("--hello", "goes with a spec and hosts alone",
                "tessera launch SPEC --hello --hosts a:4,b:4");
  }
  const bool is_new = !asked.spec.empty() || !asked.fork.empty();
  const int named = is_new + !asked.resume.empty() + !asked.attach.empty() + !asked.stop.empty();
  if (asked.fork_step >= 0 && asked.fork.empty()) {
    throw Error("--step", "belongs to --fork", "tessera launch --fork RUN --step 100 --hosts ...");
  }
  if (asked.now && asked.stop.empty()) {
    throw Error("--now", "belongs to --stop", "tessera launch --stop LAUNCH --now");
  }
  if (named == 1) return;
  throw Error("launch", named == 0 ? "nothing to launch is named" : "too much is named",
              "one of: a spec or preset, --resume RUN, --attach LAUNCH, --stop LAUNCH");
}

/// A spec with its name, and how often the run may begin again after a fault.
struct LaunchedSpec {
  std::string text, name;
  std::int64_t restarts = 0;
};

/// Runs are named as they are here. What is a copy of a run on a host is named as it is there.
std::string run_on_hosts(const std::string& name) {
  fs::path folder = name;
  std::error_code none;
  if (!fs::is_directory(folder, none)) folder = runs_folder() / name;
  const auto note = MirrorNote::load(folder);
  return note ? note->run : name;
}

/// A run is named by the user, and the hosts look for it. A fork without a spec of its own begins
/// with its parent's.
void take_runs(LaunchArguments& asked) {
  if (!asked.fork.empty() && asked.spec.empty()) {
    asked.spec = RunFolder::find(asked.fork, runs_folder()).spec_path().string();
  }
  if (!asked.resume.empty()) asked.resume = run_on_hosts(asked.resume);
  if (!asked.fork.empty()) asked.fork = run_on_hosts(asked.fork);
}

/// The spec as a whole, so that no host reads a file of this one. For a run that goes on its own
/// spec lies on the hosts.
LaunchedSpec spec_to_launch(const LaunchArguments& asked, int ranks) {
  if (!asked.resume.empty()) return {"", fs::path(asked.resume).filename().string(), 0};
  tell_of_other_hosts(asked.spec, asked.settings);
  RunSpec spec = spec_for_ranks(
      [&](const std::vector<std::string>& more) {
        std::vector<std::string> settings = asked.settings;
        settings.insert(settings.end(), more.begin(), more.end());
        // On its hosts a run trains where it is.
        settings.insert(settings.end(), {"host.kind=\"local\"", "host.address=\"\""});
        return load_spec(asked.spec, settings);
      },
      ranks);
  make_paths_absolute(
      spec, fs::exists(asked.spec) ? fs::path(asked.spec).parent_path() : resources_folder());
  return {write_spec(spec), spec.run.name, spec.host.restart};
}

/// One start of all ranks, to their end.
std::optional<LaunchEnd> launch_once(Ssh& ssh, const LaunchArguments& asked,
                                     const LaunchedSpec& spec, LaunchRecord& record,
                                     const std::atomic<bool>& stop, const StartReport& report) {
  report.phase(StartPhase::Kind::Meeting, 0, std::ssize(record.hosts));
  const HostMeeting meeting =
      meet_hosts(ssh, record.hosts, RemoteProgram{record.program}, asked.hosts.folder, &stop);
  check_not_stopped(&stop);
  const int world = count_ranks(record.hosts);
  AgentOrder order = order_of(asked, meeting, record.hosts);
  if (asked.resume.empty()) order.spec = spec.text;
  // On one host its agent does it, also when nobody listens any more.
  if (record.hosts.size() == 1) order.restarts = static_cast<int>(spec.restarts);
  record.name = launch_name(spec.name);
  record.started = clock_now();
  record.end.clear();
  if (record.run.empty()) report.begin(record.name);
  record.save(launches_folder());
  std::printf("launch %s: %d ranks on %zu hosts, rank 0 at %s\n", record.name.c_str(), world,
              record.hosts.size(), order.master_address.c_str());
  std::fflush(stdout);
  try {
    return follow(record, start_all(ssh, record, order, meeting), LaunchView(/*all=*/true), stop,
                  {.only_until_begun = asked.detach}, report);
  } catch (const Error& error) {
    record.end = error.what();  // what was begun of it was told to end
    record.save(launches_folder());
    throw;
  }
}

// ---- Slurm --------------------------------------------------------------------------------------

void check_slurm_arguments(const LaunchArguments& asked) {
  const bool slurm = !asked.slurm.empty();
  const HostOptions& hosts = asked.hosts;
  for (const auto& [given, option] :
       {std::pair(asked.show, "--show"), std::pair(asked.edit, "--edit"),
        std::pair(!asked.script.empty(), "--script")}) {
    if (given && !slurm) {
      throw Error(option, "belongs to --slurm", "tessera launch SPEC --slurm PROFILE --show");
    }
  }
  if (!slurm) return;
  if (!asked.fork.empty()) {
    throw Error("--fork", "does not go with --slurm",
                "fork on this machine or on hosts; then `tessera launch --resume RUN --slurm "
                "PROFILE` goes on with the new run as a job");
  }
  for (const auto& [given, option] :
       {std::pair(!hosts.hosts.empty(), "--hosts"),
        std::pair(!hosts.host_file.empty(), "--hostfile"), std::pair(hosts.local > 0, "--local"),
        std::pair(hosts.copy, "--copy"), std::pair(!hosts.program.empty(), "--program"),
        std::pair(!asked.master_address.empty(), "--master-address"),
        std::pair(asked.hello, "--hello"), std::pair(!asked.attach.empty(), "--attach"),
        std::pair(!asked.stop.empty(), "--stop")}) {
    if (!given) continue;
    throw Error(option, "does not go with --slurm",
                "what a job asks for is in its profile: tessera slurm profile show " + asked.slurm);
  }
}

SlurmLaunch slurm_launch_of(const LaunchArguments& asked) {
  return {.profile = asked.slurm,
          .start_files = asked.start_files,
          .spec = asked.spec,
          .resume = asked.resume,
          .script = asked.script,
          .runs = asked.hosts.folder,
          .settings = asked.settings,
          .variables = variables_of(asked.variables),
          .most_steps = asked.most_steps,
          .show = asked.show,
          .edit = asked.edit,
          .detach = asked.detach};
}

/// Whether what is named is a run with a job in Slurm; it is followed or stopped then.
bool attached_to_slurm(const LaunchArguments& asked) {
  const bool stops = !asked.stop.empty();
  const auto folder = run_on_slurm(stops ? asked.stop : asked.attach, asked.hosts.folder);
  if (!folder) return false;
  if (!asked.start_files.empty()) {
    find_slurm_start(*folder, StartReport(asked.start_files));
    return true;
  }
  if (!stops || stop_slurm_run(*folder, asked.now)) follow_slurm_run(*folder);
  return true;
}

/// Looks for the hosts, and sends them the program where that is asked for.
std::vector<std::string> programs_for(const Ssh& ssh, const LaunchArguments& asked,
                                      const std::vector<HostSlots>& hosts,
                                      const std::atomic<bool>& stop, const StartReport& report) {
  report.phase(StartPhase::Kind::Reaching, 0, std::ssize(hosts));
  CopyWatch watch;
  watch.stop = &stop;
  watch.progress = [&](std::size_t done, std::size_t total) {
    report.phase(StartPhase::Kind::Copying, static_cast<std::int64_t>(done),
                 static_cast<std::int64_t>(total));
  };
  return prepare_program(ssh, asked.hosts, hosts, watch).files;
}

/// A launch with ranks that only say hello; how it ended.
LaunchEnd launch_ranks_that_greet(const LaunchArguments& asked, const LaunchedSpec& spec,
                                  const std::function<void(const std::string&)>& line) {
  const StartReport nobody("");
  LaunchRecord record;
  record.hosts = asked.hosts.list();
  leave_on_hangup(kToldOnInterrupt);
  const std::atomic<bool>& stop = stop_on_signals();
  record.ssh = ssh_command(asked.hosts);
  Ssh ssh(record.ssh);
  record.program = programs_for(ssh, asked, record.hosts, stop, nobody);
  const HostMeeting meeting =
      meet_hosts(ssh, record.hosts, RemoteProgram{record.program}, asked.hosts.folder, &stop);
  check_not_stopped(&stop);
  AgentOrder order = order_of(asked, meeting, record.hosts);
  order.spec = spec.text;
  record.name = launch_name("hello-" + spec.name);
  record.started = clock_now();
  record.save(launches_folder());
  try {
    return *follow(record, start_all(ssh, record, order, meeting), LaunchView(true, line), stop, {},
                   nobody);
  } catch (const Error& error) {
    record.end = error.what();
    record.save(launches_folder());
    throw;
  }
}

/// A test launch with the spec and all that was set beside it.
void greet(const LaunchArguments& asked, const std::function<void(const std::string&)>& line,
           bool fits_any_ranks = false) {
  const int ranks = fits_any_ranks ? 0 : count_ranks(asked.hosts.list());
  const LaunchEnd end = launch_ranks_that_greet(asked, spec_to_launch(asked, ranks), line);
  if (end.exit_status == 0) return;
  throw Error("test launch", end.cause, "what that rank said stands above");
}

void launch(LaunchArguments asked) {
  check_arguments(asked);
  check_slurm_arguments(asked);
  if (!asked.slurm.empty()) return launch_on_slurm(slurm_launch_of(asked));
  if (!asked.attach.empty() || !asked.stop.empty()) {
    if (attached_to_slurm(asked)) return;
  }
  if (!asked.attach.empty() || !asked.stop.empty()) return attach_to(asked);
  if (asked.hello) {
    return greet(asked, [](const std::string& line) { std::printf("%s\n", line.c_str()); });
  }
  const StartReport report(asked.start_files);
  LaunchRecord record;
  record.hosts = asked.hosts.list();
  take_runs(asked);
  const LaunchedSpec spec = spec_to_launch(asked, count_ranks(record.hosts));
  // Whoever started it as a program does not look on; restarts need somebody who does.
  if (report.is_wanted() && spec.restarts == 0) asked.detach = true;
  leave_on_hangup(kToldOnInterrupt);
  const std::atomic<bool>& stop = stop_on_signals();
  record.ssh = ssh_command(asked.hosts);
  Ssh ssh(record.ssh);
  record.program = programs_for(ssh, asked, record.hosts, stop, report);
  for (std::int64_t restarts = 0;; ++restarts) {
    const auto end = launch_once(ssh, asked, spec, record, stop, report);
    if (!end) {
      std::printf("it goes on by itself; follow it:  tessera launch --attach %s\n",
                  record.name.c_str());
      if (spec.restarts > 0 && record.hosts.size() > 1) {
        LaunchView::note(
            "on several hosts a run begins again (host.restart) only while the command that "
            "started "
            "it is there: leave out --detach for that");
      }
      return;
    }
    const bool again =
        restarts < spec.restarts && record.hosts.size() > 1 && !record.run.empty() && !stop;
    if (end->exit_status == 0 || !again) return end_as(record, *end);
    LaunchView::note(fmt::format("{}; restart {} of {}", end->cause, restarts + 1, spec.restarts));
    asked.resume = record.run;
  }
}
}  // namespace

void launch_hello(const HostOptions& hosts, const std::string& spec, double probe_s,
                  const std::function<void(const std::string&)>& line) {
  LaunchArguments asked;
  asked.hosts = hosts;
  asked.spec = spec.empty() ? "demo" : spec;
  asked.hello = true;
  asked.probe_s = probe_s;
  greet(asked, line, /*fits_any_ranks=*/spec.empty());
}

void add_launch(CLI::App& app) {
  auto* command = app.add_subcommand("launch", "Train on several hosts, over ssh or Slurm");
  auto asked = std::make_shared<LaunchArguments>();
  command->add_option("spec", asked->spec, "A TOML file, or the name of a preset");
  add_host_options(*command, asked->hosts);
  command->add_option("--resume", asked->resume, "Go on with this run of the hosts instead")
      ->type_name("RUN");
  command
      ->add_option(
          "--fork", asked->fork,
          "A new run from a checkpoint of this run of the hosts, with its spec if no other "
          "is named")
      ->type_name("RUN");
  command
      ->add_option("--step", asked->fork_step, "With --fork: from the checkpoint after this step")
      ->type_name("STEP");
  command->add_option("--attach", asked->attach, "Follow a launch, or its run, that goes on")
      ->type_name("LAUNCH");
  command->add_option("--stop", asked->stop, "Let a launch, or its run, save and stop")
      ->type_name("LAUNCH");
  command->add_flag("--now", asked->now, "With --stop: end all ranks at once, without saving");
  command->add_flag("--hello", asked->hello,
                    "A test: every rank says hello to the others, and nothing is trained");
  command->add_flag("--detach", asked->detach, "Come back once all ranks were started");
  command->add_option("--slurm", asked->slurm, "Train as a job of Slurm, by this profile")
      ->type_name("PROFILE");
  command->add_flag("--show", asked->show, "With --slurm: show the script, and submit nothing");
  command->add_flag("--edit", asked->edit, "With --slurm: edit the script before it is submitted");
  command->add_option("--script", asked->script, "With --slurm: submit this script instead")
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
  command->add_option("--set", asked->settings, "Override a key: --set optimiser.clip=0.5")
      ->type_name("KEY=VALUE");
  command->add_option("--most-steps", asked->most_steps, "Save and stop after this many steps");
  command->add_option("--env", asked->variables, "A variable for the ranks, or the one set here")
      ->type_name("NAME[=VALUE]");
  command
      ->add_option("--start-files", asked->start_files,
                   "For the studio and the queue: where this start is told of")
      ->group("");
  command
      ->add_option("--master-address", asked->master_address,
                   "Where the others reach the first host; found out if left out")
      ->type_name("ADDRESS");
  command->callback([asked] { launch(*asked); });
}

}  // namespace tessera::app
