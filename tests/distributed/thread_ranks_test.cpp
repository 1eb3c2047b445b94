// SPDX-License-Identifier: MIT
#include "distributed/threads/thread_ranks.h"

#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "core/base/error.h"
#include "core/base/profile.h"
#include "tests/distributed/communicator_cases.h"

namespace tessera {
namespace {

/// Calls work(rank) in a thread for each rank; the message of what it threw by rank, else empty.
std::vector<std::string> on_all(ThreadRanks& ranks,
                                const std::function<void(Communicator&)>& work) {
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

TEST(ThreadRanks, DoWhatTransportsDo) {
  for (const CommunicatorCase& one : communicator_cases()) {
    for (const int size : {2, 3, 4}) {
      ThreadRanks ranks(size);
      std::vector<std::string> problems(static_cast<std::size_t>(size));
      expect_none(on_all(ranks, [&](Communicator& rank) {
        problems[static_cast<std::size_t>(rank.rank())] = run_case(one, rank);
      }));
      for (int rank = 0; rank < size; ++rank) {
        EXPECT_EQ(problems[static_cast<std::size_t>(rank)], "")
            << one.name << ", rank " << rank << " of " << size;
      }
    }
  }
}

TEST(ThreadRanks, SumInTheOrderOfRanks) {
  for (const int size : {1, 2, 3, 8}) {
    ThreadRanks ranks(size);
    // Sums that depend on their order: every rank must have those of rank 0, 1, 2, ...
    const auto value = [](int rank, int i) { return 1.0f / static_cast<float>(3 + rank * 7 + i); };
    std::vector<std::vector<float>> seen(static_cast<std::size_t>(size));
    expect_none(on_all(ranks, [&](Communicator& rank) {
      Context context;
      std::vector<float> x;
      for (int i = 0; i < 100; ++i) x.push_back(value(rank.rank(), i));
      for (int turn = 0; turn < 3; ++turn) {
        std::vector<float> y = x;
        rank.all_reduce(context, Tensor(y.data(), DType::F32, {100}));
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
  expect_none(on_all(ranks, [](Communicator& rank) {
    Context context;
    std::int64_t count = std::int64_t{1} << (40 + rank.rank());
    rank.all_reduce(context, Tensor(&count, DType::I64, {1}));
    EXPECT_EQ(count, std::int64_t{15} << 40);
    double x = rank.rank();
    rank.all_reduce(context, Tensor(&x, DType::F64, {1}));
    EXPECT_EQ(x, 6.0);
    rank.barrier(context);
  }));
}

TEST(ThreadRanks, BroadcastFromAnyRank) {
  ThreadRanks ranks(3);
  expect_none(on_all(ranks, [](Communicator& rank) {
    Context context;
    for (int from = 0; from < 3; ++from) {
      std::int64_t x[2] = {rank.rank(), 10 * rank.rank()};
      rank.broadcast(context, Tensor(x, DType::I64, {2}), from);
      EXPECT_EQ(x[0], from);
      EXPECT_EQ(x[1], 10 * from);
    }
  }));
}

TEST(ThreadRanks, TheErrorOfOneEndsTheWaitingOfAll) {
  ThreadRanks ranks(3);
  const auto errors = on_all(ranks, [](Communicator& rank) {
    Context context;
    rank.barrier(context);
    if (rank.rank() == 1) throw Error("test", "the disk is full");
    rank.barrier(context);
  });
  EXPECT_EQ(errors[1], "the disk is full");
  for (const int rank : {0, 2}) {
    EXPECT_EQ(errors[static_cast<std::size_t>(rank)],
              "rank 1 ended with an error: the disk is full");
  }
}

TEST(ThreadRanks, DifferentTensorsAreAnErrorOnAll) {
  ThreadRanks ranks(2);
  const auto errors = on_all(ranks, [](Communicator& rank) {
    Context context;
    std::vector<double> x(static_cast<std::size_t>(2 + rank.rank()));
    rank.all_reduce(context, Tensor(x.data(), DType::F64, {static_cast<std::int64_t>(x.size())}));
  });
  for (const std::string& error : errors) {
    EXPECT_NE(error.find("rank 1 came with"), std::string::npos) << error;
  }
}

TEST(ThreadRanks, ReduceScatterAndAllGatherAreAnAllReduce) {
  for (const int size : {1, 2, 4}) {
    ThreadRanks ranks(size);
    expect_none(on_all(ranks, [&](Communicator& rank) {
      Context context;
      std::vector<double> x, share(3), all(static_cast<std::size_t>(3 * size));
      for (int i = 0; i < 3 * size; ++i) x.push_back(1.0 / (1 + i + 10 * rank.rank()));
      std::vector<double> whole = x;
      const auto tensor = [](std::vector<double>& v) {
        return Tensor(v.data(), DType::F64, {std::ssize(v)});
      };
      rank.reduce_scatter(context, tensor(x), tensor(share));
      rank.all_gather(context, tensor(share), tensor(all));
      rank.all_reduce(context, tensor(whole));
      EXPECT_EQ(all, whole);
    }));
  }
}

/// Rank i sends i + j rows to rank j, each filled with 10 i + j.
TEST(ThreadRanks, AllToAllSendsRowsByRank) {
  ThreadRanks ranks(3);
  expect_none(on_all(ranks, [](Communicator& rank) {
    Context context;
    std::vector<std::int64_t> to, from;
    std::vector<std::int64_t> send, receive, wanted;
    for (int i = 0; i < 3; ++i) {
      to.push_back(rank.rank() + i);
      from.push_back(i + rank.rank());
      send.insert(send.end(), static_cast<std::size_t>(2 * to.back()), 10 * rank.rank() + i);
      wanted.insert(wanted.end(), static_cast<std::size_t>(2 * from.back()), 10 * i + rank.rank());
    }
    receive.resize(wanted.size());
    rank.all_to_all(context, Tensor(send.data(), DType::I64, {std::ssize(send) / 2, 2}), to,
                    Tensor(receive.data(), DType::I64, {std::ssize(receive) / 2, 2}), from);
    EXPECT_EQ(receive, wanted);
  }));
}

TEST(ThreadRanks, AllToAllWithCountsThatDisagreeIsAnErrorOnAll) {
  ThreadRanks ranks(2);
  const auto errors = on_all(ranks, [](Communicator& rank) {
    Context context;
    float x[4] = {}, y[4] = {};
    const std::int64_t two[] = {1, 1}, three[] = {2, 1};
    const bool odd = rank.rank() == 1;
    rank.all_to_all(context, Tensor(x, DType::F32, {2, 1}), two,
                    Tensor(y, DType::F32, {odd ? 3 : 2, 1}), odd ? three : two);
  });
  for (const std::string& error : errors) {
    EXPECT_NE(error.find("rank 0 sends 1 rows to rank 1, which takes 2"), std::string::npos)
        << error;
  }
}

TEST(ThreadRanks, MessagesArriveInTheirOrderAndSendersDoNotWait) {
  ThreadRanks ranks(2);
  expect_none(on_all(ranks, [](Communicator& rank) {
    Context context;
    const int other = 1 - rank.rank();
    for (std::int64_t i = 0; i < 5; ++i) {
      std::int64_t x = 100 * rank.rank() + i;  // gone before it is received
      rank.send(context, Tensor(&x, DType::I64, {1}), other);
    }
    for (std::int64_t i = 0; i < 5; ++i) {
      std::int64_t x = -1;
      rank.receive(context, Tensor(&x, DType::I64, {1}), other);
      EXPECT_EQ(x, 100 * other + i);
    }
  }));
}

TEST(ThreadRanks, SplitIntoGroupsThatWorkAlone) {
  ThreadRanks ranks(6);
  expect_none(on_all(ranks, [](Communicator& rank) {
    Context context;
    for (int turn = 0; turn < 3; ++turn) {  // groups may be made again
      const std::unique_ptr<Communicator> group = rank.split(rank.rank() % 2);
      EXPECT_EQ(group->size(), 3);
      EXPECT_EQ(group->rank(), rank.rank() / 2);
      double sum = rank.rank();
      group->all_reduce(context, Tensor(&sum, DType::F64, {1}));
      EXPECT_EQ(sum, rank.rank() % 2 == 0 ? 6 : 9);
      const std::unique_ptr<Communicator> inner = group->split(group->rank() == 1 ? 7 : 2);
      EXPECT_EQ(inner->size(), group->rank() == 1 ? 1 : 2);
      rank.barrier(context);
    }
  }));
}

TEST(ThreadRanks, AnErrorEndsTheWaitingInEveryGroup) {
  ThreadRanks ranks(4);
  const auto errors = on_all(ranks, [](Communicator& rank) {
    Context context;
    const std::unique_ptr<Communicator> group = rank.split(rank.rank() / 2);
    if (rank.rank() == 3) throw Error("test", "no memory");
    float x = 0;
    if (rank.rank() == 2) group->receive(context, Tensor(&x, DType::F32, {1}), 1);
    rank.barrier(context);
  });
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(errors[static_cast<std::size_t>(rank)], "rank 3 ended with an error: no memory");
  }
}

TEST(ThreadRanks, DifferentCallsAreNamed) {
  ThreadRanks ranks(2);
  const auto errors = on_all(ranks, [](Communicator& rank) {
    Context context;
    float x[2] = {};
    rank.barrier(context);
    if (rank.rank() == 0) {
      rank.all_reduce(context, Tensor(x, DType::F32, {2}));
    } else {
      rank.broadcast(context, Tensor(x, DType::F32, {2}), 0);
    }
  });
  for (const std::string& error : errors) {
    EXPECT_NE(error.find("rank 1 came with broadcast 1 of F32(2) where rank 0 has all_reduce 1"),
              std::string::npos)
        << error;
  }
}

/// As operations do: a dry run leaves calls out, a profile counts them by name.
TEST(ThreadRanks, CallsTakeTheContextAsOperationsDo) {
  ThreadRanks ranks(1);
  Communicator& rank = ranks.rank(0);
  Profile profile;
  Context context{.profile = &profile};
  double x = 3;
  rank.all_reduce(context, Tensor(&x, DType::F64, {1}));
  EXPECT_EQ(profile.entries().at("all_reduce").calls, 1);
  Context dry{.dry_run = true};
  rank.receive(dry, Tensor(&x, DType::F64, {1}), 0);  // would wait for ever
  EXPECT_EQ(rank.calls(), 1u);
}

}  // namespace
}  // namespace tessera
