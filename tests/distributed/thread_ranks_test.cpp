// SPDX-License-Identifier: MIT
#include "distributed/threads/thread_ranks.h"

#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "core/base/error.h"

namespace tessera {
namespace {

/// Calls work(rank) in a thread for each rank; the message of what it threw by rank, else empty.
std::vector<std::string> on_all(ThreadRanks& ranks, const std::function<void(Collective&)>& work) {
  std::vector<std::string> errors(static_cast<std::size_t>(ranks.size()));
  std::vector<std::jthread> threads;
  for (int i = 0; i < ranks.size(); ++i) {
    threads.emplace_back([&, i] {
      try {
        work(ranks.rank(i));
      } catch (const Error& error) {
        errors[static_cast<std::size_t>(i)] = error.what_failed();
        ranks.rank(i).abort(error.what_failed());
      }
    });
  }
  threads.clear();
  return errors;
}

void expect_none(const std::vector<std::string>& errors) {
  for (const std::string& error : errors) EXPECT_EQ(error, "");
}

TEST(ThreadRanks, SumInTheOrderOfRanks) {
  for (const int size : {1, 2, 3, 8}) {
    ThreadRanks ranks(size);
    // Sums that depend on their order: every rank must have those of rank 0, 1, 2, ...
    const auto value = [](int rank, int i) { return 1.0f / static_cast<float>(3 + rank * 7 + i); };
    std::vector<std::vector<float>> seen(static_cast<std::size_t>(size));
    expect_none(on_all(ranks, [&](Collective& rank) {
      std::vector<float> x;
      for (int i = 0; i < 100; ++i) x.push_back(value(rank.rank(), i));
      for (int turn = 0; turn < 3; ++turn) {
        std::vector<float> y = x;
        rank.all_reduce_sum(Tensor(y.data(), DType::F32, {100}));
        seen[static_cast<std::size_t>(rank.rank())] = y;
      }
    }));
    for (int i = 0; i < 100; ++i) {
      float sum = value(0, i);
      for (int rank = 1; rank < size; ++rank) sum += value(rank, i);
      for (const auto& y : seen) EXPECT_EQ(y[static_cast<std::size_t>(i)], sum);
    }
  }
}

TEST(ThreadRanks, SumWholeNumbersAndDoubles) {
  ThreadRanks ranks(4);
  expect_none(on_all(ranks, [](Collective& rank) {
    std::int64_t count = std::int64_t{1} << (40 + rank.rank());
    rank.all_reduce_sum(Tensor(&count, DType::I64, {1}));
    EXPECT_EQ(count, std::int64_t{15} << 40);
    double x = rank.rank();
    rank.all_reduce_sum(Tensor(&x, DType::F64, {1}));
    EXPECT_EQ(x, 6.0);
    rank.barrier();
  }));
}

TEST(ThreadRanks, BroadcastFromAnyRank) {
  ThreadRanks ranks(3);
  expect_none(on_all(ranks, [](Collective& rank) {
    for (int from = 0; from < 3; ++from) {
      std::int64_t x[2] = {rank.rank(), 10 * rank.rank()};
      rank.broadcast(Tensor(x, DType::I64, {2}), from);
      EXPECT_EQ(x[0], from);
      EXPECT_EQ(x[1], 10 * from);
    }
  }));
}

TEST(ThreadRanks, TheErrorOfOneEndsTheWaitingOfAll) {
  ThreadRanks ranks(3);
  const auto errors = on_all(ranks, [](Collective& rank) {
    rank.barrier();
    if (rank.rank() == 1) throw Error("test", "the disk is full");
    rank.barrier();
  });
  EXPECT_EQ(errors[1], "the disk is full");
  for (const int rank : {0, 2}) {
    EXPECT_EQ(errors[static_cast<std::size_t>(rank)],
              "rank 1 ended with an error: the disk is full");
  }
}

TEST(ThreadRanks, DifferentTensorsAreAnErrorOnAll) {
  ThreadRanks ranks(2);
  const auto errors = on_all(ranks, [](Collective& rank) {
    std::vector<double> x(static_cast<std::size_t>(2 + rank.rank()));
    rank.all_reduce_sum(Tensor(x.data(), DType::F64, {static_cast<std::int64_t>(x.size())}));
  });
  for (const std::string& error : errors) {
    EXPECT_NE(error.find("rank 1 came with"), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace tessera
