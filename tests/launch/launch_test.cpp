// SPDX-License-Identifier: MIT
// The queue and its file; the desk on a host that exists in this test only; this machine as a host
// with a shell script in the place of the program.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <thread>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/launch/agent_protocol.h"
#include "core/launch/launch_desk.h"
#include "core/launch/launch_record.h"
#include "core/launch/local_host.h"
#include "core/launch/slurm_record.h"
#include "core/launch/start_claim.h"
#include "core/run/mirror_note.h"
#include "core/spec/spec.h"
#include "tests/run/run_test_helpers.h"

namespace tessera {
namespace {

QueueEntry entry(const std::string& id, const std::string& spec = {}) {
  QueueEntry e;
  e.id = e.name = id;
  e.spec = spec;
  return e;
}

std::string good_spec(const std::string& name) {
  return write_spec(test::small_spec(name));
}

std::string order_of(const RunQueue& queue) {
  std::string order;
  for (const QueueEntry& e : queue.entries) order += e.id;
  return order;
}

TEST(RunQueue, MovesWithinItsBounds) {
  RunQueue queue;
  for (const char* id : {"a", "b", "c", "d"}) queue.add(entry(id));
  queue.move("b", 2);
  EXPECT_EQ(order_of(queue), "acbd");
  queue.move("b", -5);
  EXPECT_EQ(order_of(queue), "bacd");
  queue.move("b", 100);
  EXPECT_EQ(order_of(queue), "acdb");
  queue.move("nobody", 0);
  queue.remove("nobody");
  queue.remove("c");
  EXPECT_EQ(order_of(queue), "adb");
  EXPECT_EQ(queue.find("d")->name, "d");
  EXPECT_EQ(queue.find("c"), nullptr);
}

TEST(RunQueue, ComesBackFromItsFile) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "queue.json";
  EXPECT_EQ(RunQueue::load(file), RunQueue());
  RunQueue queue;
  queue.paused = true;
  QueueEntry e = entry("ä", "[run]\nname = \"x\"\n");
  e.fork_from = "parent";
  e.fork_step = 7;
  e.problem = "why\nnot";
  e.announced = "/a/b.id";
  queue.add(e);
  queue.add(entry("plain"));
  queue.begun.push_back({"entry", "name", "run-1", 12.5});
  queue.save(file);
  EXPECT_EQ(RunQueue::load(file), queue);
  EXPECT_NE(test::read_bytes(file).find("\"version\": 1"), std::string::npos);
  // An older program must not start on this machine what is for another one.
  queue.entries[1].place.kind = LaunchPlace::Kind::Hosts;
  queue.entries[1].place.hosts = "a:4,b";
  queue.entries[1].place.folder = "/shared runs";
  queue.entries[1].place.copy = true;
  queue.save(file);
  EXPECT_EQ(RunQueue::load(file), queue);
  EXPECT_NE(test::read_bytes(file).find("\"version\": 2"), std::string::npos);
  // A message that was cut within a character is kept as far as it can be.
  queue.entries[1].problem = "caf\xC3";
  queue.save(file);
  EXPECT_EQ(RunQueue::load(file).entries.size(), 2u);
}

TEST(RunQueue, RemembersTheNewestStarts) {
  RunQueue queue;
  for (int i = 0; i < 150; ++i) {
    const std::string id = std::to_string(i);
    queue.add(entry(id));
    queue.note_begun(id, "run-" + id, i);
  }
  EXPECT_TRUE(queue.entries.empty());
  ASSERT_EQ(queue.begun.size(), RunQueue::kMostBegun);
  EXPECT_EQ(queue.begun.back(), (QueueStart{"149", "149", "run-149", 149}));
}

TEST(RunQueue, RefusesWhatIsNone) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "queue.json";
  for (const char* text : {"", "{ not json", "[]", "{}", "7", R"({"version": "one"})",
                           R"({"version": 1, "entries": [3]})", R"({"version": 1, "paused": 3})",
                           R"({"version": 1, "entries": [{"name": 3}]})",
                           R"({"version": 2, "entries": [{"place": {"hosts": "a"}}]})"}) {
    test::write_bytes(file, text);
    try {
      RunQueue::load(file);
      ADD_FAILURE() << text;
    } catch (const Error& problem) {
      EXPECT_NE(std::string(problem.what()).find("no queue"), std::string::npos)
          << text << ": " << problem.what();
    }
  }
  test::write_bytes(file, R"({"version": 99})");
  EXPECT_THROW(RunQueue::load(file), Error);
}

/// A host whose machine is a few variables.
struct FakeMachine {
  std::vector<LaunchOrder> started;
  std::deque<LaunchNews> news;
  std::map<std::string, bool> begun, alive;  ///< by ticket
  std::vector<std::string> given_up;
  bool is_starting = false;
  std::string running, refusal;
  std::vector<std::string> taken;    ///< other hosts
  std::vector<std::string> watches;  ///< tickets
  int watched = 0;
};

class FakeHost : public RunHost {
 public:
  explicit FakeHost(FakeMachine& machine) : machine_(machine) {}
  std::string prepare(const LaunchOrder& order) override {
    return (order.place.is_here() ? "ticket-" : "far-") + order.tag;
  }
  void start(const std::string& ticket, const LaunchOrder& order) override {
    if (!machine_.refusal.empty()) throw Error("host", machine_.refusal);
    if (ticket.starts_with("far-")) machine_.watches.push_back(ticket);
    machine_.started.push_back(order);
    ++machine_.watched;
  }
  bool has_begun(const std::string& ticket) const override { return machine_.begun[ticket]; }
  bool give_up(const std::string& ticket) override {
    machine_.given_up.push_back(ticket);
    return !machine_.alive[ticket];
  }
  std::string run_of(const std::string& ticket) const override { return "run of " + ticket; }
  bool is_starting() const override { return machine_.is_starting; }
  std::vector<LaunchNews> look() override {
    std::vector<LaunchNews> all(machine_.news.begin(), machine_.news.end());
    machine_.news.clear();
    for (const LaunchNews& n : all) machine_.watched -= n.kind == LaunchNews::Kind::Begun ? 0 : 1;
    return all;
  }
  bool watches() const override { return machine_.watched > 0; }
  bool watches_here() const override {
    const auto elsewhere = [](const std::string& one) { return one.starts_with("far-"); };
    return machine_.watched >
           std::count_if(machine_.watches.begin(), machine_.watches.end(), elsewhere);
  }
  bool watches_start(const std::string& ticket) const override {
    return std::find(machine_.watches.begin(), machine_.watches.end(), ticket) !=
           machine_.watches.end();
  }
  std::vector<std::string> taken_hosts() override { return machine_.taken; }
  std::string running() override { return machine_.running; }
  void control(const std::string&, Control) override {}

 private:
  FakeMachine& machine_;
};

struct Heard : LaunchListener {
  std::vector<std::string> words;
  RunQueue queue;
  void begun(const LaunchOrder& order, const std::string& run) override {
    words.push_back("begun " + order.tag + " " + run);
  }
  void start_failed(const LaunchOrder& order, const std::string& message, int code) override {
    words.push_back(fmt::format("failed {} {} {}", order.tag, code, message));
  }
  void ended(const std::string& run, int code) override {
    words.push_back(fmt::format("ended {} {}", run, code));
  }
  void queue_changed(const RunQueue& now) override { queue = now; }
  void running_changed(const std::string& run) override { words.push_back("running " + run); }
  void trouble(const std::string& message) override { words.push_back("trouble " + message); }
  void queue_set_aside(const std::string&, const std::string& aside) override {
    words.push_back("aside " + aside);
  }
};

struct Desk {
  test::TemporaryFolder folder;
  std::filesystem::path file = folder.path() / "queue.json";
  FakeMachine machine;
  Heard heard;
  LaunchDesk desk{std::make_unique<FakeHost>(machine), file, heard};

  void add(const QueueEntry& e) {
    desk.change_queue([&](RunQueue& queue) { queue.add(e); });
  }
  void tell(LaunchNews::Kind kind, const LaunchOrder& order, const std::string& run, int code = 0) {
    machine.news.push_back({kind, order, run, {}, code, {}});
    desk.look();
  }
};

TEST(LaunchDesk, StartsOneAfterTheOther) {
  Desk d;
  d.desk.open();
  d.add(entry("one", good_spec("one")));
  d.add(entry("two", good_spec("two")));
  ASSERT_EQ(d.machine.started.size(), 1u) << "the second waits for the first";
  EXPECT_EQ(RunQueue::load(d.file).entries[0].announced, "ticket-one");
  const LaunchOrder first = d.machine.started[0];
  d.tell(LaunchNews::Kind::Begun, first, "run-1");
  EXPECT_EQ(order_of(d.heard.queue), "two");
  EXPECT_EQ(order_of(RunQueue::load(d.file)), "two");
  d.machine.running = "run-1";
  d.desk.look_around();
  EXPECT_EQ(d.machine.started.size(), 1u);
  d.machine.running.clear();
  d.tell(LaunchNews::Kind::Ended, first, "run-1", 3);
  ASSERT_EQ(d.machine.started.size(), 2u);
  EXPECT_EQ(d.machine.started[1].queued, "two");
  EXPECT_EQ(d.heard.words, (std::vector<std::string>{"begun one run-1", "running run-1",
                                                     "ended run-1 3", "running "}));
}

TEST(LaunchDesk, WaitsForWhoeverHasTheMachineAndForAPausedQueue) {
  Desk d;
  d.desk.open();
  d.machine.running = "elsewhere";
  d.desk.look_around();
  d.add(entry("one", good_spec("one")));
  EXPECT_TRUE(d.machine.started.empty());
  d.desk.change_queue([](RunQueue& queue) { queue.paused = true; });
  d.machine.running.clear();
  d.desk.look_around();
  EXPECT_TRUE(d.machine.started.empty());
  d.desk.change_queue([](RunQueue& queue) { queue.paused = false; });
  EXPECT_EQ(d.machine.started.size(), 1u);
  d.desk.launch({.tag = "by hand", .spec = good_spec("x"), .parent = {}, .queued = {}});
  EXPECT_EQ(d.machine.started.size(), 2u) << "what is started by hand starts at once";
}

TEST(LaunchDesk, OneThatCannotStartSaysWhyAndHoldsNobodyUp) {
  Desk d;
  d.desk.open();
  d.add(entry("wrong", "[model]\nhidden_sise = 5\n"));
  EXPECT_NE(d.heard.queue.entries[0].problem.find("hidden_sise"), std::string::npos);
  d.machine.refusal = "has no room";
  d.add(entry("refused", good_spec("x")));
  EXPECT_NE(d.heard.queue.entries[1].problem.find("has no room"), std::string::npos);
  EXPECT_TRUE(d.heard.queue.entries[1].announced.empty());
  d.machine.refusal.clear();
  d.add(entry("silent", good_spec("y")));
  ASSERT_EQ(d.machine.started.size(), 1u);
  d.tell(LaunchNews::Kind::Failed, d.machine.started[0], {}, 5);
  EXPECT_NE(d.heard.queue.entries[2].problem.find("exit status 5"), std::string::npos);
  d.add(entry("good", good_spec("z")));
  ASSERT_EQ(d.machine.started.size(), 2u);
  EXPECT_EQ(d.machine.started[1].queued, "good");
}

TEST(LaunchDesk, StartsNothingTwiceAfterItWasKilled) {
  Desk d;
  RunQueue left;
  for (const char* name : {"begun", "alive", "lost"}) {
    left.add(entry(name, good_spec(name)));
    left.entries.back().announced = std::string("ticket-of-") + name;
  }
  left.save(d.file);
  d.machine.begun["ticket-of-begun"] = true;
  d.machine.alive["ticket-of-alive"] = true;
  d.desk.open();
  d.desk.look_around();
  EXPECT_TRUE(d.machine.started.empty()) << "one is about to begin";
  EXPECT_EQ(order_of(d.heard.queue), "alivelost");
  ASSERT_EQ(d.heard.queue.begun.size(), 1u);
  EXPECT_EQ(d.heard.queue.begun[0].run, "run of ticket-of-begun");
  EXPECT_EQ(d.machine.given_up, std::vector<std::string>{"ticket-of-alive"});
  d.machine.begun["ticket-of-alive"] = true;
  d.desk.look_around();
  ASSERT_EQ(d.machine.started.size(), 1u);
  EXPECT_EQ(d.machine.started[0].queued, "lost");
  EXPECT_EQ(order_of(d.heard.queue), "lost");
  EXPECT_EQ(d.machine.given_up.back(), "ticket-of-lost");
}

QueueEntry entry_at(const std::string& id, const std::string& hosts) {
  QueueEntry e = entry(id, good_spec(id));
  e.place.kind = LaunchPlace::Kind::Hosts;
  e.place.hosts = hosts;
  return e;
}

std::string started_by(const FakeMachine& machine) {
  std::string all;
  for (const LaunchOrder& order : machine.started) all += order.tag;
  return all;
}

TEST(LaunchDesk, WhatIsForOtherHostsDoesNotWaitForThisMachine) {
  Desk d;
  d.desk.open();
  d.machine.running = "elsewhere";
  d.desk.look_around();
  d.add(entry("x", good_spec("x")));
  d.add(entry_at("a", "me@a:2,b"));
  EXPECT_EQ(started_by(d.machine), "a") << "the first waits for this machine";
  EXPECT_EQ(d.machine.started[0].place.hosts, "me@a:2,b");
  d.add(entry_at("b", "b"));
  d.add(entry_at("c", "c"));
  EXPECT_EQ(started_by(d.machine), "ac") << "b is taken by what was started just now";
  d.machine.running.clear();
  d.desk.look_around();
  EXPECT_EQ(started_by(d.machine), "acx");
  // The run on a and b is known to have ended.
  d.tell(LaunchNews::Kind::Begun, d.machine.started[0], "run-a");
  d.machine.watches.erase(d.machine.watches.begin());
  d.machine.taken = {"a", "b"};
  d.desk.look_around();
  EXPECT_EQ(started_by(d.machine), "acx");
  d.machine.taken.clear();
  d.desk.look_around();
  EXPECT_EQ(started_by(d.machine), "acxb");
}

TEST(LaunchDesk, WhoWaitsLongerForAHostHasItFirst) {
  Desk d;
  d.desk.open();
  d.machine.taken = {"b"};
  d.add(entry_at("1", "a,b"));
  d.add(entry_at("2", "a"));
  QueueEntry with_us = entry_at("3", "d");
  with_us.place.local = 1;
  d.machine.running = "ours";
  d.desk.look_around();
  d.add(with_us);
  d.add(entry_at("4", "d"));
  d.add(entry("5", good_spec("five")));
  EXPECT_EQ(started_by(d.machine), "");
  d.machine.taken.clear();
  d.desk.look_around();
  EXPECT_EQ(started_by(d.machine), "1");
  d.machine.running.clear();
  d.desk.look_around();
  EXPECT_EQ(started_by(d.machine), "13") << "this machine is a part of the third one's place";
}

TEST(LaunchDesk, AJobOfSlurmWaitsForNobodyHere) {
  Desk d;
  d.desk.open();
  d.machine.running = "ours";
  d.desk.look_around();
  for (const char* id : {"1", "2"}) {
    QueueEntry e = entry(id, good_spec("job"));
    e.place.kind = LaunchPlace::Kind::Slurm;
    e.place.profile = "gpu";
    d.add(e);
  }
  EXPECT_EQ(started_by(d.machine), "12");
}

TEST(LaunchDesk, AStartElsewhereThatNobodyLooksAfterHoldsNothingHereUp) {
  Desk d;
  RunQueue left;
  left.add(entry_at("far", "a"));
  left.entries.back().announced = "far-old";
  left.add(entry("here", good_spec("here")));
  left.save(d.file);
  d.machine.alive["far-old"] = true;  // it is being looked for
  d.desk.open();
  d.desk.look_around();
  EXPECT_EQ(started_by(d.machine), "here");
  d.machine.alive["far-old"] = false;
  d.desk.look_around();
  EXPECT_EQ(started_by(d.machine), "herefar") << "it came to nothing, and is made anew";
}

TEST(LaunchDesk, AnEntryWhoseStartIsCancelledSaysSo) {
  Desk d;
  d.desk.open();
  d.add(entry_at("a", "a"));
  d.tell(LaunchNews::Kind::Cancelled, d.machine.started[0], "");
  EXPECT_EQ(d.heard.queue.entries.at(0).problem, "was cancelled");
  EXPECT_EQ(started_by(d.machine), "a");
}

TEST(LaunchDesk, WaitsForAStartOfSomebodyElse) {
  Desk d;
  d.desk.open();
  d.machine.is_starting = true;
  d.add(entry("one", good_spec("a")));
  EXPECT_TRUE(d.machine.started.empty());
  d.machine.is_starting = false;
  d.desk.look_around();
  EXPECT_EQ(d.machine.started.size(), 1u);
}

TEST(LaunchDesk, OnlyOneOfTwoStartsWhatWaits) {
  Desk d;
  d.desk.open();
  d.add(entry("one", good_spec("a")));
  FakeMachine other_machine;
  Heard other_heard;
  LaunchDesk other(std::make_unique<FakeHost>(other_machine), d.file, other_heard);
  other.open();
  other.change_queue([](RunQueue& queue) { queue.add(entry("two", good_spec("b"))); });
  EXPECT_TRUE(other_machine.started.empty());
  EXPECT_EQ(d.machine.started.size(), 1u);
  EXPECT_EQ(order_of(RunQueue::load(d.file)), "onetwo") << "neither undoes what the other did";
  d.desk.look_around();
  EXPECT_EQ(order_of(d.heard.queue), "onetwo");
}

TEST(LaunchDesk, OneThatWasTakenOffMeanwhileIsNotStarted) {
  Desk d;
  d.desk.open();
  d.machine.running = "elsewhere";
  d.desk.look_around();
  d.add(entry("one", good_spec("a")));
  d.add(entry("two", good_spec("b")));
  QueueFile terminal(d.file);
  terminal.change([](RunQueue& queue) { queue.remove("one"); });
  d.machine.running.clear();
  d.desk.launch({.tag = "one", .spec = good_spec("a"), .parent = {}, .queued = "one"});
  EXPECT_TRUE(d.machine.started.empty());
  d.desk.look_around();
  ASSERT_EQ(d.machine.started.size(), 1u);
  EXPECT_EQ(d.machine.started[0].queued, "two");
}

TEST(LaunchDesk, AWindowLeavesTheStartsToTheHolder) {
  Desk holder;
  FakeMachine machine;
  Heard heard;
  int asked = 0;
  LaunchDesk window(std::make_unique<FakeHost>(machine), holder.file, heard,
                    [&](const QueueFile&) { ++asked; });
  window.open();
  EXPECT_EQ(asked, 0) << "nothing waits";
  window.change_queue([](RunQueue& queue) { queue.add(entry("one", good_spec("a"))); });
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(machine.started.empty());
  holder.desk.open();
  holder.desk.look_around();
  ASSERT_EQ(holder.machine.started.size(), 1u);
  holder.tell(LaunchNews::Kind::Begun, holder.machine.started[0], "run-1");
  window.look_around();
  EXPECT_EQ(order_of(heard.queue), "");
  EXPECT_EQ(heard.words, std::vector<std::string>{"begun one run-1"});
  window.look_around();
  EXPECT_EQ(heard.words.size(), 1u) << "told once";
  EXPECT_EQ(asked, 1);
  Heard late_heard;
  LaunchDesk late(std::make_unique<FakeHost>(machine), holder.file, late_heard,
                  [](const QueueFile&) {});
  late.open();
  late.look_around();
  EXPECT_TRUE(late_heard.words.empty()) << "what was begun before is no news";
}

TEST(QueueFile, ChangesOfManyAtOnceAreAllKept) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "queue.json";
  constexpr int kProcesses = 4, kEach = 25;
  std::vector<pid_t> children;
  for (int p = 0; p < kProcesses; ++p) {
    children.push_back(test::start_child([&] {
      QueueFile queue(file);
      for (int i = 0; i < kEach; ++i) {
        queue.change([&](RunQueue& all) { all.add(entry(fmt::format("{}-{} ", p, i))); });
      }
    }));
  }
  for (const pid_t child : children) EXPECT_EQ(test::wait_for(child), 0);
  QueueFile queue(file);
  EXPECT_TRUE(queue.refresh());
  EXPECT_FALSE(queue.refresh());
  EXPECT_EQ(queue.queue().entries.size(), static_cast<std::size_t>(kProcesses * kEach));
}

TEST(QueueFile, IsHeldOnlyWhereSomethingWaits) {
  const test::TemporaryFolder folder;
  QueueFile queue(folder.path() / "queue.json");
  const std::string program = (folder.path() / "program").string();
  const auto said = folder.path() / "said";
  test::write_bytes(program, fmt::format("#!/bin/sh\necho \"$*\" >> '{}'\n", said.string()));
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  EXPECT_FALSE(begin_queue_holder(queue, program));
  queue.change([](RunQueue& all) {
    all.paused = true;
    all.add(entry("one"));
  });
  EXPECT_FALSE(begin_queue_holder(queue, program)) << "it is paused";
  queue.change([](RunQueue& all) {
    all.paused = false;
    all.entries[0].problem = "no";
  });
  EXPECT_FALSE(begin_queue_holder(queue, program)) << "it cannot be started";
  queue.change([](RunQueue& all) { all.entries[0].problem.clear(); });
  {
    const LoneProcess lock(queue.lock());
    EXPECT_FALSE(begin_queue_holder(queue, program)) << "somebody looks after it";
  }
  const auto child = begin_queue_holder(queue, program);
  ASSERT_TRUE(child);
  EXPECT_EQ(test::wait_for(*child), 0);
  EXPECT_EQ(test::read_bytes(said), "queue run\n");
}

TEST(StartClaim, OnlyOneOfTwoGetsAStart) {
  const test::TemporaryFolder folder;
  const auto claim = folder.path() / "a.claim";
  EXPECT_FALSE(is_claimed_by_living(claim));
  claim_start(claim);
  EXPECT_TRUE(is_claimed_by_living(claim));
  EXPECT_EQ(give_up_start(claim), StartState::Alive);
  EXPECT_THROW(claim_start(claim), Error);
  const auto given_up = folder.path() / "b.claim";
  EXPECT_EQ(give_up_start(given_up), StartState::GivenUp);
  EXPECT_EQ(give_up_start(given_up), StartState::GivenUp);
  EXPECT_THROW(claim_start(given_up), Error);
  const auto dead = folder.path() / "c.claim";
  EXPECT_EQ(test::wait_for(test::start_child([&] { claim_start(dead); })), 0);
  EXPECT_FALSE(is_claimed_by_living(dead));
  EXPECT_EQ(give_up_start(dead), StartState::GivenUp);
  // Nothing but the claims is left behind.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 3);
}

TEST(LaunchDesk, SetsADamagedQueueAside) {
  Desk d;
  test::write_bytes(d.file, "{ not json");
  d.desk.open();
  ASSERT_EQ(d.heard.words.size(), 1u);
  ASSERT_TRUE(d.heard.words[0].starts_with("aside ")) << d.heard.words[0];
  EXPECT_EQ(test::read_bytes(d.heard.words[0].substr(6)), "{ not json");
  EXPECT_EQ(RunQueue::load(d.file), RunQueue());
}

/// This machine with a script for the program.
struct ScriptHost {
  test::TemporaryFolder folder;
  std::filesystem::path program = folder.path() / "program";
  LocalHost host{{.launches = folder.path() / "launches",
                  .program = [this] { return program.string(); },
                  .folder_of = [this](const std::string& run) { return folder.path() / run; },
                  .roots = [this] { return std::vector{folder.path()}; },
                  .launched = folder.path() / "launched",
                  .mirrors = folder.path() / "mirrors"}};

  explicit ScriptHost(const std::string& script) {
    test::write_bytes(program, "#!/bin/sh\n" + script);
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  }
  std::vector<LaunchNews> wait_for_end() {
    std::vector<LaunchNews> all;
    while (host.watches()) {
      for (LaunchNews& news : host.look()) all.push_back(std::move(news));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return all;
  }
};

TEST(LocalHost, QuotesAProgramThatEndsWithoutARun) {
  ScriptHost s("echo \"tessera: $*\"; echo too bad >&2; exit 7\n");
  const LaunchOrder order{.tag = "t", .spec = {}, .parent = "mine", .step = 4, .queued = {}};
  const std::string ticket = s.host.prepare(order);
  s.host.start(ticket, order);
  EXPECT_TRUE(s.host.watches());
  const auto news = s.wait_for_end();
  ASSERT_EQ(news.size(), 1u);
  EXPECT_EQ(news[0].kind, LaunchNews::Kind::Failed);
  EXPECT_EQ(news[0].order.tag, "t");
  EXPECT_EQ(news[0].exit_code, 7);
  EXPECT_EQ(news[0].message,
            fmt::format("resume {} --step 4 --id-file {} --claim {}\ntoo bad",
                        (s.folder.path() / "mine").string(), ticket,
                        std::filesystem::path(ticket).replace_extension(".claim").string()));
  EXPECT_FALSE(s.host.has_begun(ticket));
  EXPECT_TRUE(std::filesystem::is_empty(s.folder.path() / "launches"));
}

TEST(LocalHost, TellsTheBeginningAndTheEndOfARun) {
  // The run is made here; the script says that it is its own.
  ScriptHost s("");
  const RunFolder run = RunFolder::create(s.folder.path(), test::small_spec());
  { const RunLock lock(run); }  // leaves process.json, whose number the script replaces
  const std::string process = (run.path() / "process.json").string();
  test::write_bytes(s.program, fmt::format("#!/bin/sh\n"
                                           "grep -q hidden \"$2\" || exit 9\n"
                                           "sed -i \"s/\\\"pid\\\": *[0-9]*/\\\"pid\\\":$$/\" {}\n"
                                           "echo {} > \"$4\"\necho said\nkill -9 $$\n",
                                           process, run.path().string()));
  const LaunchOrder order{.tag = "t", .spec = "hidden", .parent = {}, .queued = {}};
  const std::string ticket = s.host.prepare(order);
  s.host.start(ticket, order);
  const auto news = s.wait_for_end();
  ASSERT_EQ(news.size(), 2u);
  EXPECT_EQ(news[0].kind, LaunchNews::Kind::Begun);
  EXPECT_EQ(news[0].run, run.id());
  EXPECT_EQ(news[1].kind, LaunchNews::Kind::Ended);
  EXPECT_EQ(news[1].exit_code, 128 + SIGKILL);
  EXPECT_TRUE(news[1].trouble.empty()) << news[1].trouble;
  EXPECT_EQ(test::read_bytes(run.path() / "log" / "console.log"), "said\n");
}

TEST(LocalHost, SaysThatThereIsNoProgram) {
  ScriptHost s("");
  s.program.clear();
  EXPECT_THROW(s.host.prepare({.tag = {}, .spec = {}, .parent = {}, .queued = {}}), Error);
  s.program = s.folder.path() / "nothing";
  const LaunchOrder order{.tag = {}, .spec = {}, .parent = {}, .queued = {}};
  EXPECT_THROW(s.host.start(s.host.prepare(order), order), Error);
  EXPECT_FALSE(s.host.watches());
}

/// A start on hosts, by a script in the place of `tessera launch`.
struct FarStart {
  ScriptHost s;
  LaunchOrder order{.tag = "t", .spec = "hidden", .parent = {}, .queued = {}};
  std::string ticket;
  StartFiles files{};

  explicit FarStart(const std::string& script, const std::string& queued = {})
      : s("base=\"${@: -1}\"\n" + script) {
    test::write_bytes(s.program, "#!/bin/bash\nbase=\"${@: -1}\"\n" + script);
    order.queued = queued;
    order.place.kind = LaunchPlace::Kind::Hosts;
    order.place.hosts = "a:2,b";
    order.place.folder = "/shared runs";
    ticket = s.host.prepare(order);
    files = StartFiles::of_ticket(ticket);
  }
  std::vector<LaunchNews> run() {
    s.host.start(ticket, order);
    return s.wait_for_end();
  }
};

TEST(LocalHost, BringsARunElsewhereByTheCommandOfATerminal) {
  FarStart f(
      "echo \"$*\" > \"$base.said\"; grep -q hidden \"$2\" || exit 9\n"
      "echo '{\"phase\":\"starting\",\"done\":1,\"total\":3}' > \"$base.phase\"; sleep 0.3\n"
      "echo /there/run-7 > \"$base.id\"; sleep 0.2\n");
  EXPECT_TRUE(f.files.is_elsewhere());
  f.s.host.start(f.ticket, f.order);
  EXPECT_TRUE(f.s.host.watches() && !f.s.host.watches_here());
  EXPECT_TRUE(f.s.host.watches_start(f.ticket));
  const auto news = f.s.wait_for_end();
  ASSERT_EQ(news.size(), 2u);
  EXPECT_EQ(news[0].kind, LaunchNews::Kind::Phase);
  EXPECT_EQ(news[0].phase, (StartPhase{StartPhase::Kind::Starting, 1, 3}));
  EXPECT_EQ(news[1].kind, LaunchNews::Kind::Begun);
  EXPECT_EQ(news[1].run, "run-7");
  EXPECT_EQ(test::read_bytes(f.files.base.string() + ".said"),
            fmt::format("launch {} --hosts a:2,b --folder /shared runs --start-files {}\n",
                        f.files.spec().string(), f.files.base.string()));
  std::filesystem::remove(f.files.base.string() + ".said");
  EXPECT_TRUE(std::filesystem::is_empty(f.s.folder.path() / "launches"));
}

TEST(LocalHost, TellsWhatStandsInTheWayElsewhereAlone) {
  FarStart f(
      "echo 'host a: this tessera was copied there'\n"
      "echo 'tessera: a note' >&2\n"
      "echo 'tessera: [host b] does not answer; hint: try again' >&2; exit 1\n");
  const auto news = f.run();
  ASSERT_EQ(news.size(), 1u);
  EXPECT_EQ(news[0].kind, LaunchNews::Kind::Failed);
  EXPECT_EQ(news[0].message, "[host b] does not answer; hint: try again");
  EXPECT_TRUE(std::filesystem::is_empty(f.s.folder.path() / "launches"));
}

TEST(LocalHost, EndsAStartElsewhereThatIsNotWantedAnyMore) {
  FarStart f(
      "trap 'echo tessera: stopped; exit 1' TERM\ntouch \"$base.phase\"\n"
      "for i in $(seq 1000); do sleep 0.05; done\n");
  f.s.host.start(f.ticket, f.order);
  while (!std::filesystem::exists(f.files.phase())) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  f.s.host.cancel("another");
  f.s.host.cancel("t");
  const auto news = f.s.wait_for_end();
  ASSERT_EQ(news.size(), 1u);
  EXPECT_EQ(news[0].kind, LaunchNews::Kind::Cancelled);
  EXPECT_TRUE(std::filesystem::is_empty(f.s.folder.path() / "launches"));
}

TEST(LocalHost, LeavesAStartOfTheQueueOpenWhoseProgramWasKilled) {
  FarStart f("echo mine-1234 > \"$base.launch\"; kill -9 $$\n", "queued");
  EXPECT_TRUE(f.run().empty()) << "what became of it is not known yet";
  EXPECT_TRUE(std::filesystem::exists(f.files.launch()));
  FarStart by_hand("echo mine-1234 > \"$base.launch\"; kill -9 $$\n");
  const auto news = by_hand.run();
  ASSERT_EQ(news.size(), 1u);
  EXPECT_EQ(news[0].exit_code, 128 + SIGKILL);
}

/// Asks as the queue does, until something is known.
bool given_up_in_the_end(LocalHost& host, const std::string& ticket) {
  while (!host.give_up(ticket)) {
    if (host.has_begun(ticket)) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

TEST(LocalHost, LooksForWhatAStartElsewhereHasBecome) {
  // Its program was killed after it had begun something: another one finds that, or finds nothing.
  const auto killed = [](const FarStart& f) {
    EXPECT_EQ(test::wait_for(test::start_child([&] { claim_start(f.files.claim()); })), 0);
    test::write_bytes(f.files.launch(), "mine-1234\n");
  };
  FarStart begun(
      "[ \"$*\" = \"launch --attach mine-1234 --detach --start-files $base\" ] || exit 9\n"
      "echo /there/run-7 > \"$base.id\"\n",
      "queued");
  killed(begun);
  EXPECT_FALSE(given_up_in_the_end(begun.s.host, begun.ticket));
  EXPECT_EQ(begun.s.host.run_of(begun.ticket), "run-7");
  FarStart nothing(fmt::format("exit {}\n", kNothingWasStarted), "queued");
  killed(nothing);
  EXPECT_TRUE(given_up_in_the_end(nothing.s.host, nothing.ticket));
  // One that cannot be asked is told of, and neither given up nor taken for begun.
  FarStart away("echo 'tessera: [host a] does not answer' >&2; exit 1\n", "queued");
  killed(away);
  try {
    given_up_in_the_end(away.s.host, away.ticket);
    FAIL() << "nothing was told";
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "mine-1234");
    EXPECT_NE(error.what_failed().find("[host a] does not answer"), std::string::npos)
        << error.what();
  }
  EXPECT_FALSE(away.s.host.give_up(away.ticket)) << "it is looked for again later";
  // One that was killed before it had begun anything needs nobody to look.
  FarStart early("exit 9\n", "queued");
  EXPECT_TRUE(early.s.host.give_up(early.ticket));
  EXPECT_THROW(claim_start(early.files.claim()), Error) << "it begins nothing any more";
  // One whose program is there is left alone.
  FarStart alive("exit 9\n", "queued");
  claim_start(alive.files.claim());
  test::write_bytes(alive.files.launch(), "mine-1234\n");
  EXPECT_FALSE(alive.s.host.give_up(alive.ticket));
  EXPECT_FALSE(alive.s.host.is_starting()) << "it does not take this machine";
}

TEST(LocalHost, SeesARunOfAnotherProcess) {
  ScriptHost s("");
  EXPECT_EQ(s.host.running(), "");
  const RunFolder run = RunFolder::create(s.folder.path(), test::small_spec());
  const RunLock lock(run);
  EXPECT_EQ(s.host.running(), run.id());
}

TEST(LocalHost, KnowsWhichHostsHaveARun) {
  ScriptHost s("");
  EXPECT_TRUE(s.host.taken_hosts().empty());
  const RunFolder run = RunFolder::create(s.folder.path(), test::small_spec());
  LaunchRecord record;
  record.hosts = {{"", 1}, {"me@a", 2}, {"b", 2}};
  record.name = "one";
  record.started = clock_now();
  std::filesystem::create_directories(s.folder.path() / "launched");
  record.save(s.folder.path() / "launched");
  const std::vector<std::string> both = {"a", "b"};
  EXPECT_EQ(s.host.taken_hosts(), both) << "it is being started";
  record.started -= 3600;
  record.save(s.folder.path() / "launched");
  EXPECT_TRUE(s.host.taken_hosts().empty()) << "no run came of it";
  record.run = "/there/" + run.id();
  record.save(s.folder.path() / "launched");
  EXPECT_EQ(s.host.taken_hosts(), both);
  EventWriter(run.events_path()).append(StateEvent{.state = RunState::Finished});
  EXPECT_TRUE(s.host.taken_hosts().empty());
  record.run = "/there/unknown";
  record.save(s.folder.path() / "launched");
  EXPECT_TRUE(s.host.taken_hosts().empty()) << "nothing here says that it goes on";
}

TEST(LocalHost, GoesOnWithARunWhereItWas) {
  ScriptHost s("echo \"$*\"; exit 1\n");
  const auto said = [&](const std::string& run) {
    const LaunchOrder order{.tag = "t", .spec = {}, .parent = run, .queued = {}};
    s.host.start(s.host.prepare(order), order);
    return s.wait_for_end().at(0).message;
  };
  const RunFolder here = RunFolder::create(s.folder.path(), test::small_spec("here"));
  EXPECT_TRUE(said(here.id()).starts_with("resume ")) << said(here.id());
  const RunFolder far = RunFolder::create(s.folder.path(), test::small_spec("far"));
  MirrorNote note;
  note.host = "a";
  note.run = "/shared/" + far.id();
  note.save(far.path());
  EXPECT_TRUE(said(far.id()).starts_with(fmt::format(
      "launch --resume {} --hosts a:1 --folder /shared --start-files", far.path().string())))
      << said(far.id());
  LaunchRecord record;
  record.name = "one";
  record.hosts = {{"a", 2}, {"b", 3}};
  record.run = note.run;
  std::filesystem::create_directories(s.folder.path() / "launched");
  record.save(s.folder.path() / "launched");
  EXPECT_NE(said(far.id()).find("--hosts a:2,b:3 "), std::string::npos) << said(far.id());
  const RunFolder job = RunFolder::create(s.folder.path(), test::small_spec("job"));
  SlurmRecord kept;
  kept.profile = "gpu";
  kept.job = "12";
  std::filesystem::create_directories(SlurmFiles{job.path()}.folder());
  kept.save({job.path()});
  EXPECT_TRUE(said(job.id()).starts_with(
      fmt::format("launch --resume {} --slurm gpu --start-files", job.path().string())))
      << said(job.id());
}

TEST(LocalHost, IsTakenFromAClaimOn) {
  ScriptHost s("");
  const auto launches = s.folder.path() / "launches";
  std::filesystem::create_directories(launches);
  EXPECT_FALSE(s.host.is_starting());
  test::write_bytes(launches / "spoilt.claim", "given up");
  EXPECT_EQ(test::wait_for(test::start_child([&] { claim_start(launches / "dead.claim"); })), 0);
  EXPECT_FALSE(s.host.is_starting());
  claim_start(launches / "own.claim");
  EXPECT_TRUE(s.host.is_starting());
  test::write_bytes(launches / "own.id", "somewhere");
  EXPECT_TRUE(s.host.is_starting()) << "until the program ends, whatever its run's files say";
  EXPECT_FALSE(s.host.give_up((launches / "own.id").string()));
  EXPECT_TRUE(s.host.give_up((launches / "dead.id").string()));
}

TEST(LocalHost, RemovesFilesThatNobodyCameBackFor) {
  ScriptHost s("");
  s.host.remove_old_files();
  const auto launches = s.folder.path() / "launches";
  test::write_bytes(launches / "old.id", "x");
  test::write_bytes(launches / "new.id", "x");
  std::filesystem::last_write_time(
      launches / "old.id",
      std::filesystem::file_time_type::clock::now() - std::chrono::hours(24 * 15));
  s.host.remove_old_files();
  EXPECT_FALSE(std::filesystem::exists(launches / "old.id"));
  EXPECT_TRUE(std::filesystem::exists(launches / "new.id"));
}

}  // namespace
}  // namespace tessera
