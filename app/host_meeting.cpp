// SPDX-License-Identifier: MIT
#include "app/host_meeting.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <random>

#include "app/bench_results.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/plugin.h"
#include "core/config/paths.h"
#include "core/launch/piped_process.h"

namespace tessera::app {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {
constexpr auto kFirstAnswersWithin = 40s;
/// Longer than the hosts wait for a network file system.
constexpr auto kOthersAnswerWithin = 100s;

/// The line that is an object; a login shell may greet before it.
std::string object_line(std::string text) {
  text += '\n';
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) {
    if (text[begin] == '{') return text.substr(begin, end - begin);
  }
  return "";
}

std::string first_offer(PipedProcess& first, const HostSlots& host, const std::atomic<bool>* stop) {
  HostAnswer answer;
  const auto until = std::chrono::steady_clock::now() + kFirstAnswersWithin;
  while (std::chrono::steady_clock::now() < until) {
    const auto ended = first.poll();
    first.exchange(answer.output, answer.errors);
    const std::string line = object_line(answer.output);
    if (!line.empty() && answer.output.ends_with('\n')) return line;
    if (ended) {
      answer.wait_status = *ended;
      require_answer(host.host, answer);
      throw Error("host " + host.name(), "says nothing");
    }
    check_not_stopped(stop);
    wait_for_any({&first}, 50);
  }
  answer.timed_out = true;
  require_answer(host.host, answer);
  return "";
}

/// Lets a host that listens go, and gives it time to take its file away.
class Listener {
 public:
  explicit Listener(const std::vector<std::string>& line) : process_(line) {}
  ~Listener() {
    process_.close_input();
    std::string ignored;
    for (int look = 0; look < 100 && !process_.poll(); ++look) {
      process_.exchange(ignored, ignored);
      wait_for_any({&process_}, 10);
    }
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  PipedProcess& process() { return process_; }

 private:
  PipedProcess process_;
};

std::vector<HostFinding> ask_others(const Ssh& ssh, const std::vector<HostSlots>& hosts,
                                    const RemoteProgram& program, const ReachOffer& offer,
                                    const std::string& token, const std::atomic<bool>* stop) {
  std::vector<std::string> words = {
      "agent", "reach",    "--build",    own_build(), "--token",
      token,   "--folder", offer.folder, "--port",    std::to_string(offer.port)};
  for (const HostAddress& one : offer.addresses) {
    words.push_back("--to");
    words.push_back(one.address);
  }
  std::vector<std::vector<std::string>> lines;
  for (std::size_t i = 1; i < hosts.size(); ++i) {
    lines.push_back(ssh.line(hosts[i].host, program.command(words)));
  }
  const std::vector<HostAnswer> answers = run_all(lines, "", kOthersAnswerWithin, stop);
  std::vector<HostFinding> findings;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    require_answer(hosts[i + 1].host, answers[i]);
    findings.push_back({hosts[i + 1].name(), finding_of_line(object_line(answers[i].output))});
  }
  return findings;
}
}  // namespace

std::string own_build() {
  return fmt::format("{} ({})", TESSERA_VERSION, built_from_commit());
}

std::vector<HostSlots> HostOptions::list() const {
  std::vector<HostSlots> all;
  if (local > 0) all.push_back({"", local});
  if (!hosts.empty() && !host_file.empty()) {
    throw Error("hosts", "--hosts and --hostfile both name them", "leave one of the two out");
  }
  std::vector<HostSlots> others;
  if (!hosts.empty()) others = parse_host_list(hosts);
  if (!host_file.empty()) others = parse_host_file(read_file(host_file), host_file);
  all.insert(all.end(), others.begin(), others.end());
  if (all.empty()) {
    throw Error("hosts", "none is named", "--hosts a:4,b:4, or --hostfile FILE, or --local N");
  }
  return all;
}

RemoteProgram prepare_program(const Ssh& ssh, const HostOptions& options,
                              const std::vector<HostSlots>& hosts, const CopyWatch& watch) {
  const fs::path own = fs::read_symlink("/proc/self/exe");
  RemoteProgram program;
  if (options.copy) {
    std::vector<fs::path> plugins;
    for (const PluginFile& plugin :
         {PluginFile{"libtessera_cuda.so", "TESSERA_CUDA_PLUGIN", "kernels"},
          PluginFile{"libtessera_nccl.so", "TESSERA_NCCL_PLUGIN", "distributed"}}) {
      if (const fs::path file = find_plugin(plugin); !file.empty()) plugins.push_back(file);
    }
    const ProgramBundle bundle(own, plugins, resources_folder());
    std::vector<std::string> names;
    for (const HostSlots& host : hosts) {
      if (!host.host.empty()) names.push_back(host.host);
    }
    CopyWatch told = watch;
    if (!told.tell) told.tell = [](const std::string& line) { std::printf("%s\n", line.c_str()); };
    copy_program(ssh, names, bundle, told);
    program.files.push_back(bundle.remote_file());
  }
  if (!options.program.empty()) program.files.push_back(options.program);
  program.files.push_back(own.string());
  return program;
}

HostMeeting meet_hosts(const Ssh& ssh, const std::vector<HostSlots>& hosts,
                       const RemoteProgram& program, const std::string& folder,
                       const std::atomic<bool>* stop) {
  const std::string token =
      fmt::format("{:08x}{:08x}", std::random_device{}(), std::random_device{}());
  std::vector<std::string> words = {"agent",     "reach",   "--listen", "--build",
                                    own_build(), "--token", token};
  if (!folder.empty()) words.insert(words.end(), {"--folder", folder});
  Listener first(ssh.line(hosts.front().host, program.command(words)));
  const ReachOffer offer = offer_of_line(first_offer(first.process(), hosts.front(), stop));
  HostMeeting meeting{{"127.0.0.1", ""}, offer.free_port, offer.folder, {""}};
  if (hosts.size() == 1) return meeting;
  const auto findings = ask_others(ssh, hosts, program, offer, token, stop);
  meeting.address = choose_address(hosts.front().name(), offer, findings);
  meeting.interfaces = {meeting.address.interface};
  for (const HostFinding& one : findings) {
    std::string interface;
    for (const auto& attempt : one.finding.attempts) {
      if (attempt.address == meeting.address.address) interface = attempt.interface;
    }
    meeting.interfaces.push_back(interface);
  }
  return meeting;
}

}  // namespace tessera::app
