// SPDX-License-Identifier: MIT
// Transports that need a network alone: ranks over the store, and what NCCL's ranks do around NCCL.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <thread>

#include "core/base/call_record.h"
#include "core/base/error.h"
#include "core/base/transfer.h"
#include "distributed/nccl/nccl_ranks.h"
#include "distributed/store/store_group.h"
#include "distributed/store/store_pieces.h"
#include "distributed/store/store_server.h"
#include "distributed/store/store_world.h"
#include "tests/distributed/communicator_cases.h"
#include "tests/distributed/device_cases.h"
#include "tests/distributed/pretend_nccl.h"

namespace tessera {
namespace {

using namespace std::chrono_literals;
constexpr auto kLong = 30s;  // what should come comes long before

int free_port() {
  return StoreServer({"127.0.0.1", 0}, 1).port();
}

using Work = std::function<void(Communicator& ranks, Context& context)>;

/// What each rank threw, or "".
using Errors = std::vector<std::string>;
void expect_none(const Errors& errors) {
  for (const std::string& error : errors) EXPECT_EQ(error, "");
}

/// A thread for each rank, with what `make` connects it by.
Errors on_all(int size, const std::function<std::unique_ptr<Communicator>(int rank)>& make,
              Device device, const Work& work) {
  Errors errors(static_cast<std::size_t>(size));
  std::vector<int> streams(static_cast<std::size_t>(size));
  std::vector<std::jthread> threads;
  for (int i = 0; i < size; ++i) {
    threads.emplace_back([&, i] {
      const auto at = static_cast<std::size_t>(i);
      try {
        const std::unique_ptr<Communicator> ranks = make(i);
        Context context{.device = device, .stream = &streams[at]};
        try {
          work(*ranks, context);
        } catch (const Error& error) {
          errors[at] = error.what_failed();
          ranks->abort(error.what_failed());
        }
      } catch (const Error& error) {
        errors[at] = error.what_failed();
      }
    });
  }
  threads.clear();
  return errors;
}

Errors over_store(int size, const Work& work, std::chrono::milliseconds patience = kLong) {
  const StoreServer server({"127.0.0.1", 0}, size);
  std::vector<std::unique_ptr<StoreClient>> clients;
  for (int i = 0; i < size; ++i) {
    clients.push_back(
        std::make_unique<StoreClient>(Endpoint{"127.0.0.1", server.port()}, i, size, kLong));
  }
  const auto make = [&](int rank) {
    return std::make_unique<StoreRanks>(*clients[static_cast<std::size_t>(rank)], patience);
  };
  return on_all(size, make, Device::Cpu, work);
}

NcclOptions pretend_options() {
  pretend::have_gpu_memory();
  return {.hang_limit = kLong, .join_limit = kLong, .end_after = 0ms, .library = &pretend::nccl()};
}

Errors over_nccl(int size, const Work& work, const NcclOptions& options = pretend_options()) {
  const int port = free_port();
  const auto make = [&](int rank) {
    return make_nccl_ranks({rank, size, "127.0.0.1", port}, options);
  };
  return on_all(size, make, Device::Cuda, work);
}

void run_cases(Communicator& ranks, Context& context) {
  int seen = 0;
  device_cases::run(ranks, context, [&](const char*) { ++seen; });
  EXPECT_EQ(seen, device_cases::count());
}

TEST(StoreRanks, DoWhatEveryTransportDoes) {
  for (const int size : {1, 2, 3}) expect_none(over_store(size, run_cases));
}

TEST(StoreRanks, PassTheCasesOfTransportsOnTheCpu) {
  for (const CommunicatorCase& one : communicator_cases()) {
    for (const int size : {2, 3}) {
      std::vector<std::string> problems(static_cast<std::size_t>(size));
      over_store(size, [&](Communicator& rank, Context&) {
        problems[static_cast<std::size_t>(rank.rank())] = run_case(one, rank);
      });
      for (int rank = 0; rank < size; ++rank) {
        EXPECT_EQ(problems[static_cast<std::size_t>(rank)], "") << one.name << ", rank " << rank;
      }
    }
  }
}

/// The whole call, and the same in pieces of 12 bytes.
TEST(StoreRanks, LargeCallsInPiecesHaveTheBitsOfTheWhole) {
  constexpr int kSize = 3;
  constexpr std::int64_t kRun = 17, kAll = kRun * kSize;
  expect_none(over_store(kSize, [](Communicator& ranks, Context&) {
    const auto number = [&](std::int64_t i) {
      return 1.0f / static_cast<float>(1 + i * 7 + ranks.rank() * 1000);
    };
    std::vector<float> from(kAll), whole(kAll), pieces(kAll);
    for (std::int64_t i = 0; i < kAll; ++i) from[static_cast<std::size_t>(i)] = number(i);
    using Kind = Communication::Kind;
    for (const Kind kind :
         {Kind::AllReduce, Kind::ReduceScatter, Kind::AllGather, Kind::Broadcast}) {
      const std::int64_t sent = kind == Kind::AllGather ? kRun : kAll;
      const std::int64_t taken = kind == Kind::ReduceScatter ? kRun : kAll;
      int calls = 0;
      for (std::vector<float>* to : {&whole, &pieces}) {
        *to = from;
        Communication call{.kind = kind};
        call.send = Tensor(from.data(), DType::F32, {sent});
        call.receive = Tensor(to->data(), DType::F32, {taken});
        if (kind == Kind::Broadcast) {
          call.peer = 1;
          if (ranks.rank() == 1) call.receive = call.send;
        }
        const auto one = [&](const Communication& piece) {
          ++calls;
          EXPECT_LE(piece.kind == Kind::ReduceScatter ? piece.receive.bytes() : piece.send.bytes(),
                    to == &whole ? std::size_t{1024} : std::size_t{12});
          Context context;
          switch (kind) {
            case Kind::AllReduce:
              std::memcpy(piece.receive.raw(), piece.send.raw(), piece.send.bytes());
              return ranks.all_reduce(context, piece.receive);
            case Kind::ReduceScatter:
              return ranks.reduce_scatter(context, piece.send, piece.receive);
            case Kind::AllGather:
              return ranks.all_gather(context, piece.send, piece.receive);
            default:
              return ranks.broadcast(context, piece.receive, 1);
          }
        };
        carry_out_in_pieces(call, kSize, one, to == &whole ? 1024 : 12);
      }
      EXPECT_EQ(whole, pieces) << name_of(kind);
      EXPECT_EQ(
          calls,
          1 + static_cast<int>(
                  ((kind == Kind::AllReduce || kind == Kind::Broadcast ? kAll : kRun) + 2) / 3));
    }
  }));
}

TEST(StoreRanks, MeetAtAnAddressWithoutMpi) {
  const int port = free_port();
  const auto make = [&](int rank) {
    StorePlace place{rank, 3, "127.0.0.1", port};
    place.hang_limit = place.join_limit = kLong;
    return make_store_ranks(place);
  };
  expect_none(on_all(3, make, Device::Cpu, run_cases));
  const Errors errors = on_all(3, make, Device::Cpu, [](Communicator& ranks, Context& context) {
    if (ranks.rank() == 2) throw Error("test", "no more memory");
    ranks.barrier(context);
  });
  for (const int rank : {0, 1}) {
    EXPECT_EQ(errors[static_cast<std::size_t>(rank)], "rank 2 ended with an error: no more memory");
  }
}

TEST(StoreRanks, DifferentCallsAreNamedOnAll) {
  const Errors errors = over_store(2, [](Communicator& rank, Context& context) {
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

TEST(StoreRanks, CountsThatDisagreeAreNamed) {
  const Errors errors = over_store(2, [](Communicator& rank, Context& context) {
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

TEST(StoreRanks, WhoDoesNotComeIsNamed) {
  std::atomic<bool> over{false};
  const Errors errors = over_store(
      3,
      [&](Communicator& rank, Context& context) {
        if (rank.rank() == 1) {
          while (!over) std::this_thread::sleep_for(5ms);
          return;
        }
        const auto end = [&](bool*) { over = true; };
        bool mark = true;
        const std::unique_ptr<bool, decltype(end)> at_end(&mark, end);
        rank.barrier(context);
      },
      200ms);
  const std::string all = errors[0] + errors[2];
  EXPECT_NE(all.find("barrier 0 of nothing has waited 0 s for rank 1 (process "), std::string::npos)
      << all;
}

TEST(NcclRanks, DoWhatEveryTransportDoes) {
  for (const int size : {1, 2, 3}) expect_none(over_nccl(size, run_cases));
}

/// One waits for its GPU, whose call the other never makes.
TEST(NcclRanks, AnErrorEndsTheWaitingForTheGpu) {
  const int aborted = pretend::aborted();
  const Errors errors = over_nccl(2, [](Communicator& rank, Context& context) {
    const Buffer memory(sizeof(float), Device::Cuda);
    const Tensor x = memory.view(DType::F32, {1});
    rank.all_reduce(context, x);
    rank.settle(context);
    if (rank.rank() == 1) throw Error("test", "the disk is full");
    rank.all_reduce(context, x);
    rank.settle(context);
  });
  EXPECT_EQ(errors[0], "rank 1 ended with an error: the disk is full");
  EXPECT_EQ(errors[1], "the disk is full");
  EXPECT_EQ(pretend::aborted(), aborted + 2);
}

TEST(NcclRanks, AHangIsNamedAndEndsOnAll) {
  NcclOptions options = pretend_options();
  options.hang_limit = 300ms;
  const Errors errors = over_nccl(
      2,
      [](Communicator& rank, Context& context) {
        const Buffer memory(sizeof(float), Device::Cuda);
        const Tensor x = memory.view(DType::F32, {1});
        rank.all_reduce(context, x);
        rank.settle(context);
        pretend::hang(true);
        rank.all_reduce(context, x);
        rank.settle(context);
      },
      options);
  pretend::hang(false);
  const std::string all = errors[0] + errors[1];
  EXPECT_NE(all.find("all_reduce 1 of F32(1) was not done after 0 s; rank "), std::string::npos)
      << all;
  EXPECT_NE(all.find("was last heard of"), std::string::npos) << all;
}

TEST(NcclRanks, GroupsThatTalkFromTheHostAloneTakeNoGpu) {
  NcclLibrary without = pretend::nccl();
  without.begin_group = [](const NcclLibrary::Id&, int, int) -> void* {
    throw Error("test", "no GPU is wanted here");
  };
  NcclOptions options = pretend_options();
  options.library = &without;
  expect_none(over_nccl(
      2,
      [](Communicator& rank, Context&) {
        Context control;
        std::int64_t x = rank.rank();
        const auto group = rank.split(0);
        group->all_reduce(control, Tensor(&x, DType::I64, {1}));
        EXPECT_EQ(x, 1);
      },
      options));
}

TEST(NcclRanks, OtherVersionsAreNamed) {
  static NcclLibrary other = pretend::nccl();
  other.version = [] { return std::string("2.19.3"); };
  const int port = free_port();
  const auto make = [&](int rank) {
    NcclOptions options = pretend_options();
    if (rank == 1) options.library = &other;
    return make_nccl_ranks({rank, 2, "127.0.0.1", port}, options);
  };
  for (const std::string& error : on_all(2, make, Device::Cuda, [](Communicator&, Context&) {})) {
    EXPECT_EQ(error, "rank 1 has NCCL 2.19.3, rank 0 has 0.0.1");
  }
}

TEST(NcclRanks, AProcessThatIsKilledIsNamedAtOnce) {
  pretend::have_gpu_memory();
  const int port = free_port();
  const pid_t child = ::fork();  // before this process has threads
  if (child == 0) {
    try {
      const auto ranks = make_nccl_ranks({1, 2, "127.0.0.1", port}, pretend_options());
      Context control;
      ranks->barrier(control);
      ::pause();
    } catch (const std::exception&) {
    }
    ::_exit(1);
  }
  const auto ranks = make_nccl_ranks({0, 2, "127.0.0.1", port}, pretend_options());
  Context control;
  ranks->barrier(control);
  std::jthread killer([&] { ::kill(child, SIGKILL); });
  try {
    ranks->barrier(control);
    FAIL() << "nobody can have come";
  } catch (const Error& error) {
    EXPECT_EQ(error.what_failed(), fmt::format("rank 1 (process {} on host {}) has gone without a "
                                               "word",
                                               child, host_name()));
  }
  ::waitpid(child, nullptr, 0);
}

/// A process whose main thread cannot be called back ends all the same.
TEST(NcclRanks, AProcessThatWaitsForTheLostEnds) {
  const int port = free_port();
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      NcclOptions options = pretend_options();
      options.end_after = 200ms;
      const auto ranks = make_nccl_ranks({1, 2, "127.0.0.1", port}, options);
      Context control;
      ranks->barrier(control);
      for (;;) ::pause();
    } catch (const std::exception&) {
    }
    ::_exit(1);
  }
  const auto ranks = make_nccl_ranks({0, 2, "127.0.0.1", port}, pretend_options());
  Context control;
  ranks->barrier(control);
  ranks->abort("no memory");
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 70) << status;
}

TEST(NcclRanks, TorchrunKeepsItsPort) {
  ::unsetenv("TORCHELASTIC_USE_AGENT_STORE");
  EXPECT_EQ(store_port(29500), 29500);
  ::setenv("TORCHELASTIC_USE_AGENT_STORE", "True", 1);
  EXPECT_EQ(store_port(29500), 29501);
  ::setenv("TORCHELASTIC_USE_AGENT_STORE", "False", 1);
  EXPECT_EQ(store_port(29500), 29500);
  ::unsetenv("TORCHELASTIC_USE_AGENT_STORE");
}

TEST(NcclRanks, EachRankSeesItsGpu) {
  EXPECT_EQ(gpu_of_rank("", 0), "0");
  EXPECT_EQ(gpu_of_rank("", 3), "3");
  EXPECT_EQ(gpu_of_rank("4,6,GPU-1a2b", 1), "6");
  EXPECT_EQ(gpu_of_rank("4,6,GPU-1a2b", 2), "GPU-1a2b");
  EXPECT_EQ(gpu_of_rank("5", 3), "5");  // each process was given its own
  try {
    gpu_of_rank("4,6", 2);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what_failed(),
              "rank 2 of this host has no GPU: CUDA_VISIBLE_DEVICES names 2 (\"4,6\")");
  }
}

}  // namespace
}  // namespace tessera
