// SPDX-License-Identifier: MIT
#include "core/train/hello.h"
#include "core/train/link_probe.h"

#include <gtest/gtest.h>

#include <thread>

#include "core/base/error.h"
#include "distributed/threads/thread_ranks.h"

namespace tessera {
namespace {

/// Ranks of two hosts that fit together.
std::vector<RankFacts> four() {
  std::vector<RankFacts> all;
  for (int rank = 0; rank < 4; ++rank) {
    all.push_back({.rank = rank,
                   .host = rank < 2 ? "a" : "b",
                   .build = "1.0 (abc)",
                   .spec = "s",
                   .clock_s = 1000,
                   .files = 4096,
                   .memlock = -1,
                   .shared = std::int64_t{1} << 30,
                   .threads = 2,
                   .processors = 4});
  }
  return all;
}

TEST(Hello, RanksThatFitTogetherSayNothing) {
  EXPECT_TRUE(compare_facts(four(), true).empty());
}

void expect_one(const std::vector<RankFacts>& ranks, bool fatal,
                const std::vector<std::string>& parts, bool same_sums = false) {
  const auto problems = compare_facts(ranks, same_sums);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].fatal, fatal);
  for (const std::string& part : parts) {
    EXPECT_NE(problems[0].text.find(part), std::string::npos) << problems[0].text;
  }
}

TEST(Hello, AMismatchNamesTheHostAndWhatToDo) {
  auto ranks = four();
  ranks[3].build = "1.0 (def)";
  expect_one(ranks, true, {"rank 3 on host b", "1.0 (def)", "install the same build"});
  ranks = four();
  ranks[1].spec = "t";
  expect_one(ranks, true, {"rank 1 on host a", "another run.toml"});
  ranks = four();
  for (const int i : {2, 3}) ranks[static_cast<std::size_t>(i)].clock_s = 998.5;
  expect_one(ranks, false, {"clock of host b", "1.5 s behind", "chrony"});
  ranks = four();
  ranks[2].clock_s = 1000.9;
  EXPECT_TRUE(compare_facts(ranks, true).empty());
  ranks = four();
  ranks[3].threads = 1;
  expect_one(ranks, false, {"rank 3 on host b computes with 1 threads", "with 2", "host.threads"},
             true);
  EXPECT_TRUE(compare_facts(ranks, false).empty());
  ranks = four();
  ranks[0].files = 256;
  expect_one(ranks, false, {"host a", "256 files", "ulimit -n"});
  ranks = four();
  ranks[2].shared = 60 << 20;
  expect_one(ranks, false, {"host b", "/dev/shm has 60 MB", "--shm-size"});
  ranks = four();
  for (const int i : {0, 1}) ranks[static_cast<std::size_t>(i)].threads = 4;
  expect_one(ranks, false, {"host a", "8 threads on 4 processors"});
}

/// Calls work in a thread for each rank; what it threw by rank.
template <class Work>
std::vector<std::string> on_all(int size, const Work& work) {
  ThreadRanks ranks(size);
  std::vector<std::string> errors(static_cast<std::size_t>(size));
  std::vector<std::jthread> threads;
  for (int i = 0; i < size; ++i) {
    threads.emplace_back([&, i] {
      try {
        work(ranks.rank(i));
      } catch (const Error& error) {
        errors[static_cast<std::size_t>(i)] = error.what();
        ranks.rank(i).abort(error.what());
      }
    });
  }
  threads.clear();
  return errors;
}

TEST(LinkProbe, MeasuresEachDirectionBetweenHostsAndTellsAllRanks) {
  const std::vector<std::string> hosts = {"a", "a", "b", "c"};
  const auto errors = on_all(4, [&](Communicator& ranks) {
    const auto links = probe_links(ranks, hosts, 0.05);
    require(links.size() == 6, "test", "{} links", links.size());
    double sum = 0;
    for (const LinkSpeed& link : links) {
      require(link.from != link.to, "test", "{} to itself", link.from);
      require(link.bytes_per_s > 1e6, "test", "{} B/s", link.bytes_per_s);
      sum += link.bytes_per_s;
    }
    Context context;
    double total = sum;
    ranks.all_reduce(context, Tensor(&total, DType::F64, {1}));
    require(std::abs(total / 4 - sum) < 1e-6 * sum, "test", "ranks differ");
    require(probe_links(ranks, {"a", "a", "a", "a"}, 1).empty(), "test", "one host has links");
  });
  for (const std::string& error : errors) EXPECT_EQ(error, "");
}

TEST(Hello, EveryRankLearnsTheFactsOfAll) {
  const auto errors = on_all(3, [](Communicator& ranks) {
    RankFacts own = local_facts();
    own.build = "build " + std::to_string(ranks.rank());
    const auto all = exchange_facts(ranks, own);
    require(all.size() == 3, "test", "{} facts", all.size());
    for (int i = 0; i < 3; ++i) {
      const RankFacts& facts = all[static_cast<std::size_t>(i)];
      require(facts.rank == i && facts.build == "build " + std::to_string(i), "test",
              "rank {} says {}", i, facts.build);
      require(facts.host == own.host && facts.clock_s > 1e9, "test", "host {}", facts.host);
    }
  });
  for (const std::string& error : errors) EXPECT_EQ(error, "");
}

TEST(Hello, OtherDataIsAnErrorOnEveryRank) {
  const auto errors = on_all(3, [](Communicator& ranks) {
    check_same(ranks, "the data", "same", "hint");
    check_same(ranks, "the data", ranks.rank() == 2 ? "other" : "same", "share the folder");
  });
  for (const std::string& error : errors) {
    EXPECT_NE(error.find("rank 2 on host"), std::string::npos) << error;
    EXPECT_NE(error.find("share the folder"), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace tessera
