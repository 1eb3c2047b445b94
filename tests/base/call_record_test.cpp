// SPDX-License-Identifier: MIT
#include "core/base/call_record.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "core/base/communicator.h"
#include "core/base/error.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using Kind = Communication::Kind;

class CallRecords : public testing::Test {
 protected:
  CallRecords() {
    std::string name = (fs::temp_directory_path() / "tessera-calls-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~CallRecords() override { fs::remove_all(path_); }

  static CallNote note(int group, Kind kind, std::uint64_t sequence) {
    return {.group = group,
            .kind = static_cast<std::uint8_t>(kind),
            .collective = kind != Kind::Send && kind != Kind::Receive,
            .bytes = 400,
            .sequence = sequence};
  }
  fs::path path_;
};

TEST_F(CallRecords, SayWhatARankIsAt) {
  CallRecord record(calls_file(path_, 2), 2, 4);
  const int world = record.add_group("world", 1, 2, 4), data = record.add_group("data", 7, 1, 2);
  EXPECT_EQ(read_calls(calls_file(path_, 2))->whereabouts(),
            "before its first call to other ranks");
  record.leave(record.enter(note(world, Kind::Barrier, 0)), false);
  const std::uint64_t open = record.enter(note(data, Kind::AllReduce, 41));
  const auto rank = read_calls(calls_file(path_, 2));
  ASSERT_TRUE(rank);
  EXPECT_EQ(rank->rank, 2);
  EXPECT_EQ(rank->ranks, 4);
  EXPECT_EQ(rank->pid, ::getpid());
  EXPECT_TRUE(rank->is_here());
  EXPECT_TRUE(rank->is_there());
  ASSERT_EQ(rank->groups.size(), 2u);
  EXPECT_EQ(rank->groups[1].collectives, 1u);
  ASSERT_TRUE(rank->open);
  EXPECT_EQ(rank->open->bytes, 400);
  EXPECT_EQ(rank->whereabouts(), "in all_reduce 41 of the data group");
  record.leave(open, false);
  EXPECT_EQ(read_calls(calls_file(path_, 2))->whereabouts(),
            "computing after all_reduce 41 of the data group");
}

TEST_F(CallRecords, KeepTheNewestOfManyCalls) {
  CallRecord record(calls_file(path_, 0), 0, 1);
  const int world = record.add_group("world", 1, 0, 1);
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    record.leave(record.enter(note(world, Kind::AllReduce, i)), false);
  }
  const auto rank = read_calls(calls_file(path_, 0));
  EXPECT_FALSE(rank->open);
  EXPECT_EQ(rank->last->sequence, 9999u);
  EXPECT_EQ(rank->groups[0].collectives, 10'000u);
}

TEST_F(CallRecords, OutliveAProcessThatIsKilled) {
  const pid_t child = ::fork();
  if (child == 0) {
    CallRecord record(calls_file(path_, 1), 1, 2);
    record.enter(note(record.add_group("world", 1, 1, 2), Kind::AllGather, 5));
    ::raise(SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  const auto ranks = read_all_calls(path_);
  ASSERT_EQ(ranks.size(), 1u);
  EXPECT_FALSE(ranks[0].is_there());
  const auto ended = find_first_ended(ranks);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->rank, 1);
  EXPECT_NE(ended->text.find("rank 1 on host " + host_name()), std::string::npos) << ended->text;
  EXPECT_NE(ended->text.find("in all_gather 5 of the world group"), std::string::npos)
      << ended->text;
}

TEST_F(CallRecords, OtherFilesAreNotTakenForOne) {
  EXPECT_FALSE(read_calls(calls_file(path_, 0)));
  std::ofstream(calls_file(path_, 0)) << "";
  EXPECT_FALSE(read_calls(calls_file(path_, 0)));  // being made
  std::ofstream(calls_file(path_, 0)) << std::string(100'000, 'x');
  EXPECT_THROW(read_calls(calls_file(path_, 0)), Error);
  EXPECT_TRUE(read_all_calls(path_).empty());
}

// ---- Judging ------------------------------------------------------------------------------------

constexpr std::int64_t kSecond = 1'000'000'000;

/// A rank of this machine that beat its heart just now, at 1000 s.
RankCalls rank_of(int rank, int ranks) {
  RankCalls r;
  r.rank = rank;
  r.ranks = ranks;
  r.pid = ::getpid();
  r.start_ticks = process_start_ticks(::getpid());
  r.host = host_name();
  r.boot_id = boot_id();
  r.beat_ns = 1000 * kSecond;
  r.groups = {{.key = 1, .name = "world", .rank = rank, .size = ranks, .collectives = 10}};
  return r;
}

RecordedCall waiting(Kind kind, std::uint64_t collective, std::int64_t since_s) {
  RecordedCall call;
  call.sequence = call.collective = collective;
  call.group_key = 1;
  call.group = "world";
  call.kind = static_cast<std::uint8_t>(kind);
  call.is_collective = kind != Kind::Receive;
  call.entered_ns = since_s * kSecond;
  return call;
}

TEST(RankTroubles, ARankThatDoesNotComeIsNamed) {
  std::vector<RankCalls> ranks = {rank_of(0, 3), rank_of(1, 3), rank_of(2, 3)};
  for (const int i : {0, 2}) {
    ranks[static_cast<std::size_t>(i)].groups[0].collectives = 11;
    ranks[static_cast<std::size_t>(i)].open = waiting(Kind::AllReduce, 10, 980);
  }
  EXPECT_FALSE(find_hang(ranks, 1000 * kSecond, 30));
  EXPECT_FALSE(find_hang(ranks, 1000 * kSecond, 0));  // nobody asked to look
  const auto hang = find_hang(ranks, 1000 * kSecond, 20);
  ASSERT_TRUE(hang);
  EXPECT_EQ(hang->rank, 1);
  EXPECT_NE(hang->text.find("waits in all_reduce 10 of the world group for 20.0 s, and rank 1"),
            std::string::npos)
      << hang->text;
  // It may last: rank 0 may be paused.
  for (RankCalls& rank : ranks) {
    if (rank.open) rank.open->may_last = true;
  }
  EXPECT_FALSE(find_hang(ranks, 1000 * kSecond, 20));
}

TEST(RankTroubles, ASilentRankIsNamed) {
  std::vector<RankCalls> ranks = {rank_of(0, 2), rank_of(1, 2)};
  ranks[0].groups[0].collectives = 11;
  ranks[0].open = waiting(Kind::Broadcast, 10, 990);
  ranks[0].open->may_last = true;
  ranks[1].beat_ns = 985 * kSecond;
  EXPECT_FALSE(find_hang(ranks, 1000 * kSecond, 16));
  const auto hang = find_hang(ranks, 1000 * kSecond, 15);
  ASSERT_TRUE(hang);
  EXPECT_EQ(hang->rank, 1);
  EXPECT_NE(hang->text.find("no sign of life for 15.0 s"), std::string::npos) << hang->text;
  EXPECT_NE(hang->text.find("waits for it in broadcast 10"), std::string::npos) << hang->text;
  ranks[1].host = "another";  // its clock says nothing here
  EXPECT_FALSE(find_hang(ranks, 1000 * kSecond, 15));
}

TEST(RankTroubles, RanksInDifferentCallsAreNamed) {
  std::vector<RankCalls> ranks = {rank_of(0, 2), rank_of(1, 2)};
  for (RankCalls& rank : ranks) rank.groups[0].collectives = 11;
  ranks[0].open = waiting(Kind::AllReduce, 10, 900);
  ranks[1].open = waiting(Kind::Broadcast, 10, 901);
  const auto hang = find_hang(ranks, 1000 * kSecond, 60);
  ASSERT_TRUE(hang);
  EXPECT_NE(hang->text.find("all_reduce 10"), std::string::npos) << hang->text;
  EXPECT_NE(hang->text.find("broadcast 10"), std::string::npos) << hang->text;
  ranks[1].open = waiting(Kind::AllReduce, 10, 901);  // a large one that takes its time
  EXPECT_FALSE(find_hang(ranks, 1000 * kSecond, 60));
}

TEST(RankTroubles, TheOneThatEndedFirstIsTheCause) {
  std::vector<RankCalls> ranks = {rank_of(0, 3), rank_of(1, 3), rank_of(2, 3)};
  EXPECT_FALSE(find_first_ended(ranks));
  for (RankCalls& rank : ranks) rank.start_ticks += 1;  // all are gone
  ranks[1].beat_ns = 999 * kSecond;
  ranks[0].asked_to_end_ns = ranks[2].asked_to_end_ns = 1000 * kSecond;
  EXPECT_EQ(find_first_ended(ranks)->rank, 1);
  // One that failed before that is the cause of the rest.
  ranks[2].ending = RankCalls::Ending::Failed;
  ranks[2].failure = "the disk is full";
  ranks[2].ended_ns = 998 * kSecond;
  const auto ended = find_first_ended(ranks);
  EXPECT_EQ(ended->rank, 2);
  EXPECT_NE(ended->text.find("failed"), std::string::npos);
  EXPECT_NE(ended->text.find("the disk is full"), std::string::npos) << ended->text;
}

}  // namespace
}  // namespace tessera
