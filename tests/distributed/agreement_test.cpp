// SPDX-License-Identifier: MIT
#include "core/base/agreement.h"

#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "core/base/error.h"
#include "core/base/progress.h"
#include "distributed/threads/thread_ranks.h"

namespace tessera {
namespace {

/// What work(rank) threw on each rank: its text, "stopped", or nothing.
std::vector<std::string> thrown_on(int count, const std::function<void(Communicator&)>& work) {
  ThreadRanks ranks(count);
  std::vector<std::string> thrown(static_cast<std::size_t>(count));
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      try {
        work(ranks.rank(i));
      } catch (const Stopped&) {
        thrown[static_cast<std::size_t>(i)] = "stopped";
      } catch (const std::exception& error) {
        thrown[static_cast<std::size_t>(i)] = error.what();
      }
    });
  }
  threads.clear();
  return thrown;
}

using Texts = std::vector<std::string>;

TEST(Agreement, GathersTextsOfAnyLength) {
  const std::string binary("a\0b\n", 4);
  const Texts thrown = thrown_on(3, [&](Communicator& ranks) {
    const Texts mine{"", std::string(5000, 'x'), binary};
    const Texts all = gather_texts(&ranks, mine[static_cast<std::size_t>(ranks.rank())]);
    EXPECT_EQ(all, mine);
    EXPECT_EQ(gather_texts(&ranks, ""), Texts(3));
    EXPECT_EQ(text_of_rank(&ranks, mine[static_cast<std::size_t>(ranks.rank())], 2), binary);
    EXPECT_EQ(text_of_rank(&ranks, "", 1), "");
  });
  EXPECT_EQ(thrown, Texts(3));
  EXPECT_EQ(gather_texts(nullptr, "alone"), Texts{"alone"});
  EXPECT_EQ(text_of_rank(nullptr, "alone", 0), "alone");
}

TEST(Agreement, WhatEndsOneEndsAllAndIsNamed) {
  const Texts thrown = thrown_on(3, [](Communicator& ranks) {
    work_together(&ranks, [&] {
      if (ranks.rank() == 1) throw Error("a file", "cannot be written", "free some space");
      if (ranks.rank() == 2) throw Stopped("here");
    });
  });
  EXPECT_EQ(thrown[0], Error("a file", "rank 1: cannot be written", "free some space").what());
  EXPECT_EQ(thrown[1], Error("a file", "cannot be written", "free some space").what());
  EXPECT_EQ(thrown[2], "stopped");
  const Texts other = thrown_on(2, [](Communicator& ranks) {
    work_together(&ranks, [&] {
      if (ranks.rank() == 1) throw std::runtime_error("out of luck");
    });
  });
  EXPECT_NE(other[0].find("rank 1: out of luck"), std::string::npos) << other[0];
  EXPECT_EQ(other[1], "out of luck");
}

TEST(Agreement, AStopIsAStopEverywhere) {
  EXPECT_EQ(thrown_on(3,
                      [](Communicator& ranks) {
                        work_together(&ranks, [&] {
                          if (ranks.rank() == 2) throw Stopped("here");
                        });
                      }),
            Texts(3, "stopped"));
  EXPECT_THROW(work_together(nullptr, [] { throw Stopped("here"); }), Stopped);
}

}  // namespace
}  // namespace tessera
