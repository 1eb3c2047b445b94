// SPDX-License-Identifier: MIT
#include "core/base/threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace tessera {
namespace {

/// Runs the test with four threads, whatever the machine has.
class Parallel : public ::testing::Test {
 protected:
  Parallel() : before_(omp_get_max_threads()) { omp_set_num_threads(4); }
  ~Parallel() override { omp_set_num_threads(before_); }

 private:
  int before_;
};

TEST_F(Parallel, ForCoversEveryIndexOnce) {
  for (std::int64_t count : {0, 1, 3, 4, 5, 1000, 1001}) {
    for (std::int64_t grain : {0, 1, 7, 5000}) {
      std::vector<std::atomic<int>> hits(static_cast<std::size_t>(count));
      parallel_for(count, grain, [&](std::int64_t from, std::int64_t to) {
        EXPECT_LT(from, to);
        for (std::int64_t i = from; i < to; ++i) ++hits[static_cast<std::size_t>(i)];
      });
      for (const auto& hit : hits) EXPECT_EQ(hit, 1);
    }
  }
}

TEST_F(Parallel, ForUsesOneThreadBelowTheGrain) {
  std::atomic<int> calls{0};
  parallel_for(100, 100, [&](std::int64_t, std::int64_t) { ++calls; });
  EXPECT_EQ(calls, 1);
  calls = 0;
  parallel_for(100, 25, [&](std::int64_t, std::int64_t) { ++calls; });
  EXPECT_EQ(calls, 4);
}

TEST_F(Parallel, AnExceptionOfAnyThreadComesOut) {
  for (std::int64_t bad : {0, 50, 99}) {
    try {
      parallel_for(100, 1, [&](std::int64_t from, std::int64_t to) {
        if (from <= bad && bad < to) throw Error("piece", std::to_string(bad));
      });
      FAIL() << "did not throw";
    } catch (const Error& error) {
      EXPECT_EQ(error.what_failed(), std::to_string(bad));
    }
  }
  int after = 0;
  parallel_for(1, 1, [&](std::int64_t, std::int64_t) { ++after; });
  EXPECT_EQ(after, 1);
}

TEST_F(Parallel, AllThreadsMayThrowAtOnce) {
  EXPECT_THROW(parallel_for(4, 1, [](std::int64_t, std::int64_t) { throw Error("piece", "all"); }),
               Error);
}

TEST_F(Parallel, NestedLoopsRunInPlace) {
  std::atomic<int> inner_calls{0};
  parallel_for(4, 1, [&](std::int64_t, std::int64_t) {
    parallel_for(1000, 1, [&](std::int64_t from, std::int64_t to) {
      EXPECT_EQ(from, 0);
      EXPECT_EQ(to, 1000);
      ++inner_calls;
    });
  });
  EXPECT_EQ(inner_calls, 4);
}

TEST_F(Parallel, TasksRunOnceEachOnOneThread) {
  std::vector<std::atomic<int>> hits(101);
  parallel_tasks(101, [&](std::int64_t i) {
    EXPECT_EQ(omp_get_max_threads(), 1);
    ++hits[static_cast<std::size_t>(i)];
  });
  for (const auto& hit : hits) EXPECT_EQ(hit, 1);
  EXPECT_EQ(omp_get_max_threads(), 4);
}

TEST_F(Parallel, AnExceptionOfATaskComesOut) {
  EXPECT_THROW(parallel_tasks(10,
                              [](std::int64_t i) {
                                if (i == 7) throw Error("task", "seven");
                              }),
               Error);
  EXPECT_EQ(omp_get_max_threads(), 4);
}

}  // namespace
}  // namespace tessera
