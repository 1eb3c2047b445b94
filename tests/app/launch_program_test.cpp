// SPDX-License-Identifier: MIT
// `tessera launch` as a person starts it: agents and ranks of this machine, reached through a
// program in the place of ssh that runs what it is told here.
#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>

#include "core/base/error.h"
#include "core/launch/run_queue.h"
#include "core/launch/run_words.h"
#include "tests/app/rank_program.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

/// Takes ssh's options; the host "lost" is not known, and the file "cut" in the folder cuts lines.
constexpr const char* kPretendSsh = R"(#!/bin/bash
folder=$(dirname "$0")
for word in "$@"; do [ "$word" = "-O" ] && exit 0; done
while [ "$1" != "--" ]; do shift; done
host=$2
if [ "$host" = lost ]; then
  echo "ssh: Could not resolve hostname lost: Name or service not known" >&2; exit 255
fi
if [ "$host" = strange ]; then echo "Host key verification failed." >&2; exit 255; fi
if [ -e "$folder/cut" ]; then
  echo "ssh: connect to host $host port 22: No route to host" >&2; exit 255
fi
echo "Welcome to $host"
echo $$ >> "$folder/lines"
exec sh -c "$3"
)";

class LaunchProgram : public RankProgram {
 protected:
  void SetUp() override {
    fs::create_directories(home() / "ssh");
    write_file_atomically(ssh(), kPretendSsh);
    fs::permissions(ssh(), fs::perms::owner_all);
    ::setenv("TESSERA_HOME", home().c_str(), 1);
    ::setenv("TESSERA_AGENTS", (home() / "agents").c_str(), 1);
    ::setenv("TESSERA_SSH", ssh().c_str(), 1);
    fs::remove(home() / "ssh" / "cut");
    fs::remove(home() / "ssh" / "lines");
  }
  static fs::path home() { return workspace_->path / "desk"; }
  static fs::path ssh() { return home() / "ssh" / "ssh"; }
  static fs::path runs() { return workspace_->path / "shared runs"; }

  static std::unique_ptr<Started> tessera(std::vector<std::string> words) {
    words.insert(words.begin(), TESSERA_PROGRAM);
    const auto output = workspace_->path / fmt::format("output-{}", ++started_);
    return std::make_unique<Started>(words, output);
  }
  static std::unique_ptr<Started> launch(const RunSpec& s, std::vector<std::string> words) {
    fs::remove_all(runs());
    words.insert(words.begin(), {"launch", file_of(s), "--folder", runs().string()});
    return tessera(words);
  }
  static RunSpec long_spec() {
    RunSpec s = spec();
    s.curriculum[0].steps = 100'000;
    return s;
  }
  static RunFolder the_run() {
    for (const auto& entry : fs::directory_iterator(runs())) {
      if (RunFolder::is_run(entry.path())) return RunFolder::open(entry.path());
    }
    throw Error(runs().string(), "holds no run");
  }
  static RunFolder run_after(std::int64_t steps) {
    EXPECT_TRUE(wait_until([&] { return std::ssize(tiny_run::losses(the_run())) >= steps; }));
    return the_run();
  }
  static bool all_gone(const RunFolder& run) {
    return wait_until([&] {
      const auto all = records(run);
      return std::none_of(all.begin(), all.end(), [](const RankCalls& r) { return r.is_there(); });
    });
  }
  /// Processes of agents by the journals of this test's agents that are held.
  static std::vector<std::int64_t> agent_processes() {
    std::vector<std::int64_t> all;
    for (const auto& entry : fs::directory_iterator(home() / "agents")) {
      std::istringstream lines(read_file(entry.path() / "journal"));
      std::string line;
      std::getline(lines, line);
      all.push_back(nlohmann::json::parse(line).at("process").get<std::int64_t>());
    }
    return all;
  }
  static void cut_lines() {
    write_file_atomically(home() / "ssh" / "cut", "");
    std::istringstream numbers(read_file(home() / "ssh" / "lines"));
    for (int number; numbers >> number;) {
      const fs::path line = fmt::format("/proc/{}/cmdline", number);
      if (!fs::exists(line)) continue;
      std::ifstream words(line);
      const std::string text{std::istreambuf_iterator<char>(words), {}};
      if (text.find("agent") != text.npos) ::kill(number, SIGKILL);
    }
  }
  static void mend_lines() { fs::remove(home() / "ssh" / "cut"); }
  static std::string launch_name(const std::string& output) {
    const auto at = output.find("launch ") + 7;
    return output.substr(at, output.find(':', at) - at);
  }

  static inline int started_ = 0;
};

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

TEST_F(LaunchProgram, TrainsOnHostsAsOnOneMachine) {
  std::map<std::int64_t, double> first;
  for (const std::vector<std::string>& hosts : {std::vector<std::string>{"--hosts", "a:1,b:1"},
                                                {"--local", "2"},
                                                {"--local", "1", "--hosts", "b"}}) {
    const auto program = launch(spec(), hosts);
    ASSERT_EQ(program->wait(), 0) << program->output();
    const RunFolder run = the_run();
    EXPECT_EQ(status_of(run).state, RunState::Finished);
    EXPECT_EQ(run.spec().parallel.data, 2);
    const auto losses = tiny_run::losses(run);
    EXPECT_FALSE(losses.empty());
    if (first.empty()) first = losses;
    EXPECT_EQ(losses, first);  // to the last bit
    for (const RankCalls& rank : records(run)) EXPECT_EQ(rank.ending, RankCalls::Ending::Well);
    EXPECT_TRUE(holds(program->output(), "run " + run.path().string())) << program->output();
    // What the hosts met by is taken away again.
    for (const auto& entry : fs::directory_iterator(runs())) {
      EXPECT_FALSE(holds(entry.path().filename().string(), "hosts-meet")) << entry.path();
    }
  }
}

TEST_F(LaunchProgram, GoesOnWithARunOnOtherHosts) {
  const auto first = launch(spec(), {"--hosts", "a,b", "--most-steps", "4"});
  ASSERT_EQ(first->wait(), 0) << first->output();
  const RunFolder run = the_run();
  EXPECT_EQ(status_of(run).state, RunState::Stopped);
  const auto second = tessera({"launch", "--resume", run.path().string(), "--hosts", "a:2,b,c",
                               "--folder", runs().string()});
  ASSERT_EQ(second->wait(), 0) << second->output();
  EXPECT_EQ(status_of(run).state, RunState::Finished);
  EXPECT_EQ(records(run).size(), 4u);
  EXPECT_EQ(tiny_run::losses(run).size(), 12u);
}

TEST_F(LaunchProgram, AKilledRankIsNamedWithItsHostAndEndsAll) {
  const auto program =
      launch(long_spec(), {"--hosts", "a:1,b:2,c:1", "--set", "parallel.micro_batch_sequences=1"});
  const RunFolder run = run_after(3);
  ::kill(static_cast<pid_t>(records(run).at(2).pid), SIGKILL);
  EXPECT_EQ(program->wait(), 137) << program->output();
  const std::string said = program->output();
  EXPECT_TRUE(holds(said, "rank 2 on host b (process " + std::to_string(records(run).at(2).pid) +
                              ") was killed by signal 9 (Killed)"))
      << said;
  EXPECT_TRUE(holds(said, "tessera launch --resume " + run.path().string())) << said;
  EXPECT_TRUE(all_gone(run));
}

TEST_F(LaunchProgram, BeginsAgainAfterAFaultAsOftenAsItsSpecSays) {
  RunSpec s = long_spec();
  s.host.restart = 1;
  s.checkpoint.every_steps = 2;
  const auto program = launch(s, {"--hosts", "a,b"});
  const RunFolder run = run_after(5);
  const std::int64_t victim = records(run).at(1).pid;
  ::kill(static_cast<pid_t>(victim), SIGKILL);
  ASSERT_TRUE(wait_until([&] { return holds(program->output(), "restart 1 of 1"); }))
      << program->output();
  ASSERT_TRUE(wait_until([&] { return records(run).at(1).pid != victim; }));
  const auto before = std::ssize(tiny_run::losses(run));
  run_after(before + 3);
  ::kill(static_cast<pid_t>(records(run).at(1).pid), SIGKILL);
  EXPECT_EQ(program->wait(), 137) << program->output();
  EXPECT_FALSE(holds(program->output(), "restart 2")) << program->output();
}

TEST_F(LaunchProgram, OnOneHostItsAgentBeginsAgainWithTheDeskGone) {
  RunSpec s = spec();
  s.curriculum[0].steps = 300;
  ASSERT_EQ(launch(s, {"--hosts", "a:2"})->wait(), 0);
  const auto reference = tiny_run::losses(the_run());
  s.host.restart = 2;
  s.checkpoint.every_steps = 3;
  const auto program = launch(s, {"--hosts", "a:2"});
  const RunFolder run = run_after(5);
  ::kill(program->pid(), SIGKILL);
  program->wait();
  const std::int64_t victim = records(run).at(1).pid;
  ::kill(static_cast<pid_t>(victim), SIGKILL);
  ASSERT_TRUE(wait_until([&] { return status_of(run).state == RunState::Finished; }))
      << status_of(run).reason;
  EXPECT_NE(records(run).at(1).pid, victim);
  EXPECT_EQ(tiny_run::losses(run), reference);  // to the last bit
  const auto desk = tessera({"launch", "--attach", run.id()});
  EXPECT_EQ(desk->wait(), 0) << desk->output();
}

TEST_F(LaunchProgram, ASignalToTheDeskSavesAndStops) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const auto program = launch(long_spec(), {"--hosts", "a,b"});
    const RunFolder run = run_after(3);
    ::kill(program->pid(), signal);
    EXPECT_EQ(program->wait(), 0) << program->output();
    EXPECT_EQ(status_of(run).reason, "stopped on request, saved");
    EXPECT_TRUE(find_latest_checkpoint(run.path()));
    EXPECT_TRUE(all_gone(run));
  }
}

TEST_F(LaunchProgram, NothingStopsWithTheDeskAndAnotherOneFindsIt) {
  std::string name;
  {
    const auto program = launch(long_spec(), {"--hosts", "a,b"});
    run_after(3);
    name = launch_name(program->output());
    ::kill(program->pid(), SIGKILL);
    EXPECT_EQ(program->wait(), 137);
  }
  const RunFolder run = the_run();
  const auto before = std::ssize(tiny_run::losses(run));
  run_after(before + 3);
  EXPECT_EQ(status_of(run).state, RunState::Running);
  // A desk whose terminal is closed goes, and the run goes on.
  const auto closed = tessera({"launch", "--attach", name});
  ASSERT_TRUE(wait_until([&] { return holds(closed->output(), "loss"); })) << closed->output();
  ::kill(closed->pid(), SIGHUP);
  EXPECT_EQ(closed->wait(), 128 + SIGHUP);
  run_after(std::ssize(tiny_run::losses(run)) + 3);
  // By the name of its run, and to stop it.
  const auto stop = tessera({"launch", "--stop", run.id()});
  EXPECT_EQ(stop->wait(), 0) << stop->output();
  EXPECT_EQ(status_of(run).reason, "stopped on request, saved");
  EXPECT_TRUE(all_gone(run));
  const auto late = tessera({"launch", "--attach", name});
  EXPECT_EQ(late->wait(), 0);
  EXPECT_TRUE(holds(late->output(), "ended well")) << late->output();
}

TEST_F(LaunchProgram, LeavesAtOnceWhereItIsToldToAndHandsVariablesOn) {
  ::setenv("FROM_THE_DESK", "a b", 1);
  const auto program = launch(
      long_spec(), {"--hosts", "a,b", "--detach", "--env", "FROM_THE_DESK", "--env", "GIVEN=x=y"});
  ASSERT_EQ(program->wait(), 0) << program->output();
  const std::string name = launch_name(program->output());
  EXPECT_TRUE(holds(program->output(), "tessera launch --attach " + name)) << program->output();
  const RunFolder run = run_after(3);
  for (const RankCalls& rank : records(run)) {
    std::ifstream file(fmt::format("/proc/{}/environ", rank.pid));
    const std::string all{std::istreambuf_iterator<char>(file), {}};
    using namespace std::string_literals;
    EXPECT_TRUE(holds(all, "FROM_THE_DESK=a b\0"s)) << rank.rank;
    EXPECT_TRUE(holds(all, "GIVEN=x=y\0"s)) << rank.rank;
  }
  // Also a run that hears nothing can be ended.
  ::kill(static_cast<pid_t>(records(run).at(0).pid), SIGSTOP);
  const auto stop = tessera({"launch", "--stop", name, "--now"});
  EXPECT_EQ(stop->wait(), 0) << stop->output();
  EXPECT_TRUE(holds(stop->output(), "all ranks have ended, unsaved")) << stop->output();
  EXPECT_TRUE(all_gone(run));
  const auto unset = launch(spec(), {"--hosts", "a,b", "--env", "NOT_SET_HERE"});
  EXPECT_EQ(unset->wait(), 1);
  EXPECT_TRUE(holds(unset->output(), "NOT_SET_HERE")) << unset->output();
}

TEST_F(LaunchProgram, ALineThatBreaksStopsNothingAndNothingOfItIsLost) {
  const auto program = launch(long_spec(), {"--hosts", "a,b"});
  const RunFolder run = run_after(3);
  cut_lines();
  ASSERT_TRUE(wait_until([&] { return holds(program->output(), "the line to b is broken"); }))
      << program->output();
  run_after(std::ssize(tiny_run::losses(run)) + 3);
  // What is asked for meanwhile, and what is said, comes once the line is there again.
  ::kill(program->pid(), SIGTERM);
  ASSERT_TRUE(wait_until([&] { return holds(program->output(), "as soon as the line to a"); }))
      << program->output();
  mend_lines();
  EXPECT_EQ(program->wait(), 0) << program->output();
  EXPECT_TRUE(holds(program->output(), "the line to a is back after")) << program->output();
  EXPECT_EQ(status_of(run).reason, "stopped on request, saved");
  const std::string said = program->output();
  const std::string first = "run " + run.path().string() + "\n";
  ASSERT_TRUE(holds(said, first));
  EXPECT_FALSE(holds(said.substr(said.find(first) + 1), first)) << "told twice";
  EXPECT_TRUE(holds(said, "go on with it:")) << "its last words are lost";
}

TEST_F(LaunchProgram, RanksEndWithTheirAgent) {
  fs::remove_all(home() / "agents");
  const auto program = launch(long_spec(), {"--hosts", "a,b"});
  const RunFolder run = run_after(3);
  const auto agents = agent_processes();
  ASSERT_EQ(agents.size(), 2u);
  for (const std::int64_t agent : agents) ::kill(static_cast<pid_t>(agent), SIGKILL);
  EXPECT_EQ(program->wait(), 1) << program->output();
  EXPECT_TRUE(holds(program->output(), "the agent on host a, b is gone") ||
              holds(program->output(), "the agent on host b, a is gone"))
      << program->output();
  EXPECT_TRUE(all_gone(run));
  EXPECT_EQ(status_of(run).reason, "stopped on request, saved");
}

TEST_F(LaunchProgram, RefusesHostsThatCannotBeHadAndLeavesNothing) {
  const auto lost = launch(spec(), {"--hosts", "a,lost"});
  EXPECT_EQ(lost->wait(), 1);
  EXPECT_TRUE(holds(lost->output(), "[host lost] is a name that nothing knows")) << lost->output();
  const auto strange = launch(spec(), {"--hosts", "strange,a"});
  EXPECT_EQ(strange->wait(), 1);
  EXPECT_TRUE(holds(strange->output(), "accept its key")) << strange->output();
  const auto twice = launch(spec(), {"--hosts", "a,a"});
  EXPECT_EQ(twice->wait(), 1);
  EXPECT_TRUE(holds(twice->output(), "a is named twice")) << twice->output();
  const auto unfit = launch(spec(), {"--hosts", "a:3"});
  EXPECT_NE(unfit->wait(), 0);
  EXPECT_FALSE(fs::exists(runs()) && !fs::is_empty(runs()));
  const auto nothing = tessera({"launch", "--hosts", "a"});
  EXPECT_EQ(nothing->wait(), 1);
  EXPECT_TRUE(holds(nothing->output(), "nothing to launch is named")) << nothing->output();
}

TEST_F(LaunchProgram, ChecksHosts) {
  const auto good = tessera({"hosts", "check", "a,b", "--folder", runs().string()});
  const int status = good->wait();
  const std::string said = good->output();
  EXPECT_EQ(status, 0) << said;
  for (const char* part : {"a\n", "b\n", "version", "disk", "limits", "clock", "together"}) {
    EXPECT_TRUE(holds(said, part)) << part << " is not in " << said;
  }
  const auto bad = tessera({"hosts", "check", "a,lost"});
  EXPECT_EQ(bad->wait(), 1);
  EXPECT_TRUE(holds(bad->output(), "nothing knows; check the spelling")) << bad->output();
  const auto none =
      tessera({"hosts", "check", "a", "--ssh", "env PATH=/usr/bin:/bin " + ssh().string()});
  EXPECT_EQ(none->wait(), 0) << none->output();  // it is where this one is
}

TEST_F(LaunchProgram, EveryRankSaysHelloAndNothingIsTrained) {
  fs::remove_all(runs());
  const auto hello = launch(spec(), {"--hello", "--hosts", "a:2,b:2"});
  ASSERT_EQ(hello->wait(), 0) << hello->output();
  for (const char* words : {"hello from rank 0 on a:", "hello from rank 1 on a:",
                            "hello from rank 2 on b:", "hello from rank 3 on b:"}) {
    EXPECT_TRUE(holds(hello->output(), words)) << hello->output();
  }
  EXPECT_TRUE(fs::is_empty(runs()));
  // What is set beside the spec counts here as for the run.
  const auto set = launch(spec(), {"--hello", "--hosts", "a:2", "--set", "host.threads=3"});
  ASSERT_EQ(set->wait(), 0) << set->output();
  EXPECT_TRUE(holds(set->output(), " 3 threads")) << set->output();
  const auto unset = launch(spec(), {"--hello", "--hosts", "a:2", "--env", "TESSERA_NOT_SET"});
  EXPECT_NE(unset->wait(), 0);
  EXPECT_TRUE(holds(unset->output(), "is no variable that is set here")) << unset->output();
  const auto unfit = launch(spec(), {"--hello", "--hosts", "a:3"});
  EXPECT_EQ(unfit->wait(), 1) << unfit->output();
  const auto lost = launch(spec(), {"--hello", "--hosts", "a,lost"});
  EXPECT_EQ(lost->wait(), 1);
  EXPECT_TRUE(holds(lost->output(), "is a name that nothing knows")) << lost->output();
}

TEST_F(LaunchProgram, MeasuresHowFastHostsSendToEachOther) {
  ASSERT_EQ(tessera({"hosts", "add", "a,b"})->wait(), 0);
  const auto probe = tessera({"hosts", "probe", "--seconds", "0.2"});
  ASSERT_EQ(probe->wait(), 0) << probe->output();
  EXPECT_TRUE(holds(probe->output(), "hello from rank 1 on b:")) << probe->output();
  const auto list = tessera({"hosts", "list"});
  EXPECT_EQ(list->wait(), 0);
  EXPECT_TRUE(holds(list->output(), "/s to b, measured ")) << list->output();
  EXPECT_TRUE(holds(list->output(), "/s to a, measured ")) << list->output();
  const auto alone = tessera({"hosts", "probe", "a"});
  EXPECT_EQ(alone->wait(), 1);
  EXPECT_TRUE(holds(alone->output(), "needs two hosts")) << alone->output();
  EXPECT_EQ(tessera({"hosts", "remove", "a,b"})->wait(), 0);
}

// ---- Copies of remote runs, the queue, sweeps ---------------------------------------------------

nlohmann::json json_said_by(Started& program) {
  EXPECT_EQ(program.wait(), 0) << program.output();
  return nlohmann::json::parse(program.output());
}

bool same_bytes(const fs::path& a, const fs::path& b) {
  return read_file(a) == read_file(b);
}

class DeskProgram : public LaunchProgram {
 protected:
  void SetUp() override {
    LaunchProgram::SetUp();
    ::unsetenv("TESSERA_RUNS");
    // Whoever keeps copies may still write the last word of the case before.
    std::error_code busy;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    do {
      busy.clear();
      fs::remove_all(home() / "runs", busy);
      if (busy) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    } while (busy && std::chrono::steady_clock::now() < until);
    ASSERT_FALSE(busy) << busy.message();
    fs::remove_all(home() / "queue.json");
    fs::remove_all(home() / "sweeps");
  }
  /// The copy that the desk keeps of the run.
  static fs::path copy() { return home() / "runs" / the_run().id(); }
  static std::vector<RunFolder> own_runs() {
    std::vector<RunFolder> all;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(home() / "runs", error)) {
      if (RunFolder::is_run(entry.path())) all.push_back(RunFolder::open(entry.path()));
    }
    return all;
  }
  static nlohmann::json row_of(const std::string& run) {
    for (const auto& row : json_said_by(*tessera({"runs", "--json"}))) {
      if (row.at("id") == run) return row;
    }
    return {};
  }
  static RunSpec short_spec(const std::string& name, std::int64_t steps) {
    RunSpec s = spec();
    s.run.name = name;
    s.curriculum[0].steps = steps;
    return s;
  }
  static std::string spec_file(const RunSpec& s) {
    const auto path = workspace_->path / (s.run.name + ".toml");
    std::ofstream(path) << write_spec(s);
    return path.string();
  }
  static RunQueue queue() { return RunQueue::load(home() / "queue.json"); }
  static std::optional<int> holder() {
    for (const auto& entry : fs::directory_iterator("/proc")) {
      std::ifstream words(entry.path() / "cmdline");
      const std::string text{std::istreambuf_iterator<char>(words), {}};
      if (text != std::string(TESSERA_PROGRAM) + '\0' + "queue" + '\0' + "run" + '\0') continue;
      std::ifstream variables(entry.path() / "environ");
      const std::string all{std::istreambuf_iterator<char>(variables), {}};
      if (holds(all, "TESSERA_HOME=" + home().string() + '\0')) {
        return std::stoi(entry.path().filename().string());
      }
    }
    return {};
  }
};

TEST_F(DeskProgram, KeepsACopyOfARunThatItLaunchedElsewhere) {
  const auto program = launch(long_spec(), {"--hosts", "a"});
  const RunFolder run = run_after(3);
  ASSERT_TRUE(wait_until([&] { return RunFolder::is_run(copy()); })) << program->output();
  ASSERT_TRUE(wait_until([&] { return row_of(run.id()).value("state", "") == "running"; }));
  EXPECT_EQ(row_of(run.id()).at("host"), "a");
  // The desk is killed, lines and all, and the run goes on.
  ::kill(program->pid(), SIGKILL);
  cut_lines();
  run_after(std::ssize(tiny_run::losses(run)) + 3);
  mend_lines();
  const auto stop = tessera({"stop", run.id()});
  EXPECT_EQ(stop->wait(), 0) << stop->output();
  EXPECT_EQ(status_of(run).reason, "stopped on request, saved");
  EXPECT_EQ(status_of(RunFolder::open(copy())).reason, "stopped on request, saved");
  EXPECT_TRUE(wait_until([&] { return same_bytes(run.events_path(), copy() / "events.log"); }));
  EXPECT_TRUE(all_gone(run));
  // A checkpoint of it, and a chat with that.
  const auto fetch = tessera({"fetch", "a:" + run.path().string(), "--checkpoint", "newest"});
  ASSERT_EQ(fetch->wait(), 0) << fetch->output();
  const auto newest = find_latest_checkpoint(copy(), Verify::Hashes);
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->step, find_latest_checkpoint(run.path())->step);
  const auto chat = tessera({"generate", copy().string(), "--prompt", "the", "--max-tokens", "4"});
  EXPECT_EQ(chat->wait(), 0) << chat->output();
  // It cannot go on here.
  const auto resume = tessera({"resume", run.id()});
  EXPECT_EQ(resume->wait(), 1);
  EXPECT_TRUE(holds(resume->output(), "is the copy of a run on a")) << resume->output();
}

TEST_F(DeskProgram, KeepsACopyOfARunThatItLeftAtOnce) {
  const auto program = launch(long_spec(), {"--hosts", "a", "--detach"});
  ASSERT_EQ(program->wait(), 0) << program->output();
  const RunFolder run = run_after(2);
  ASSERT_TRUE(wait_until([&] { return RunFolder::is_run(copy()); })) << program->output();
  const auto stop = tessera({"stop", run.id()});
  EXPECT_EQ(stop->wait(), 0) << stop->output();
  EXPECT_TRUE(all_gone(run));
}

TEST_F(DeskProgram, MirrorsARunByItsName) {
  const auto program = launch(short_spec("far", 6), {"--hosts", "a"});
  ASSERT_EQ(program->wait(), 0) << program->output();
  fs::remove_all(home() / "runs");
  const auto wrong = tessera({"mirror", "a:nobody", "--folder", runs().string()});
  EXPECT_EQ(wrong->wait(), 1);
  EXPECT_TRUE(holds(wrong->output(), "there is no run \"nobody\"")) << wrong->output();
  const auto lost = tessera({"mirror", "lost:far"});
  EXPECT_EQ(lost->wait(), 1);
  EXPECT_TRUE(holds(lost->output(), "nothing knows")) << lost->output();
  const auto once = tessera({"mirror", "a:far", "--folder", runs().string(), "--once"});
  ASSERT_EQ(once->wait(), 0) << once->output();
  EXPECT_TRUE(holds(once->output(), "on a: finished, step 6 of 6")) << once->output();
  EXPECT_TRUE(same_bytes(the_run().events_path(), copy() / "events.log"));
}

TEST_F(DeskProgram, TellsAProgramTheEventsAsTheyStandInTheLog) {
  const auto program = launch(short_spec("raw", 5), {"--local", "1"});
  ASSERT_EQ(program->wait(), 0) << program->output();
  const auto raw = tessera({"watch", the_run().path().string(), "--raw", "--from", "3"});
  ASSERT_EQ(raw->wait(), 0) << raw->output();
  std::istringstream lines(raw->output());
  std::vector<RunWord> words;
  for (std::string line; std::getline(lines, line);) words.push_back(run_word_of_line(line));
  EXPECT_EQ(words.back().kind, RunWord::Kind::Ended);
  EventReader reader(the_run().events_path());
  reader.seek_sequence(3);
  for (const RunWord& word : words) {
    if (word.kind != RunWord::Kind::Event) continue;
    const auto frame = reader.poll_raw(1);
    ASSERT_EQ(frame.size(), 1u);
    EXPECT_EQ(word.number, frame[0].sequence);
    EXPECT_EQ(word.data, frame[0].payload);
  }
  EXPECT_TRUE(reader.poll_raw().empty()) << "some were not told";
}

TEST_F(DeskProgram, TheQueueGoesOnWithoutAWindowAndThroughKills) {
  const auto pause = tessera({"queue", "pause"});
  ASSERT_EQ(pause->wait(), 0) << pause->output();
  for (const char* name : {"one", "two", "three", "four"}) {
    const auto add = tessera({"queue", "add", spec_file(short_spec(name, 40))});
    ASSERT_EQ(add->wait(), 0) << add->output();
  }
  EXPECT_EQ(tessera({"queue", "move", "three", "1"})->wait(), 0);
  EXPECT_EQ(tessera({"queue", "remove", "4"})->wait(), 0);
  EXPECT_EQ(tessera({"queue", "remove", "nobody"})->wait(), 1);
  const auto list = json_said_by(*tessera({"queue", "list", "--json"}));
  ASSERT_EQ(list.at("entries").size(), 3u);
  EXPECT_EQ(list.at("entries")[0].at("name"), "three");
  EXPECT_FALSE(holder());
  EXPECT_EQ(tessera({"queue", "unpause"})->wait(), 0);
  // Whoever starts what waits is killed again and again; the next look begins another one.
  int kills = 0;
  ASSERT_TRUE(wait_until([&] {
    if (const auto process = holder(); process && kills < 6) {
      std::this_thread::sleep_for(std::chrono::milliseconds(37 * kills));
      ::kill(*process, SIGKILL);
      ++kills;
    }
    tessera({"queue", "list"})->wait();
    const auto all = own_runs();
    return all.size() == 3 && std::all_of(all.begin(), all.end(), [](const RunFolder& run) {
             return status_of(run).state == RunState::Finished;
           });
  }));
  EXPECT_GE(kills, 1);
  ASSERT_TRUE(wait_until([&] { return queue().entries.empty(); }));
  EXPECT_EQ(queue().begun.size(), 3u);
  EXPECT_EQ(own_runs().size(), 3u) << "nothing was started twice";
  std::vector<std::pair<double, double>> times;
  for (const RunFolder& run : own_runs()) {
    times.emplace_back(status_of(run).created, status_of(run).last_word);
  }
  std::sort(times.begin(), times.end());
  for (std::size_t i = 1; i < times.size(); ++i) EXPECT_GE(times[i].first, times[i - 1].second);
  EXPECT_TRUE(wait_until([&] { return !holder(); })) << "nothing waits, so nobody is needed";
}

TEST_F(DeskProgram, TheQueueStartsOnHostsAndNothingTwiceThroughKills) {
  fs::remove_all(runs());
  fs::remove_all(home() / "launched");
  EXPECT_EQ(tessera({"queue", "pause"})->wait(), 0);
  const std::vector<std::string> place = {"--hosts", "a:2", "--folder", runs().string()};
  for (const char* name : {"far-one", "far-two"}) {
    std::vector<std::string> words = {"queue", "add", spec_file(short_spec(name, 40))};
    words.insert(words.end(), place.begin(), place.end());
    const auto add = tessera(words);
    ASSERT_EQ(add->wait(), 0) << add->output();
  }
  // What does not fit is refused at once: nobody looks on when its turn comes.
  const auto unfit = tessera({"queue", "add", spec_file(short_spec("x", 4)), "--hosts", "a:3"});
  EXPECT_EQ(unfit->wait(), 1);
  const auto twice = tessera({"queue", "add", spec_file(short_spec("x", 4)), "--hosts", "a,a"});
  EXPECT_EQ(twice->wait(), 1);
  const auto both =
      tessera({"queue", "add", spec_file(short_spec("x", 4)), "--hosts", "a", "--slurm", "gpu"});
  EXPECT_EQ(both->wait(), 1);
  const auto list = json_said_by(*tessera({"queue", "list", "--json"}));
  ASSERT_EQ(list.at("entries").size(), 2u);
  EXPECT_EQ(list.at("entries")[0].at("place"), "a:2");
  EXPECT_EQ(tessera({"queue", "unpause"})->wait(), 0);
  int kills = 0;
  const auto far_runs = [] {
    std::vector<RunFolder> all;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(runs(), error)) {
      if (RunFolder::is_run(entry.path())) all.push_back(RunFolder::open(entry.path()));
    }
    return all;
  };
  ASSERT_TRUE(wait_until([&] {
    if (const auto process = holder(); process && kills < 5) {
      std::this_thread::sleep_for(std::chrono::milliseconds(211 * kills));
      ::kill(*process, SIGKILL);
      ++kills;
    }
    tessera({"queue", "list"})->wait();
    const auto all = far_runs();
    return queue().entries.empty() && all.size() >= 2 &&
           std::all_of(all.begin(), all.end(), [](const RunFolder& run) {
             return status_of(run).state == RunState::Finished;
           });
  })) << read_file(home() / "queue.json");
  EXPECT_GE(kills, 1);
  EXPECT_EQ(far_runs().size(), 2u) << "nothing was started twice";
  std::vector<std::pair<double, double>> times;
  for (const RunFolder& run : far_runs()) {
    EXPECT_EQ(run.spec().parallel.data, 2);
    times.emplace_back(status_of(run).created, status_of(run).last_word);
  }
  std::sort(times.begin(), times.end());
  EXPECT_GE(times[1].first, times[0].second) << "one after the other on the same host";
  // Copies of both are here.
  EXPECT_TRUE(wait_until([] { return own_runs().size() == 2; }));
}

TEST_F(DeskProgram, AStartThatWasKilledIsFoundAgainOnItsHosts) {
  fs::remove_all(runs());
  const fs::path base = home() / "launches" / "far-test";
  fs::create_directories(base.parent_path());
  for (const auto& entry : fs::directory_iterator(base.parent_path())) fs::remove(entry.path());
  const auto file = [&](const char* ending) { return fs::path(base.string() + ending); };
  const auto program = launch(long_spec(), {"--hosts", "a,b", "--start-files", base.string()});
  ASSERT_TRUE(wait_until([&] { return fs::exists(file(".launch")); })) << program->output();
  ::kill(program->pid(), SIGKILL);
  std::string name = read_file(file(".launch"));
  name.pop_back();
  const auto found =
      tessera({"launch", "--attach", name, "--detach", "--start-files", base.string()});
  const int status = found->wait();
  if (status == 0) {  // it had begun on both hosts
    ASSERT_TRUE(fs::exists(file(".id"))) << found->output();
    const RunFolder run = run_after(2);
    EXPECT_TRUE(holds(read_file(file(".id")), run.id()));
    EXPECT_EQ(tessera({"launch", "--stop", name})->wait(), 0);
    EXPECT_TRUE(all_gone(run));
  } else {
    EXPECT_EQ(status, 3) << found->output();
    EXPECT_FALSE(fs::exists(file(".id")));
  }
}

TEST_F(DeskProgram, ForksOnHostsFromACopyOfTheRunThere) {
  const auto program = launch(long_spec(), {"--hosts", "a", "--most-steps", "6"});
  ASSERT_EQ(program->wait(), 0) << program->output();
  const RunFolder parent = the_run();
  ASSERT_TRUE(wait_until([&] { return RunFolder::is_run(copy()); }));
  const auto fork = tessera({"launch", "--fork", parent.id(), "--hosts", "a:1", "--folder",
                             runs().string(), "--set", "run.name=\"child\"", "--most-steps", "3"});
  ASSERT_EQ(fork->wait(), 0) << fork->output();
  std::optional<RunFolder> child;
  for (const auto& entry : fs::directory_iterator(runs())) {
    if (entry.path().filename().string().starts_with("child-")) {
      child = RunFolder::open(entry.path());
    }
  }
  ASSERT_TRUE(child) << fork->output();
  ASSERT_TRUE(child->lineage());
  EXPECT_EQ(child->lineage()->parent, parent.id());
  EXPECT_EQ(tessera({"launch", file_of(spec()), "--step", "3", "--hosts", "a"})->wait(), 1);
  EXPECT_EQ(tessera({"launch", "--fork", parent.id(), "--slurm", "gpu"})->wait(), 1);
}

TEST_F(DeskProgram, ASweepQueuesItsRunsAndShowsTheBestFirst) {
  const std::string file = spec_file(short_spec("base", 8));
  const auto dry = tessera(
      {"sweep", file, "--tag", "clip", "--set", "optimiser.clip=0.1,1.0", "--seeds", "2", "--dry"});
  EXPECT_EQ(dry->wait(), 0) << dry->output();
  EXPECT_TRUE(holds(dry->output(), "base-4")) << dry->output();
  EXPECT_FALSE(fs::exists(home() / "queue.json"));
  const auto wrong = tessera({"sweep", file, "--tag", "x", "--set", "optimiser.clipp=1,2"});
  EXPECT_EQ(wrong->wait(), 1);
  EXPECT_TRUE(holds(wrong->output(), "clipp")) << wrong->output();
  const auto sweep =
      tessera({"sweep", file, "--tag", "clip", "--set", "optimiser.clip=0.1,1.0", "--seeds", "2"});
  ASSERT_EQ(sweep->wait(), 0) << sweep->output();
  ASSERT_TRUE(wait_until([&] {
    const auto all = own_runs();
    return all.size() == 4 && std::all_of(all.begin(), all.end(), [](const RunFolder& run) {
             return status_of(run).state == RunState::Finished;
           });
  }));
  const auto shown = json_said_by(*tessera({"sweep", "show", "clip", "--json"}));
  ASSERT_EQ(shown.at("runs").size(), 4u);
  std::set<std::string> values;
  double before = -1;
  for (const auto& run : shown.at("runs")) {
    const auto& validation = run.at("validation_loss");
    const double loss = (validation.is_null() ? run.at("loss") : validation).get<double>();
    EXPECT_GE(loss, before) << "the best first";
    before = loss;
    values.insert(run.at("values").at("optimiser.clip").get<std::string>() + " " +
                  run.at("values").at("run.seed").get<std::string>());
  }
  EXPECT_EQ(values.size(), 4u);
  const auto table = tessera({"sweep", "show", "clip"});
  EXPECT_EQ(table->wait(), 0);
  EXPECT_TRUE(holds(table->output(), "mean loss")) << table->output();
  EXPECT_EQ(tessera({"sweep", "show", "none"})->wait(), 1);
}

TEST_F(DeskProgram, ASweepStopsWhatFallsBehindWhereItIsAskedTo) {
  RunSpec s = short_spec("race", 60);
  const auto good = tessera({"sweep", spec_file(s), "--tag", "race", "--seeds", "3"});
  ASSERT_EQ(good->wait(), 0) << good->output();
  ASSERT_TRUE(wait_until([&] { return own_runs().size() == 3 && queue().entries.empty(); }));
  // One that learns nothing is behind all of them.
  s.run.name = "late";
  s.curriculum[0].steps = 100'000;
  s.optimiser.clip = 1e-12;
  const auto late = tessera({"sweep", spec_file(s), "--tag", "race", "--seeds", "2",
                             "--stop-behind", "median", "--stop-after", "20"});
  ASSERT_EQ(late->wait(), 0) << late->output();
  const bool all_ended = wait_until([&] {
    const auto all = own_runs();
    return all.size() == 5 && std::all_of(all.begin(), all.end(), [](const RunFolder& run) {
             return is_final(status_of(run).state);
           });
  });
  EXPECT_TRUE(all_ended) << read_file(home() / "queue.json.log");
  const auto shown = json_said_by(*tessera({"sweep", "show", "race", "--json"}));
  int stopped = 0;
  for (const auto& run : shown.at("runs")) {
    const std::string why = run.at("stopped");
    if (why.empty()) continue;
    ++stopped;
    EXPECT_TRUE(run.at("id").get<std::string>().starts_with("late"));
    EXPECT_TRUE(holds(why, "the median of")) << why;
  }
  EXPECT_EQ(stopped, 2);
}

}  // namespace
}  // namespace tessera
