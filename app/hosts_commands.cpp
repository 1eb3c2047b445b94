// SPDX-License-Identifier: MIT
// hosts: what there is on hosts, and what stands in the way of a launch.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/host_meeting.h"
#include "app/host_options.h"
#include "app/options.h"
#include "app/signals.h"
#include "app/terminal.h"
#include "app/test_launch.h"
#include "core/base/error.h"
#include "core/launch/agent_protocol.h"
#include "core/launch/host_book.h"
#include "core/launch/host_checks.h"
#include "core/launch/piped_process.h"

namespace tessera::app {

namespace {
constexpr int kClockAnswers = 8;
constexpr auto kProbeWithin = std::chrono::seconds(40);

/// Asks one host for what it has, and its clock a few times.
class Probe {
 public:
  Probe(const Ssh& ssh, const HostSlots& host, const RemoteProgram& program,
        const std::vector<std::string>& words)
      : host_(host), process_(ssh.line(host.host, program.command(words))) {}

  const PipedProcess& process() const { return process_; }
  bool is_done() const { return done_; }
  const HostSlots& host() const { return host_; }
  /// Empty: it answered.
  const std::optional<Error>& trouble() const { return trouble_; }
  const HostFacts& facts() const { return facts_; }
  HostClock clock() const { return clock_offset(clocks_); }

  void look(bool late) {
    const auto ended = process_.poll();
    process_.exchange(answer_.output, answer_.errors);
    try {
      for (const std::string& line : take_lines(answer_.output)) take(line);
      if (done_) return;
      if (!ended && !late) return;
      answer_.timed_out = !ended;
      answer_.wait_status = ended.value_or(0);
      require_answer(host_.host, answer_);
      throw Error("host " + host_.name(), "says nothing of itself");
    } catch (const Error& error) {
      trouble_ = error;
      done_ = true;
    }
  }

 private:
  void take(const std::string& line) {
    if (!line.starts_with('{')) return;  // a login shell that greets
    if (!told_) {
      facts_ = facts_of_line(line);
      told_ = true;
    } else {
      asking_.came = clock_now();
      const auto o = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
      const bool is_answer = o.is_object() && o.contains("time") && o["time"].is_number();
      if (!is_answer) {
        throw Error("host " + host_.name(),
                    fmt::format("says what is no time: \"{}\"", line.substr(0, 80)),
                    "use the same version of Tessera here and there");
      }
      asking_.there = o["time"].get<double>();
      clocks_.push_back(asking_);
    }
    done_ = std::ssize(clocks_) == kClockAnswers;
    if (done_) return process_.close_input();
    asking_.asked = clock_now();
    process_.write("time\n");
  }

  HostSlots host_;
  PipedProcess process_;
  HostAnswer answer_;
  HostFacts facts_;
  std::vector<ClockAnswer> clocks_;
  ClockAnswer asking_;
  std::optional<Error> trouble_;
  bool told_ = false, done_ = false;
};

/// What `tessera hosts check` is asked for beside the hosts.
struct CheckOptions : HostOptions {
  bool json = false;
};

/// In quotes; what is not UTF-8 in a name is replaced.
std::string json_text(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// One line for each check, or one of JSON for each host; how many are bad.
int print_checks(const std::string& host, const std::vector<HostCheck>& checks, bool json) {
  int bad = 0;
  if (json) {
    for (const HostCheck& one : checks) bad += one.level == HostCheck::Level::Bad;
    std::printf("{\"host\":%s,\"checks\":%s}\n", json_text(host).c_str(),
                to_json_text(checks).c_str());
    std::fflush(stdout);
    return bad;
  }
  std::printf("%s\n", host.c_str());
  for (const HostCheck& one : checks) {
    bad += one.level == HostCheck::Level::Bad;
    std::printf("  %-8s %-9s %s%s%s\n", name_of(one.level), one.name.c_str(), one.text.c_str(),
                one.fix.empty() ? "" : "; ", one.fix.c_str());
  }
  std::fflush(stdout);
  return bad;
}

std::vector<HostCheck> checks_of(const Probe& probe) {
  if (probe.trouble()) {
    return {
        {HostCheck::Level::Bad, "ssh", probe.trouble()->what_failed(), probe.trouble()->hint()}};
  }
  std::vector<HostCheck> checks = judge_host(probe.facts(), own_build(), probe.clock());
  checks.insert(checks.begin(), {HostCheck::Level::Good, "ssh", "host " + probe.facts().host, ""});
  return checks;
}

/// Whether they reach each other, as the first of them is reached by all in a launch.
int check_meeting(const Ssh& ssh, const std::vector<HostSlots>& hosts, const RemoteProgram& program,
                  const CheckOptions& options) {
  std::vector<HostCheck> checks;
  try {
    const HostMeeting meeting = meet_hosts(ssh, hosts, program, options.folder);
    checks.push_back({HostCheck::Level::Good, "address",
                      fmt::format("the others reach {} at {} ({})", hosts.front().name(),
                                  meeting.address.address, meeting.address.interface),
                      ""});
    checks.push_back({HostCheck::Level::Good, "folder", "all see " + meeting.folder, ""});
  } catch (const Error& error) {
    checks.push_back({HostCheck::Level::Bad, "together",
                      fmt::format("[{}] {}", error.where(), error.what_failed()), error.hint()});
  }
  return print_checks("together", checks, options.json);
}

/// What was found stays with the hosts that are kept.
void keep(const HostSlots& host, const std::vector<HostCheck>& checks) {
  edit_host_book([&](HostBook& book) {
    KnownHost* known = book.find(host.host);
    if (!known) return;
    known->checked = clock_now();
    known->checks = checks;
  });
}

/// Those that are named, else those that are kept.
std::vector<HostSlots> hosts_to_check(const CheckOptions& options) {
  if (!options.hosts.empty() || !options.host_file.empty() || options.local > 0) {
    return options.list();
  }
  std::vector<HostSlots> hosts;
  for (const KnownHost& known : read_host_book().hosts) hosts.push_back({known.host});
  if (hosts.empty()) {
    throw Error("hosts", "no host is named, and none is kept",
                "name them, or keep them: tessera hosts add a,b");
  }
  return hosts;
}

void check_hosts(const CheckOptions& options) {
  stop_on_signals();
  const std::vector<HostSlots> hosts = hosts_to_check(options);
  const Ssh ssh(ssh_command(options));
  const RemoteProgram program = prepare_program(ssh, options, hosts);
  std::vector<std::string> words = {"agent", "probe"};
  if (!options.folder.empty()) words.insert(words.end(), {"--folder", options.folder});
  std::vector<std::unique_ptr<Probe>> probes;
  for (const HostSlots& host : hosts) {
    probes.push_back(std::make_unique<Probe>(ssh, host, program, words));
  }
  const auto until = std::chrono::steady_clock::now() + kProbeWithin;
  while (true) {
    std::vector<const PipedProcess*> running;
    for (const auto& probe : probes) {
      if (!probe->is_done()) probe->look(std::chrono::steady_clock::now() >= until);
      if (!probe->is_done()) running.push_back(&probe->process());
    }
    if (running.empty()) break;
    wait_for_any(running, 50);
  }
  int bad = 0;
  for (const auto& probe : probes) {
    const std::vector<HostCheck> checks = checks_of(*probe);
    bad += print_checks(probe->host().name(), checks, options.json);
    keep(probe->host(), checks);
  }
  // Hosts that are merely kept need not know each other.
  const bool named = !options.hosts.empty() || !options.host_file.empty();
  if (bad == 0 && hosts.size() > 1 && named) bad += check_meeting(ssh, hosts, program, options);
  if (bad > 0) throw Exit{1};
}

void list_hosts(bool json) {
  const HostBook book = read_host_book();
  for (const KnownHost& known : book.hosts) {
    if (json) {
      std::printf("{\"host\":%s,\"checked\":%.0f,\"checks\":%s}\n", json_text(known.host).c_str(),
                  known.checked, to_json_text(known.checks).c_str());
      continue;
    }
    const int bad = known.count(HostCheck::Level::Bad);
    const int warnings = known.count(HostCheck::Level::Warning) - bad;
    const std::string state = known.checked == 0 ? "not checked yet"
                              : bad > 0          ? fmt::format("{} bad, {} warnings", bad, warnings)
                              : warnings > 0     ? fmt::format("ready, {} warnings", warnings)
                                                 : "ready";
    const std::string when =
        known.checked == 0 ? "" : ", checked " + duration(clock_now() - known.checked) + " ago";
    std::printf("%-24s %s%s\n", known.host.c_str(), state.c_str(), when.c_str());
    for (const HostSpeed& speed : known.speeds) {
      std::printf("%-24s %s/s to %s, measured %s ago\n", "", byte_count(speed.bytes_per_s).c_str(),
                  speed.to.c_str(), duration(clock_now() - speed.measured).c_str());
    }
  }
  if (book.hosts.empty() && !json) std::printf("no host is kept: `tessera hosts add a,b`\n");
}

/// Every rank says hello, then each direction between two hosts is measured.
void probe_hosts(const CheckOptions& options, double seconds) {
  HostOptions asked = options;
  if (asked.hosts.empty() && asked.host_file.empty() && asked.local == 0) {
    std::vector<std::string> names;
    for (const KnownHost& known : read_host_book().hosts) names.push_back(known.host);
    asked.hosts = fmt::format("{}", fmt::join(names, ","));
  }
  if (asked.hosts.empty() || asked.list().size() < 2) {
    throw Error("hosts probe", "needs two hosts or more", "name them: tessera hosts probe a,b");
  }
  std::vector<LinkSpeed> links;
  launch_hello(asked, "", seconds, [&](const std::string& line) {
    const auto link = link_of_line(line);
    if (link) links.push_back(*link);
    if (options.json) {
      if (link) std::printf("%s\n", line.c_str());
    } else if (link) {
      std::printf("%-24s to %-24s %s/s\n", link->from.c_str(), link->to.c_str(),
                  byte_count(link->bytes_per_s).c_str());
    } else {
      std::printf("%s\n", line.c_str());
    }
    std::fflush(stdout);
  });
  edit_host_book([&](HostBook& book) {
    for (const LinkSpeed& link : links) {
      if (KnownHost* known = book.find(link.from)) {
        known->keep_speed({link.to, link.bytes_per_s, clock_now()});
      }
    }
  });
}

void add_to_book(const std::string& list) {
  int added = 0;
  edit_host_book([&](HostBook& book) { added = book.add(list); });
  std::printf("%d added; `tessera hosts check` says what stands in the way of a launch\n", added);
}

void remove_from_book(const std::string& list) {
  edit_host_book([&](HostBook& book) {
    for (const HostSlots& host : parse_host_list(list)) {
      if (book.remove(host.host)) continue;
      throw Error("hosts", host.name() + " is not kept", "tessera hosts list says which are");
    }
  });
}
}  // namespace

void add_host_options(CLI::App& command, HostOptions& options) {
  command.add_option("--hosts", options.hosts, "Hosts as ssh knows them, each with its ranks")
      ->type_name("a:4,b:4");
  command.add_option("--hostfile", options.host_file, "A file of lines such as \"node1 slots=4\"")
      ->type_name("FILE");
  command.add_option("--local", options.local, "This many ranks on this machine, before the hosts")
      ->check(whole_number(1, 4096));
  command
      .add_option("--folder", options.folder,
                  "Folder of the runs on the hosts, which all of them see")
      ->type_name("DIR");
  command.add_flag("--copy", options.copy, "Send this program to hosts that do not have it");
  command
      .add_option("--program", options.program,
                  "Where tessera is on the hosts, if not where this one is nor on the PATH")
      ->type_name("FILE");
  command.add_option("--ssh", options.ssh, "The command instead of ssh: \"ssh -F FILE\"")
      ->type_name("COMMAND");
}

std::string ssh_command(const HostOptions& options) {
  if (!options.ssh.empty()) return options.ssh;
  const char* given = std::getenv("TESSERA_SSH");
  return given && *given ? given : "ssh";
}

void add_hosts(CLI::App& app) {
  auto* hosts = app.add_subcommand("hosts", "Hosts for launches");
  hosts->require_subcommand(1);
  auto* check = hosts->add_subcommand("check", "Say what stands in the way of a launch on hosts");
  auto options = std::make_shared<CheckOptions>();
  check->add_option("names", options->hosts, "The same as --hosts; those that are kept if none")
      ->type_name("a,b");
  add_host_options(*check, *options);
  check->add_flag("--json", options->json, "One JSON object for each host");
  check->callback([options] { check_hosts(*options); });

  auto* probe = hosts->add_subcommand(
      "probe", "Let a rank on each host say hello, and measure how fast they send to each other");
  auto probed = std::make_shared<CheckOptions>();
  auto seconds = std::make_shared<double>(1);
  probe->add_option("names", probed->hosts, "The same as --hosts; those that are kept if none")
      ->type_name("a,b");
  add_host_options(*probe, *probed);
  probe->add_option("--seconds", *seconds, "For each direction between two hosts; 1 if left out")
      ->check(CLI::Range(0.1, 60.0));
  probe->add_flag("--json", probed->json, "One JSON object for each direction");
  probe->callback([probed, seconds] { probe_hosts(*probed, *seconds); });

  auto* list = hosts->add_subcommand("list", "Hosts that are kept, and what was found last");
  auto json = std::make_shared<bool>(false);
  list->add_flag("--json", *json, "One JSON object for each host");
  list->callback([json] { list_hosts(*json); });

  auto names = std::make_shared<std::string>();
  auto* add = hosts->add_subcommand("add", "Keep hosts, for checks and for the studio");
  add->add_option("names", *names, "Hosts as ssh knows them")->type_name("a,b")->required();
  add->callback([names] { add_to_book(*names); });
  auto* remove = hosts->add_subcommand("remove", "Forget hosts");
  remove->add_option("names", *names, "Hosts as `tessera hosts list` has them")
      ->type_name("a,b")
      ->required();
  remove->callback([names] { remove_from_book(*names); });
}

}  // namespace tessera::app
