// SPDX-License-Identifier: MIT
// agent: what `tessera launch` and `tessera hosts` start on each host, over ssh.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>

#include "app/commands.h"
#include "app/devices.h"
#include "app/host_meeting.h"
#include "app/signals.h"
#include "app/threads.h"
#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/checkpoint/checkpoint.h"
#include "core/config/paths.h"
#include "core/launch/agent.h"
#include "core/launch/checkpoint_fetch.h"
#include "core/launch/host_checks.h"
#include "core/launch/reach.h"
#include "core/launch/run_teller.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
struct AgentOptions {
  std::string name, folder, build, token, checkpoint;
  std::vector<std::string> to;
  std::int64_t from = 0, port = 0;
  bool listen = false;
};

std::string this_program() {
  return fs::read_symlink("/proc/self/exe").string();
}

void print_line(const std::string& line) {
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

/// The desk reads words; it tells people what went wrong here, and what to do.
[[noreturn]] void refuse(const Error& error) {
  print_line(to_line({.kind = AgentWord::Kind::Refused,
                      .time = clock_now(),
                      .text = fmt::format("[{}] {}", error.where(), error.what_failed()),
                      .hint = error.hint()}));
  throw Exit{1};
}

void check_build(const std::string& desk) {
  if (desk == own_build()) return;
  throw Error("version", fmt::format("{} is on this host, {} on the desk", own_build(), desk),
              "--copy sends the desk's program to the host");
}

void start_and_relay() {
  signal(SIGPIPE, SIG_IGN);
  try {
    std::string line;
    std::getline(std::cin, line);
    const AgentOrder order = order_of_line(line);
    check_build(order.build);
    relay_agent(start_agent(order, this_program()), 0, STDIN_FILENO, STDOUT_FILENO);
  } catch (const Error& error) {
    refuse(error);
  }
}

void attach(const AgentOptions& options) {
  signal(SIGPIPE, SIG_IGN);
  try {
    relay_agent({agents_folder() / options.name}, options.from, STDIN_FILENO, STDOUT_FILENO);
  } catch (const Error& error) {
    refuse(error);
  }
}

void hold(const AgentOptions& options) {
  HoldOptions hold_options;
  hold_options.stop = &stop_on_signals();
  hold_options.program = this_program();
  hold_options.own_variables = own_thread_variables();
  hold_ranks({options.folder}, hold_options);
}

/// Where a run is looked for again that a desk has seen: network file systems show folders late.
constexpr double kSeenRunPatience_s = 45, kNewRunPatience_s = 3;
/// A run that has ended may begin again soon, as by its own restart.
constexpr double kLingerAfterEnd_s = 30;

[[noreturn]] void refuse_to_tell(const Error& error, const std::string& kind) {
  print_line(to_line(RunWord{.kind = RunWord::Kind::Refused,
                             .time = clock_now(),
                             .name = kind,
                             .text = fmt::format("[{}] {}", error.where(), error.what_failed()),
                             .hint = error.hint()}));
  throw Exit{1};
}

RunFolder told_run(const RunAsk& ask) {
  try {
    return find_told_run(ask.run, ask.runs.empty() ? runs_folder() : fs::path(ask.runs),
                         ask.have > 0 ? kSeenRunPatience_s : kNewRunPatience_s);
  } catch (const Error& error) {
    refuse_to_tell(error, kMissingRun);
  }
}

/// The far end of a mirror.
void tell() {
  signal(SIGPIPE, SIG_IGN);
  try {
    std::string line;
    std::getline(std::cin, line);
    const RunAsk ask = ask_of_line(line);
    tell_run(
        told_run(ask), ask,
        {.in = STDIN_FILENO, .out = STDOUT_FILENO, .linger_s = ask.follow ? kLingerAfterEnd_s : 0});
  } catch (const Error& error) {
    refuse_to_tell(error, "");
  }
}

/// The far end of `tessera fetch`.
void send(const AgentOptions& options) {
  signal(SIGPIPE, SIG_IGN);
  const RunFolder folder = RunFolder::find(
      options.name, options.folder.empty() ? runs_folder() : fs::path(options.folder));
  std::vector<std::string> names;
  for (const CheckpointInfo& one : list_checkpoints(folder.path(), Verify::Sizes)) {
    if (one.damage.empty()) names.push_back(one.path.filename().string());
  }
  send_checkpoint(folder.checkpoints_path(), names, options.checkpoint, STDIN_FILENO,
                  STDOUT_FILENO);
}

fs::path runs_of(const AgentOptions& options) {
  return options.folder.empty() ? runs_folder() : resolve_path(options.folder, fs::current_path());
}

void reach(const AgentOptions& options) {
  constexpr double kLateFiles_s = 60;
  signal(SIGPIPE, SIG_IGN);
  check_build(options.build);
  if (options.listen) {
    return offer_reach(runs_of(options), options.token, STDIN_FILENO, STDOUT_FILENO);
  }
  print_line(to_line(try_reach(options.to, static_cast<int>(options.port), options.folder,
                               options.token, kLateFiles_s)));
}

/// Then answers each line with its clock, for as long as somebody asks.
void probe(const AgentOptions& options) {
  HostFacts facts = facts_of_this_host(runs_of(options).string());
  facts.build = own_build();
  try {
    load_cuda_backend();
    for (const DeviceInfo& gpu : devices()) facts.gpus.push_back(describe(gpu));
  } catch (const Error& error) {
    facts.gpu_trouble = error.what_failed();
  }
  print_line(to_line(facts));
  for (std::string line; std::getline(std::cin, line);) {
    print_line(fmt::format("{{\"time\": {:.9f}}}\n", clock_now()));
  }
}
}  // namespace

void add_agent(CLI::App& app) {
  auto* agent = app.add_subcommand("agent", "What `tessera launch` starts on each of its hosts");
  agent->group("");  // for `tessera launch` and `tessera hosts` alone
  agent->require_subcommand(1);
  auto options = std::make_shared<AgentOptions>();
  auto* start = agent->add_subcommand("start", "Start an agent by the order on standard input");
  start->callback([] { start_and_relay(); });
  auto* again = agent->add_subcommand("attach", "Follow an agent that is there");
  again->add_option("name", options->name, "The agent's name")->required();
  again->add_option("--from", options->from, "First word to show");
  again->callback([options] { attach(*options); });
  auto* holds = agent->add_subcommand("hold", "Be the agent of a folder");
  holds->add_option("folder", options->folder, "The agent's folder")->required();
  holds->callback([options] { hold(*options); });
  auto* tells = agent->add_subcommand("tell", "Tell what happens in a run, by the order on input");
  tells->callback([] { tell(); });
  auto* sends = agent->add_subcommand("send", "Send a checkpoint of a run");
  sends->add_option("run", options->name, "The run")->required();
  sends->add_option("--checkpoint", options->checkpoint, "Its step, or newest")->required();
  sends->add_option("--folder", options->folder, "Folder of the runs");
  sends->callback([options] { send(*options); });
  auto* reaches = agent->add_subcommand("reach", "Try how hosts reach each other");
  reaches->add_flag("--listen", options->listen, "Be the one that is reached");
  reaches->add_option("--to", options->to, "An address to try");
  reaches->add_option("--port", options->port, "Where it listens");
  reaches->add_option("--token", options->token, "What it answers");
  reaches->add_option("--folder", options->folder, "Folder of the runs");
  reaches->add_option("--build", options->build, "Of the desk's program");
  reaches->callback([options] { reach(*options); });
  auto* probes = agent->add_subcommand("probe", "Say what this host is and has");
  probes->add_option("--folder", options->folder, "Folder of the runs");
  probes->callback([options] { probe(*options); });
}

}  // namespace tessera::app
