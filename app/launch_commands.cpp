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
#include "core/base/error.h"
#include "core/config/paths.h"
#include "core/launch/launch_record.h"
#include "core/launch/launch_watch.h"
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
  explicit LaunchView(bool all) : all_(all) {}

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
  static void show(const HostWord& said) {
    const AgentWord& word = said.word;
    const std::string host = said.host.name();
    if (word.kind == Word::Output) {
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
  std::deque<std::string> kept_;
};

AgentOrder order_of(const LaunchArguments& asked, const HostMeeting& meeting, int world) {
  AgentOrder order;
  order.world = world;
  order.build = own_build();
  order.master_address =
      asked.master_address.empty() ? meeting.address.address : asked.master_address;
  order.master_port = meeting.port;
  order.environment = variables_of(asked.variables);
  order.arguments = asked.resume.empty() ? std::vector<std::string>{"train", "{spec}"}
                                         : std::vector<std::string>{"resume", asked.resume};
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

/// Follows a launch to its end; nothing where it only began, as was asked for.
std::optional<LaunchEnd> follow(LaunchRecord& record, std::vector<std::unique_ptr<AgentLine>> lines,
                                LaunchView view, const std::atomic<bool>& stop,
                                LaunchWatch::Options options, const std::string& ssh) {
  options.tell = [&](const HostWord& word) { view.tell(word); };
  options.note = LaunchView::note;
  options.run_known = [&](const std::string& run) {
    record.run = run;
    record.save(launches_folder());
    const std::string trouble =
        mirror_launched_run(record.hosts.front().host, run, ssh, record.program);
    if (!trouble.empty()) LaunchView::note("no copy of the run is kept here: " + trouble);
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
  LaunchRecord record = find_launch(launches_folder(), stops ? asked.stop : asked.attach);
  if (!record.end.empty()) {
    std::printf("%s: %s\n", record.name.c_str(), record.end.c_str());
    return;
  }
  leave_on_hangup(kToldOnInterrupt);
  const std::atomic<bool>& signalled = stop_on_signals();
  Ssh ssh(ssh_command(asked.hosts));
  std::vector<std::unique_ptr<AgentLine>> lines;
  for (std::size_t i = 0; i < record.hosts.size(); ++i) {
    lines.push_back(line_to(ssh, record, i));
    lines.back()->attach();
  }
  const auto end = follow(record, std::move(lines), LaunchView(/*all=*/false),
                          stops && !asked.now ? at_once : signalled, {.ends_all = asked.now},
                          ssh_command(asked.hosts));
  if (!asked.now) return end_as(record, *end);
  std::printf("%s: all ranks have ended, unsaved\n", record.name.c_str());
}

void check_arguments(const LaunchArguments& asked) {
  const int named =
      !asked.spec.empty() + !asked.resume.empty() + !asked.attach.empty() + !asked.stop.empty();
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
                                     const std::atomic<bool>& stop) {
  const HostMeeting meeting =
      meet_hosts(ssh, record.hosts, RemoteProgram{record.program}, asked.hosts.folder);
  if (stop) throw Error("launch", "was stopped before anything was started");
  const int world = count_ranks(record.hosts);
  AgentOrder order = order_of(asked, meeting, world);
  if (asked.resume.empty()) order.spec = spec.text;
  // On one host its agent does it, also when nobody listens any more.
  if (record.hosts.size() == 1) order.restarts = static_cast<int>(spec.restarts);
  record.name = launch_name(spec.name);
  record.started = clock_now();
  record.end.clear();
  record.save(launches_folder());
  std::printf("launch %s: %d ranks on %zu hosts, rank 0 at %s\n", record.name.c_str(), world,
              record.hosts.size(), order.master_address.c_str());
  std::fflush(stdout);
  return follow(record, start_all(ssh, record, order, meeting), LaunchView(/*all=*/true), stop,
                {.only_until_begun = asked.detach}, ssh_command(asked.hosts));
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
  for (const auto& [given, option] :
       {std::pair(!hosts.hosts.empty(), "--hosts"),
        std::pair(!hosts.host_file.empty(), "--hostfile"), std::pair(hosts.local > 0, "--local"),
        std::pair(hosts.copy, "--copy"), std::pair(!hosts.program.empty(), "--program"),
        std::pair(!asked.master_address.empty(), "--master-address"),
        std::pair(!asked.attach.empty(), "--attach"), std::pair(!asked.stop.empty(), "--stop")}) {
    if (!given) continue;
    throw Error(option, "does not go with --slurm",
                "what a job asks for is in its profile: tessera slurm profile show " + asked.slurm);
  }
}

SlurmLaunch slurm_launch_of(const LaunchArguments& asked) {
  return {.profile = asked.slurm,
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
  if (!stops || stop_slurm_run(*folder, asked.now)) follow_slurm_run(*folder);
  return true;
}

void launch(LaunchArguments asked) {
  check_arguments(asked);
  check_slurm_arguments(asked);
  if (!asked.slurm.empty()) return launch_on_slurm(slurm_launch_of(asked));
  if (!asked.attach.empty() || !asked.stop.empty()) {
    if (attached_to_slurm(asked)) return;
  }
  if (!asked.attach.empty() || !asked.stop.empty()) return attach_to(asked);
  LaunchRecord record;
  record.hosts = asked.hosts.list();
  const LaunchedSpec spec = spec_to_launch(asked, count_ranks(record.hosts));
  leave_on_hangup(kToldOnInterrupt);
  const std::atomic<bool>& stop = stop_on_signals();
  Ssh ssh(ssh_command(asked.hosts));
  record.program = prepare_program(ssh, asked.hosts, record.hosts).files;
  for (std::int64_t restarts = 0;; ++restarts) {
    const auto end = launch_once(ssh, asked, spec, record, stop);
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

void add_launch(CLI::App& app) {
  auto* command = app.add_subcommand("launch", "Train on several hosts, over ssh or Slurm");
  auto asked = std::make_shared<LaunchArguments>();
  command->add_option("spec", asked->spec, "A TOML file, or the name of a preset");
  add_host_options(*command, asked->hosts);
  command->add_option("--resume", asked->resume, "Go on with this run of the hosts instead")
      ->type_name("RUN");
  command->add_option("--attach", asked->attach, "Follow a launch, or its run, that goes on")
      ->type_name("LAUNCH");
  command->add_option("--stop", asked->stop, "Let a launch, or its run, save and stop")
      ->type_name("LAUNCH");
  command->add_flag("--now", asked->now, "With --stop: end all ranks at once, without saving");
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
      ->add_option("--master-address", asked->master_address,
                   "Where the others reach the first host; found out if left out")
      ->type_name("ADDRESS");
  command->callback([asked] { launch(*asked); });
}

}  // namespace tessera::app
