// SPDX-License-Identifier: MIT
// Agents of launches: what they do for their ranks, with shell scripts in the place of these, and
// what whoever attaches hears of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/launch/agent.h"
#include "core/launch/agent_protocol.h"
#include "core/launch/launch_watch.h"
#include "tests/run/run_test_helpers.h"

namespace tessera {
namespace {

using Word = AgentWord::Kind;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// An agent of this process, with shell scripts for ranks.
class Agents : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TESSERA_AGENTS", (folder_.path() / "agents").c_str(), 1);
    ::signal(SIGPIPE, SIG_IGN);
  }
  void TearDown() override { ::unsetenv("TESSERA_AGENTS"); }

  AgentFiles files_for(int ranks, const std::string& script) {
    AgentOrder order;
    order.launch = "test";
    order.index = ++agents_;
    order.ranks = order.world = ranks;
    order.master_address = "127.0.0.1";
    order.master_port = 1;
    order.arguments = {"-c", script, "rank", "{spec}", "{run-file}"};
    order.environment = {{"GIVEN", "as said"}, {"PATH", "/usr/bin:/bin"}};
    order.defaults = {{"PATH", "/not/this"}, {"DEFAULT_OF_DESK", "here"}};
    const AgentFiles files{agents_folder() / order.agent_name()};
    std::filesystem::create_directory(files.folder);
    write_file_atomically(files.order(), to_line(order));
    EXPECT_EQ(::mkfifo(files.asks().c_str(), 0600), 0);
    return files;
  }
  std::vector<AgentWord> words_after(const AgentFiles& files, const HoldOptions& options) {
    hold_ranks(files, options);
    std::string text = read_file(files.journal());
    std::vector<AgentWord> words;
    for (const std::string& line : take_lines(text)) words.push_back(word_of_line(line));
    return words;
  }
  static std::string spoken(const std::vector<AgentWord>& words) {
    std::string all;
    for (const AgentWord& word : words) {
      if (word.kind != Word::Output) continue;
      all += fmt::format("{}{} {}\n", word.rank, word.is_error ? "!" : "", word.text);
    }
    return all;
  }
  static const AgentWord* end_of(const std::vector<AgentWord>& words, int rank) {
    for (const AgentWord& word : words) {
      if (word.kind == Word::Ended && word.rank == rank) return &word;
    }
    return nullptr;
  }
  HoldOptions shell() const {
    HoldOptions options;
    options.program = "/bin/sh";
    options.last_words_s = options.mercy_s = 0.2;
    return options;
  }

  test::TemporaryFolder folder_;
  int agents_ = 0;
};

TEST_F(Agents, StartRanksWithTheirNumbersAndHearWhatTheySay) {
  const AgentFiles files =
      files_for(2,
                "echo rank $RANK of $WORLD_SIZE, local $LOCAL_RANK of $LOCAL_WORLD_SIZE, "
                "at $MASTER_ADDR:$MASTER_PORT, $GIVEN, $DEFAULT_OF_DESK, $PATH; echo oops >&2; "
                "[ $RANK = 0 ] && echo /the/run > \"$2\"; printf 'no end'; exit 0");
  const auto words = words_after(files, shell());
  const std::string all = spoken(words);
  EXPECT_TRUE(has(all,
                  "0 rank 0 of 2, local 0 of 2, at 127.0.0.1:1, as said, here, "
                  "/usr/bin:/bin\n"))
      << all;
  EXPECT_TRUE(has(all, "1 rank 1 of 2, local 1 of 2")) << all;
  EXPECT_TRUE(has(all, "1! oops\n")) << all;
  EXPECT_TRUE(has(all, "1 no end\n")) << all;
  ASSERT_FALSE(words.empty());
  EXPECT_EQ(words.front().kind, Word::Begun);
  EXPECT_EQ(words.back().kind, Word::Done);
  for (std::size_t i = 0; i < words.size(); ++i) {
    EXPECT_EQ(words[i].number, static_cast<std::int64_t>(i));
  }
  const auto run = std::find_if(words.begin(), words.end(),
                                [](const AgentWord& w) { return w.kind == Word::Run; });
  ASSERT_NE(run, words.end());
  EXPECT_EQ(run->text, "/the/run");
  for (const int rank : {0, 1}) {
    ASSERT_TRUE(end_of(words, rank));
    EXPECT_EQ(end_of(words, rank)->status, 0);
  }
}

TEST_F(Agents, EndAllWhenOneDies) {
  const AgentFiles files =
      files_for(3, "if [ $RANK = 1 ]; then kill -9 $$; fi; trap '' TERM; sleep 600 & wait; wait");
  const auto words = words_after(files, shell());
  ASSERT_TRUE(end_of(words, 0) && end_of(words, 1) && end_of(words, 2));
  EXPECT_EQ(end_of(words, 1)->status, SIGKILL);
  EXPECT_FALSE(end_of(words, 1)->was_told);
  for (const int rank : {0, 2}) {
    EXPECT_NE(end_of(words, rank)->status, 0);
    EXPECT_TRUE(end_of(words, rank)->was_told);
  }
  std::vector<RankEnd> ends;
  for (const AgentWord& word : words) {
    if (word.kind != Word::Ended) continue;
    ends.push_back({word.rank, word.status, "h", word.process, word.time, word.was_told});
  }
  EXPECT_TRUE(has(judge_ends(ends, {}).cause, "rank 1 on host h"));
}

TEST_F(Agents, BeginAgainFromTheRunAsOftenAsTheirOrderSays) {
  // The first start makes a run and loses rank 1; so does the next one; the third ends well.
  const std::string first =
      "echo first; [ $RANK = 0 ] && echo /the/run > \"$2\"; sleep 0.3; "
      "[ $RANK = 1 ] && kill -9 $$; exit 0";
  const std::string again =
      "echo again with \"$1\"; n=$(cat count 2>/dev/null); "
      "[ $RANK = 0 ] && { sleep 0.3; exit 0; }; "
      "echo $((n + 1)) > count; [ \"$n\" = 1 ] || exit 3";
  for (const int restarts : {0, 1, 2, 5}) {
    const AgentFiles files = files_for(2, first);
    AgentOrder order = order_of_line(read_file(files.order()));
    order.restarts = restarts;
    order.again = {"-c", "cd " + files.folder.string() + "; " + again, "rank", "{run}"};
    write_file_atomically(files.order(), to_line(order));
    const auto words = words_after(files, shell());
    const auto count = [&](Word kind) {
      return std::count_if(words.begin(), words.end(),
                           [&](const AgentWord& word) { return word.kind == kind; });
    };
    EXPECT_EQ(count(Word::Again), std::min(restarts, 2)) << restarts;
    EXPECT_EQ(count(Word::Done), 1);
    EXPECT_EQ(count(Word::Ended), 2 * (1 + std::min(restarts, 2)));
    EXPECT_EQ(words.back().kind, Word::Done);
    const AgentWord* last = nullptr;
    for (const AgentWord& word : words) {
      if (word.kind == Word::Ended && word.rank == 1) last = &word;
      if (word.kind != Word::Again) continue;
      EXPECT_TRUE(has(word.text, "rank 1")) << word.text;
      EXPECT_TRUE(has(word.text, fmt::format("restart {} of {}", word.status, restarts)));
    }
    ASSERT_TRUE(last);
    EXPECT_EQ(last->status == 0, restarts >= 2);
    if (restarts > 0) {
      EXPECT_TRUE(has(spoken(words), "again with /the/run")) << spoken(words);
    }
  }
}

TEST_F(Agents, DoNotBeginAgainBeforeThereIsARunNorWhenAskedToEnd) {
  const auto words_with_restart = [&](const std::string& script, bool is_asked) {
    const AgentFiles files = files_for(1, script);
    AgentOrder order = order_of_line(read_file(files.order()));
    order.restarts = 3;
    order.again = {"-c", "echo again", "rank"};
    write_file_atomically(files.order(), to_line(order));
    std::jthread asker;
    if (is_asked) {
      asker = std::jthread([file = files.asks()] {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        const int fd = ::open(file.c_str(), O_WRONLY);
        EXPECT_EQ(::write(fd, "end\n", 4), 4);
        ::close(fd);
      });
    }
    return spoken(words_after(files, shell()));
  };
  EXPECT_FALSE(has(words_with_restart("exit 4", false), "again"));
  EXPECT_FALSE(has(words_with_restart("echo /the/run > \"$2\"; sleep 60", true), "again"));
  EXPECT_TRUE(has(words_with_restart("echo /the/run > \"$2\"; sleep 0.2; exit 4", false), "again"));
}

TEST_F(Agents, OfSeveralHostsCannotBeginAgain) {
  AgentOrder order;
  order.launch = "test";
  order.ranks = 1;
  order.world = 2;
  order.restarts = 1;
  EXPECT_TRUE(has(error_of([&] { order_of_line(to_line(order)); }), "several hosts"));
}

TEST_F(Agents, StopIsForRankZeroAndSignalsToTheAgentAreToldToTheDesk) {
  const AgentFiles files =
      files_for(2,
                "trap 'echo saved; touch \"$2.stop\"; exit 0' TERM; while :; do sleep 0.05; "
                "if [ $RANK = 1 ] && [ -e \"$2.stop\" ]; then exit 0; fi; done");
  std::atomic<bool> stop{false};
  HoldOptions options = shell();
  options.stop = &stop;
  std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    stop = true;
  });
  const auto words = words_after(files, options);
  EXPECT_EQ(spoken(words), "0 saved\n");
  EXPECT_EQ(end_of(words, 0)->status, 0);
  EXPECT_EQ(end_of(words, 1)->status, 0);
  const auto asked = std::find_if(words.begin(), words.end(),
                                  [](const AgentWord& w) { return w.kind == Word::Asked; });
  ASSERT_NE(asked, words.end());
  EXPECT_EQ(asked->text, "stop");
  EXPECT_TRUE(asked->is_error);
}

TEST_F(Agents, AProgramThatIsNotThereIsAnEndOfItsRank) {
  HoldOptions options;
  options.program = "/nowhere/tessera";
  const auto words = words_after(files_for(1, ""), options);
  ASSERT_TRUE(end_of(words, 0));
  EXPECT_EQ(WEXITSTATUS(end_of(words, 0)->status), 127);
  EXPECT_EQ(words.back().kind, Word::Done);
}

/// What comes over a line, from its far end.
class RelayOutput {
 public:
  RelayOutput(const AgentFiles& files, std::int64_t from) {
    EXPECT_EQ(::pipe(in_), 0);
    EXPECT_EQ(::pipe(out_), 0);
    relay_ = std::jthread([this, files, from] {
      relay_agent(files, from, in_[0], out_[1]);
      ::close(out_[1]);
    });
  }
  ~RelayOutput() {
    hang_up();
    ::close(out_[0]);
    relay_.join();
    ::close(in_[0]);
  }
  void ask(const std::string& line) {
    EXPECT_EQ(::write(in_[1], line.data(), line.size()), static_cast<ssize_t>(line.size()));
  }
  void hang_up() {
    if (in_[1] >= 0) ::close(in_[1]);
    in_[1] = -1;
  }
  /// Up to a word of this kind, or to the end.
  std::vector<AgentWord> words_to(Word last) {
    std::vector<AgentWord> words;
    char c = 0;
    while (::read(out_[0], &c, 1) == 1) {
      line_ += c;
      if (c != '\n') continue;
      words.push_back(word_of_line(std::exchange(line_, "")));
      if (words.back().kind == last) break;
    }
    return words;
  }

 private:
  int in_[2], out_[2];
  std::string line_;
  std::jthread relay_;
};

TEST_F(Agents, WhoeverAttachesHearsWhatItMissedOnceAndInOrder) {
  const AgentFiles files =
      files_for(1, "trap 'echo two; exit 0' TERM; echo one; while :; do sleep 0.05; done");
  std::jthread agent([&] { hold_ranks(files, shell()); });
  while (!files.is_held() || !std::filesystem::exists(files.journal())) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  std::int64_t next = 0;
  {
    RelayOutput first(files, 0);
    const auto words = first.words_to(Word::Output);
    ASSERT_EQ(words.back().text, "one");
    next = words.back().number + 1;
  }
  RelayOutput second(files, next);
  const auto caught_up = second.words_to(Word::CaughtUp);
  ASSERT_EQ(caught_up.size(), 1u);
  second.ask("ping 7\n");
  const auto pong = second.words_to(Word::Pong);
  EXPECT_EQ(pong.back().status, 7);
  EXPECT_NEAR(pong.back().time, clock_now(), 60);
  second.ask("stop\n");
  const auto rest = second.words_to(Word::Done);
  EXPECT_EQ(rest.back().kind, Word::Done);
  EXPECT_EQ(rest.front().number, next);
  EXPECT_TRUE(has(spoken(rest), "0 two\n"));
  agent.join();
  // A desk that comes after the end hears all of it, and that it is the end.
  RelayOutput late(files, 0);
  const auto all = late.words_to(Word::CaughtUp);
  EXPECT_EQ(all.front().kind, Word::Begun);
  EXPECT_EQ(all[all.size() - 2].kind, Word::Done);
}

TEST_F(Agents, OneThatDiedWithoutAWordIsTold) {
  const AgentFiles files = files_for(1, "");
  write_file_atomically(files.journal(),
                        to_line(AgentWord{.kind = Word::Begun, .number = 0}) + "{\"half a li\n");
  RelayOutput relay(files, 0);
  const auto words = relay.words_to(Word::Gone);
  EXPECT_EQ(words.back().kind, Word::Gone);
  EXPECT_THROW(relay_agent({folder_.path() / "nobody"}, 0, 0, 1), Error);
}

TEST_F(Agents, FolderIsThisUsersAlone) {
  const auto folder = agents_folder();
  EXPECT_EQ(std::filesystem::status(folder).permissions() & std::filesystem::perms::all,
            std::filesystem::perms::owner_all);
  std::filesystem::permissions(folder, std::filesystem::perms::all);
  EXPECT_TRUE(has(error_of([] { agents_folder(); }), "belongs to this user alone"));
}

}  // namespace
}  // namespace tessera
