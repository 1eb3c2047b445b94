// SPDX-License-Identifier: MIT
// Launches on hosts, as far as no host is needed: lists of hosts, what agents and desks say, what
// ssh's failures mean, checks, addresses, and which rank was the cause.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/launch/agent_line.h"
#include "core/launch/agent_protocol.h"
#include "core/launch/host_book.h"
#include "core/launch/host_checks.h"
#include "core/launch/host_list.h"
#include "core/launch/launch_record.h"
#include "core/launch/launch_watch.h"
#include "core/launch/reach.h"
#include "core/launch/ssh.h"
#include "tests/run/run_test_helpers.h"

namespace tessera {
namespace {

using Hosts = std::vector<HostSlots>;
using Word = AgentWord::Kind;

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

TEST(HostList, TakesEveryFormThatPeopleWrite) {
  EXPECT_EQ(parse_host_list("a:4,b:4"), (Hosts{{"a", 4}, {"b", 4}}));
  EXPECT_EQ(parse_host_list(" a , user@b.example:2 "), (Hosts{{"a", 1}, {"user@b.example", 2}}));
  EXPECT_EQ(parse_host_list("node[01-03,7]:8"),
            (Hosts{{"node01", 8}, {"node02", 8}, {"node03", 8}, {"node7", 8}}));
  EXPECT_EQ(parse_host_list("r[1-2]n[8-9]-ib:2"),
            (Hosts{{"r1n8-ib", 2}, {"r1n9-ib", 2}, {"r2n8-ib", 2}, {"r2n9-ib", 2}}));
  EXPECT_EQ(parse_host_list("node[098-101]").back().host, "node101");
  EXPECT_EQ(parse_host_list("[fd00::1]:2,fd00::2"), (Hosts{{"fd00::1", 2}, {"fd00::2", 1}}));
  EXPECT_EQ(count_ranks(parse_host_list("a:3,b,c:2")), 6);
}

TEST(HostList, RefusesDoublesAndNonsenseByName) {
  const std::pair<const char*, const char*> wrong[] = {
      {"", "none is named"},
      {" ", "none is named"},
      {"a,,b", "empty name"},
      {"a,", "empty name"},
      {"a:0", "\"a:0\" has \"0\""},
      {"a:-1", "has \"-1\""},
      {"a:x", "has \"x\""},
      {"a:", "has \"\""},
      {"a:99999999999999999999", "from 1 to 4096"},
      {"a,b,a", "a is named twice"},
      {"n[1-2],n2", "n2 is named twice"},
      {"n[2-1]", "\"2-1\""},
      {"n[1-]", "\"1-\""},
      {"n[a-b]", "\"a-b\""},
      {"n[]", "where a number"},
      {"n[1-2", "brackets"},
      {"n1-2]", "brackets"},
      {"n]1[", "brackets"},
      {"n[1-100000]", "more than 4096"},
      {"-oProxyCommand=x:2", "dash"},
      {"a b:2", "' '"},
      {"a;rm:2", "';'"},
      {"$(x)", "'$'"},
      {":4", "no name"},
      {"[fd00::1]4", "behind its brackets"},
  };
  for (const auto& [text, part] : wrong) {
    const std::string error = error_of([&] { parse_host_list(text); });
    EXPECT_TRUE(has(error, part)) << "'" << text << "' gives '" << error << "'";
  }
}

TEST(HostList, ReadsFilesOfOpenMpi) {
  const std::string text =
      "# the cluster\n"
      "\n"
      "node1 slots=4 max_slots=8\n"
      "node2   slots=2 # half of it\r\n"
      "node3\n"
      "node[4-5]:3\n";
  EXPECT_EQ(parse_host_file(text, "hosts"),
            (Hosts{{"node1", 4}, {"node2", 2}, {"node3", 1}, {"node4", 3}, {"node5", 3}}));
  const std::pair<const char*, const char*> wrong[] = {
      {"", "hosts"},
      {"# none\n", "names no host"},
      {"a slots=4\nb slots=x\n", "hosts:2"},
      {"a slots=0\n", "\"slots=0\""},
      {"a cores=4\n", "\"cores=4\" is not known"},
      {"a 4\n", "\"4\" is not known"},
      {"a\nb\na slots=2\n", "hosts:3"},
      {"a:x\n", "hosts:1"},
  };
  for (const auto& [file, part] : wrong) {
    const std::string error = error_of([&] { parse_host_file(file, "hosts"); });
    EXPECT_TRUE(has(error, part)) << "'" << file << "' gives '" << error << "'";
  }
}

TEST(AgentProtocol, WordsAndOrdersComeBackAsTheyWere) {
  AgentOrder order;
  order.launch = "x-1";
  order.index = 3;
  order.first_rank = 6;
  order.ranks = 2;
  order.world = 8;
  order.master_address = "10.0.0.1";
  order.master_port = 4711;
  order.build = "0.1 (abc)";
  order.arguments = {"train", "{spec}"};
  order.spec = "[run]\nname = \"ä\"\n";
  order.environment = {{"A", "b c"}};
  order.defaults = {{"NCCL_SOCKET_IFNAME", "=eth0"}};
  const AgentOrder back = order_of_line(to_line(order));
  EXPECT_EQ(to_line(back), to_line(order));
  EXPECT_EQ(back.agent_name(), "x-1-3");
  EXPECT_EQ(back.spec, order.spec);
  for (int kind = 0; kind <= static_cast<int>(Word::Refused); ++kind) {
    const AgentWord word{.kind = static_cast<Word>(kind),
                         .number = 7,
                         .time = 1.5,
                         .rank = 2,
                         .status = 9,
                         .process = 4711,
                         .is_error = true,
                         .was_told = true,
                         .text = "line\nbreak",
                         .hint = "h"};
    const std::string line = to_line(word);
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    const AgentWord same = word_of_line(line);
    EXPECT_EQ(to_line(same), line);
    EXPECT_EQ(same.kind, word.kind);
  }
  // What a rank prints may be no text at all.
  EXPECT_NO_THROW(word_of_line(to_line(AgentWord{.kind = Word::Output, .text = "caf\xC3"})));
}

TEST(AgentProtocol, RefusesWhatIsNone) {
  for (const char* line : {"", "hello", "{}", "[1]", "{\"kind\": 3}", "{\"kind\": \"other\"}"}) {
    EXPECT_THROW(word_of_line(line), Error) << line;
    EXPECT_THROW(order_of_line(line), Error) << line;
  }
  AgentOrder order;
  order.launch = "x";
  order.world = 2;
  order.first_rank = 1;
  order.ranks = 2;
  EXPECT_TRUE(has(error_of([&] { order_of_line(to_line(order)); }), "ranks 1 to 2"));
  order.ranks = 1;
  for (const char* name : {"", "../x", ".x", "a/b"}) {
    order.launch = name;
    EXPECT_THROW(order_of_line(to_line(order)), Error) << name;
  }
  std::string other = to_line(AgentOrder{});
  other.replace(other.find("\"protocol\":1"), 12, "\"protocol\":9");
  EXPECT_TRUE(has(error_of([&] { order_of_line(other); }), "version 9"));
}

TEST(AgentProtocol, TakesWholeLinesAlone) {
  std::string text = "a\nb\nhalf";
  EXPECT_EQ(take_lines(text), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(text, "half");
  EXPECT_TRUE(take_lines(text).empty());
  text += "\n\n";
  EXPECT_EQ(take_lines(text), (std::vector<std::string>{"half", ""}));
}

TEST(Ssh, QuotesForAnyShell) {
  for (const std::string text : {"", "a b", "it's", "$HOME", "`x`", "a\nb", "\\", "\"", "-n"}) {
    const auto answer =
        run_all({{"sh", "-c", "printf %s " + shell_word(text)}}, "", std::chrono::seconds(20))[0];
    EXPECT_EQ(answer.output, text);
  }
}

TEST(Ssh, FindsTheProgramWhereItIsAndSaysWhereItIsNot) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "my program";
  write_file_atomically(file, "#!/bin/sh\nprintf '%s|' \"$@\"\n");
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  const RemoteProgram there{{"/nowhere/tessera", file.string()}};
  const auto run = [](const RemoteProgram& program, const std::string& before) {
    const std::string line = before + program.command({"agent", "it's", "a b"});
    return run_all({{"sh", "-c", line}}, "", std::chrono::seconds(20))[0];
  };
  EXPECT_EQ(run(there, "").output, "agent|it's|a b|");
  const HostAnswer missing = run({{"/nowhere/tessera"}}, "PATH=/nowhere/bin:/usr/bin:/bin; ");
  EXPECT_TRUE(has(error_of([&] { require_answer("b", missing); }), "has no tessera"));
  // A copy brings its libraries along.
  const auto copy = folder.path() / "c" / "bin" / "tessera";
  std::filesystem::create_directories(copy.parent_path());
  write_file_atomically(copy, "#!/bin/sh\nprintf %s \"$LD_LIBRARY_PATH\"\n");
  std::filesystem::permissions(copy, std::filesystem::perms::owner_all);
  const std::string home = "export HOME=" + shell_word(folder.path().string()) + "; ";
  EXPECT_TRUE(has(run({{"$HOME/c/bin/tessera"}}, home).output, "/c/lib"));
}

TEST(Ssh, SaysWhatItsFailuresMeanAndWhatToDo) {
  struct Case {
    const char *said, *what, *hint;
  };
  const Case cases[] = {
      {"@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\n",
       "another key", "ssh-keygen -R b"},
      {"No ED25519 host key is known for b and you have requested strict checking.\nHost key "
       "verification failed.\n",
       "not known to ssh", "accept its key"},
      {"me@b: Permission denied (publickey,password).\n", "refuses the login", "ssh-add"},
      {"ssh: Could not resolve hostname b: Name or service not known\n", "a name that nothing",
       "spelling"},
      {"ssh: connect to host b port 22: Connection refused\n", "no ssh server", "start its"},
      {"ssh: connect to host b port 22: Connection timed out\n", "does not answer", "switched on"},
      {"ssh: connect to host b port 22: No route to host\n", "does not answer", "switched on"},
      {"kex_exchange_identification: Connection closed by remote host\n", "Connection closed",
       "by hand"},
      {"", "says nothing", "ssh b"},
  };
  for (const Case& one : cases) {
    const Error error = explain_ssh("b", one.said);
    EXPECT_EQ(error.where(), "host b");
    EXPECT_TRUE(has(error.what_failed(), one.what)) << error.what();
    EXPECT_TRUE(has(error.hint(), one.hint)) << error.what();
  }
  HostAnswer late;
  late.timed_out = true;
  EXPECT_TRUE(has(error_of([&] { require_answer("b", late); }), "did not answer in time"));
}

TEST(Ssh, HandsOnWhatTheProgramThereSays) {
  HostAnswer answer;
  answer.wait_status = 1 << 8;
  answer.errors = "noise\ntessera: [version] 1 is on this host, 2 on the desk; hint: --copy it\n";
  EXPECT_EQ(error_of([&] { require_answer("b", answer); }),
            "[host b] [version] 1 is on this host, 2 on the desk; hint: --copy it");
  answer.errors = "tessera: `tessera` has no command agent\n`tessera --help` explains.\n";
  EXPECT_TRUE(has(error_of([&] { require_answer("b", answer); }), "an older tessera"));
  answer.errors = "sh: 1: Syntax error\n";
  EXPECT_EQ(error_of([&] { require_answer("b", answer); }),
            "[host b] sh: 1: Syntax error; hint: try `ssh b` by hand");
  answer.errors.clear();
  EXPECT_TRUE(has(error_of([&] { require_answer("", answer); }), "failed without a word"));
}

/// A host that lets one in and says nothing.
TEST(Ssh, AHostThatTricklesOrHangsIsNotWaitedForWithoutEnd) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "ssh";
  write_file_atomically(file, "#!/bin/sh\n[ \"$1\" ] && echo -n x; exec sleep 600\n");
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  Ssh ssh(file.string());
  AgentLine line(ssh, {"b", 1}, {}, "agent", std::chrono::milliseconds(200));
  line.start(AgentOrder{});
  const std::string error = error_of([&] {
    while (line.state() != AgentLine::State::Over) line.look();
  });
  EXPECT_TRUE(has(error, "[host b] did not answer in time")) << error;
  // One that was there before is tried again instead.
  AgentLine again(ssh, {"b", 1}, {}, "agent", std::chrono::milliseconds(200));
  again.attach();
  while (again.state() == AgentLine::State::Begins) again.look();
  EXPECT_EQ(again.state(), AgentLine::State::Broken);
  EXPECT_TRUE(has(again.trouble(), "did not answer in time"));
}

TEST(Ssh, RunsAllAtTheSameTimeAndWaitsForNoneTooLong) {
  const auto answers = run_all({{"sh", "-c", "cat; echo bad >&2; exit 3"},
                                {"sleep", "60"},
                                {"sh", "-c", "head -c 300000 /dev/zero"}},
                               "input", std::chrono::milliseconds(2000));
  EXPECT_EQ(answers[0].output, "input");
  EXPECT_EQ(answers[0].errors, "bad\n");
  EXPECT_EQ(WEXITSTATUS(answers[0].wait_status), 3);
  EXPECT_TRUE(answers[1].timed_out);
  EXPECT_EQ(answers[2].output.size(), 300000u);
  EXPECT_TRUE(answers[2].is_good());
  EXPECT_THROW(run_all({{"no-such-program-here"}}, "", std::chrono::seconds(1)), Error);
}

HostFacts good_facts() {
  HostFacts facts;
  facts.build = "1 (a)";
  facts.host = "b";
  facts.folder = "/runs";
  facts.disk_free_bytes = 100'000'000'000;
  facts.shared_memory_bytes = 8'000'000'000;
  facts.gpus = {"NVIDIA H200"};
  return facts;
}

std::string bad_checks(const HostFacts& facts, const HostClock& clock = {0.001, 0.001}) {
  std::string text;
  for (const HostCheck& one : judge_host(facts, "1 (a)", clock)) {
    if (one.level == HostCheck::Level::Good) {
      EXPECT_EQ(one.fix, "") << one.name;
      continue;
    }
    EXPECT_NE(one.fix, "") << one.name;
    text += one.name + (one.level == HostCheck::Level::Bad ? "! " : "? ");
  }
  return text;
}

TEST(HostChecks, NameWhatStandsInTheWay) {
  EXPECT_EQ(bad_checks(good_facts()), "");
  HostFacts facts = good_facts();
  facts.build = "1 (b)";
  EXPECT_EQ(bad_checks(facts), "version! ");
  facts = good_facts();
  facts.disk_free_bytes = 5'000'000'000;
  EXPECT_EQ(bad_checks(facts), "disk? ");
  facts.disk_free_bytes = 5'000'000;
  EXPECT_EQ(bad_checks(facts), "disk! ");
  facts.disk_free_bytes = -1;
  EXPECT_EQ(bad_checks(facts), "disk! ");
  facts = good_facts();
  facts.shared_memory_bytes = 64'000'000;
  facts.open_files_limit = 1024;
  facts.locked_memory_limit = 8'388'608;
  EXPECT_EQ(bad_checks(facts), "memory? limits? limits? ");
  facts.gpus.clear();  // then nobody locks memory
  EXPECT_EQ(bad_checks(facts), "memory? limits? ");
  EXPECT_EQ(bad_checks(good_facts(), {-3.0, 0.1}), "clock? ");
  EXPECT_EQ(bad_checks(good_facts(), {-3.0, 2.0}), "");  // so far off may be the answer's time
  EXPECT_EQ(to_line(facts_of_line(to_line(good_facts()))), to_line(good_facts()));
  EXPECT_THROW(facts_of_line("{\"build\": 1}"), Error);
}

TEST(HostChecks, TellOfThisHost) {
  const HostFacts facts = facts_of_this_host("/tmp/not/there/yet");
  EXPECT_GT(facts.processors, 0);
  EXPECT_GT(facts.memory_bytes, 0);
  EXPECT_GE(facts.disk_free_bytes, 0);
  EXPECT_NE(facts.host, "");
}

TEST(HostChecks, ClockIsReadFromTheQuickestAnswer) {
  // Slow one way and back: the clock seems 5 s ahead, and is 1.
  const HostClock offset = clock_offset({{0, 6.0, 10}, {20, 21.01, 20.02}, {30, 35, 39}});
  EXPECT_NEAR(offset.ahead_s, 1.0, 1e-9);
  EXPECT_NEAR(offset.doubt_s, 0.01, 1e-9);
}

TEST(Reach, IsTriedNotGuessed) {
  const test::TemporaryFolder folder;
  int to_listener[2], from_listener[2];
  ASSERT_EQ(::pipe(to_listener), 0);
  ASSERT_EQ(::pipe(from_listener), 0);
  std::jthread listener([&] {
    offer_reach(folder.path() / "runs", "token", to_listener[0], from_listener[1]);
    ::close(from_listener[1]);
  });
  std::string line;
  for (char c = 0; c != '\n';) {
    ASSERT_EQ(::read(from_listener[0], &c, 1), 1);
    line += c;
  }
  const ReachOffer offer = offer_of_line(line);
  EXPECT_GT(offer.port, 0);
  EXPECT_GT(offer.free_port, 0);
  EXPECT_NE(offer.port, offer.free_port);
  const ReachFinding finding =
      try_reach({"127.0.0.1", "::1", "no address"}, offer.port, offer.folder, "token", 5);
  EXPECT_EQ(finding.attempts[0].trouble, "");
  EXPECT_NE(finding.attempts[2].trouble, "");
  EXPECT_TRUE(finding.sees_folder);
  const ReachFinding stranger = try_reach({"127.0.0.1"}, offer.port, "/", "other", 0);
  EXPECT_EQ(stranger.attempts[0].trouble, "another program answers");
  EXPECT_FALSE(stranger.sees_folder);
  ::close(to_listener[1]);
  listener.join();
  EXPECT_TRUE(std::filesystem::is_empty(folder.path() / "runs"));
  const ReachFinding closed = try_reach({"127.0.0.1"}, offer.port, offer.folder, "token", 0);
  EXPECT_NE(closed.attempts[0].trouble, "");
  for (const int fd : {to_listener[0], from_listener[0]}) ::close(fd);
}

TEST(Reach, TakesTheFirstAddressThatAllReach) {
  ReachOffer offer;
  offer.folder = "/runs";
  offer.addresses = {{"172.17.0.1", "docker0"}, {"10.0.0.1", "eth0"}};
  const auto finding = [](const std::string& docker, const std::string& eth, bool folder) {
    return ReachFinding{{{"172.17.0.1", "docker0", docker}, {"10.0.0.1", "eth1", eth}}, folder};
  };
  EXPECT_EQ(choose_address("a", offer, {{"b", finding("no answer", "", true)}}).address,
            "10.0.0.1");
  const std::string none = error_of([&] {
    choose_address(
        "a", offer,
        {{"b", finding("no answer", "", true)}, {"c", finding("", "Connection refused", true)}});
  });
  EXPECT_TRUE(has(none, "172.17.0.1 (docker0) from host b: no answer")) << none;
  EXPECT_TRUE(has(none, "10.0.0.1 (eth0) from host c: Connection refused")) << none;
  EXPECT_TRUE(has(none, "--master-address"));
  const std::string folder = error_of([&] {
    choose_address("a", offer, {{"b", finding("", "", false)}});
  });
  EXPECT_TRUE(has(folder, "[host b] does not see the folder of runs of host a, /runs")) << folder;
  offer.addresses.clear();
  EXPECT_TRUE(has(error_of([&] { choose_address("a", offer, {}); }), "no address"));
}

RankEnd end_of_rank(int rank, int status, double time, bool was_told = false) {
  return {rank, status, "h" + std::to_string(rank), 100 + rank, time, was_told};
}

TEST(LaunchEnds, TheWorstStatusIsTheLaunchsAndTheFirstRankTheCause) {
  const int failed = 1 << 8, worse = 3 << 8;
  EXPECT_EQ(judge_ends({end_of_rank(0, 0, 1), end_of_rank(1, 0, 2)}, {}).exit_status, 0);
  const LaunchEnd first = judge_ends({end_of_rank(0, worse, 9), end_of_rank(1, failed, 5)}, {});
  EXPECT_EQ(first.exit_status, 3);
  EXPECT_EQ(first.cause, "rank 1 on host h1 (process 101) ended with exit status 1");
  // A killed rank cannot have died of what the others say.
  const LaunchEnd killed = judge_ends({end_of_rank(0, failed, 5), end_of_rank(2, SIGKILL, 6)}, {});
  EXPECT_EQ(killed.exit_status, 137);
  EXPECT_EQ(killed.cause, "rank 2 on host h2 (process 102) was killed by signal 9 (Killed)");
  // Nor is one the cause that its agent ended for the others' sake.
  const LaunchEnd told =
      judge_ends({end_of_rank(0, SIGKILL, 9, true), end_of_rank(1, failed, 6)}, {});
  EXPECT_EQ(told.exit_status, 1);
  EXPECT_TRUE(has(told.cause, "rank 1"));
  // One that was told to stop before it could save takes the others along.
  const LaunchEnd early =
      judge_ends({end_of_rank(0, SIGTERM, 5, true), end_of_rank(1, failed, 6)}, {});
  EXPECT_EQ(early.exit_status, 1);
  EXPECT_TRUE(has(early.cause, "rank 0 on host h0 was told to end")) << early.cause;
  EXPECT_EQ(judge_ends({end_of_rank(0, SIGTERM, 5, true)}, {}).exit_status, 143);
  const LaunchEnd lost = judge_ends({end_of_rank(0, failed, 5)}, {"b"});
  EXPECT_EQ(lost.exit_status, 1);
  EXPECT_TRUE(has(lost.cause, "the agent on host b is gone")) << lost.cause;
}

TEST(HostBooks, KeepHostsAndWhatWasFound) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "deep" / "hosts.json";
  EXPECT_TRUE(read_host_book(file).hosts.empty());
  edit_host_book([](HostBook& book) { EXPECT_EQ(book.add("me@a,node[01-02]"), 3); }, file);
  edit_host_book([](HostBook& book) { EXPECT_EQ(book.add("node02,b"), 1); }, file);
  edit_host_book(
      [](HostBook& book) {
        KnownHost* known = book.find("node01");
        ASSERT_TRUE(known);
        known->checked = 5e9;
        known->checks = {{HostCheck::Level::Good, "ssh", "host x \xff", ""},
                         {HostCheck::Level::Warning, "disk", "9 GB", "make room"},
                         {HostCheck::Level::Bad, "version", "another", "send it"}};
        EXPECT_TRUE(book.remove("b"));
        EXPECT_FALSE(book.remove("b"));
      },
      file);
  HostBook book = read_host_book(file);
  ASSERT_EQ(book.hosts.size(), 3u);
  EXPECT_EQ(book.hosts[0].host, "me@a");
  EXPECT_EQ(book.hosts[0].checked, 0);
  const KnownHost& known = *book.find("node01");
  EXPECT_EQ(known.checked, 5e9);
  EXPECT_EQ(known.count(HostCheck::Level::Bad), 1);
  EXPECT_EQ(known.count(HostCheck::Level::Warning), 2);
  EXPECT_EQ(known.checks[2].fix, "send it");
}

/// What is wrong is told with the file, and nothing is written over.
TEST(HostBooks, KeepTheLastSpeedToEachHost) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "hosts.json";
  edit_host_book(
      [](HostBook& book) {
        book.add("a,b");
        book.find("a")->keep_speed({"b", 1e9, 100});
        book.find("a")->keep_speed({"c", 2e9, 110});
        book.find("a")->keep_speed({"b", 3e9, 120});
      },
      file);
  HostBook book = read_host_book(file);
  EXPECT_EQ(book.find("a")->speeds, (std::vector<HostSpeed>{{"c", 2e9, 110}, {"b", 3e9, 120}}));
  EXPECT_TRUE(book.find("b")->speeds.empty());
}

TEST(HostBooks, AreNotWrittenOverWhereTheyAreDamaged) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "hosts.json";
  for (const char* text : {"{", "[]", "{\"hosts\":[{}]}", "{\"hosts\":7}",
                           "{\"hosts\":[{\"host\":\"a\",\"checks\":[{\"level\":\"odd\","
                           "\"name\":\"\",\"text\":\"\"}]}]}"}) {
    write_file_atomically(file, text);
    EXPECT_NE(error_of([&] { edit_host_book([](HostBook& b) { b.add("a"); }, file); }), "") << text;
    EXPECT_EQ(read_file(file, 1 << 20), text);
  }
  write_file_atomically(file, "{\"hosts\":[]}");
  EXPECT_TRUE(has(error_of([&] { edit_host_book([](HostBook& b) { b.add("a,a"); }, file); }), "a"));
  EXPECT_TRUE(read_host_book(file).hosts.empty());
}

TEST(HostBooks, ChangesAtOnceAreAllKept) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "hosts.json";
  std::vector<std::jthread> writers;
  for (int i = 0; i < 8; ++i) {
    writers.emplace_back([&, i] {
      edit_host_book([i](HostBook& book) { book.add("n" + std::to_string(i)); }, file);
    });
  }
  writers.clear();
  EXPECT_EQ(read_host_book(file).hosts.size(), 8u);
}

TEST(LaunchRecords, AreFoundByLaunchAndByRun) {
  const test::TemporaryFolder folder;
  LaunchRecord a;
  a.name = "tiny-1";
  a.hosts = {{"a", 2}, {"", 1}};
  a.program = {"/bin/tessera"};
  a.ssh = "ssh -F file";
  a.started = 1;
  a.save(folder.path());
  LaunchRecord b = a;
  b.name = "tiny-2";
  b.run = "/runs/tiny-2026";
  b.started = 2;
  b.save(folder.path());
  LaunchRecord c = b;  // the same run went on
  c.name = "other";
  c.started = 3;
  c.save(folder.path());
  write_file_atomically(folder.path() / "damaged.json", "{");
  EXPECT_EQ(all_launches(folder.path()).size(), 3u);
  EXPECT_EQ(find_launch(folder.path(), "tiny-1").hosts, a.hosts);
  EXPECT_EQ(find_launch(folder.path(), "tiny-1").ssh, a.ssh);
  EXPECT_EQ(find_launch(folder.path(), "tiny-2026").name, "other");
  EXPECT_EQ(find_launch(folder.path(), "/runs/tiny-2026").name, "other");
  EXPECT_EQ(find_launch(folder.path(), "oth").name, "other");
  EXPECT_TRUE(has(error_of([&] { find_launch(folder.path(), "tiny-"); }), "several"));
  EXPECT_TRUE(has(error_of([&] { find_launch(folder.path(), "x"); }), "newest first: other"));
  EXPECT_TRUE(has(error_of([&] { find_launch(folder.path() / "none", "x"); }), "no launch"));
}

}  // namespace
}  // namespace tessera
