// SPDX-License-Identifier: MIT
// Ranks that are GPUs, on a machine that has some: one process for each, started with RANK,
// WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT as torchrun sets them (tests/gpu/ranks.sh).
//
//   nccl_suite cases        what every transport must do, on the GPU, and recorded as a CUDA graph
//   nccl_suite bandwidth    rates of 1 to 256 MB a peer, a line of JSON each
//   nccl_suite wait         sums without end, to be killed
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/base/recording.h"
#include "core/base/transfer.h"
#include "distributed/nccl/nccl_ranks.h"
#include "tests/distributed/device_cases.h"

namespace tessera {
namespace {

using Clock = std::chrono::steady_clock;

int number_of(const char* variable) {
  const char* value = std::getenv(variable);
  require(value && *value, "nccl_suite", "{} is not set", variable);
  return std::atoi(value);
}

/// The same calls recorded once and run again and again.
void recorded(Communicator& ranks, Context& context) {
  constexpr std::int64_t kRows = 1000, kWidth = 8;
  const std::int64_t size = ranks.size();
  const Buffer memory(static_cast<std::size_t>(2 * size * kRows * kWidth) * sizeof(float),
                      Device::Cuda);
  const Tensor all = memory.view(DType::F32, {2 * size * kRows, kWidth});
  const Tensor from = all.slice(0, 0, size * kRows),
               to = all.slice(0, size * kRows, 2 * size * kRows);
  const std::vector<std::int64_t> rows(static_cast<std::size_t>(size), kRows);
  const auto work = [&] {
    ranks.all_to_all(context, from, rows, to, rows);
    ranks.all_reduce(context, to);
  };
  const auto check = [&](int turn) {
    std::vector<float> values(static_cast<std::size_t>(size * kRows * kWidth));
    for (float& value : values) value = static_cast<float>(ranks.rank() + turn);
    copy_from_host(values.data(), from);
    return [&, turn] {
      ranks.settle(context);
      // Each rank got run r from rank r, all the same, and all ranks are summed.
      const std::vector<float> seen = host_values<float>(to);
      for (std::int64_t r = 0; r < size; ++r) {
        const auto wanted = static_cast<float>(size * (r + turn));
        const float value = seen[static_cast<std::size_t>(r * kRows * kWidth)];
        require(value == wanted, "recorded", "turn {}: run {} is {}, not {}", turn, r, value,
                wanted);
      }
    };
  };
  const auto tell = [&](const char* what) {
    if (ranks.rank() == 0) std::printf("  %s\n", what);
    std::fflush(stdout);
  };
  const auto first = check(1);
  work();  // as it is: nothing is left to be made when it is recorded
  first();
  std::string failure;
  const Recording recording = Recording::of(context, work, failure);
  tell("is recorded");
  require(bool(recording), "recorded", "CUDA cannot record the calls: {}", failure);
  for (int turn = 2; turn < 12; ++turn) {
    const auto then = check(turn);
    recording.run(context);
    then();
    if (turn == 2) tell("runs");
  }
}

void cases(Communicator& ranks, Context& context) {
  const auto tell = [&](const char* name) {
    if (ranks.rank() == 0) std::printf("%s\n", name);
    std::fflush(stdout);
  };
  device_cases::run(ranks, context, tell);
  tell("recorded");
  recorded(ranks, context);
  if (ranks.rank() == 0) {
    std::printf("%d cases on %d GPUs, 0 failed\n", device_cases::count() + 1, ranks.size());
  }
}

/// Seconds of one call, where many are given out one behind the other.
double seconds_of(Communicator& ranks, Context& context, int turns,
                  const std::function<void()>& call) {
  for (int i = 0; i < 5; ++i) call();
  ranks.settle(context);
  Context control;
  ranks.barrier(control);
  const auto start = Clock::now();
  for (int i = 0; i < turns; ++i) call();
  ranks.settle(context);
  return std::chrono::duration<double>(Clock::now() - start).count() / turns;
}

/// Rates count the bytes that cross between GPUs: what a GPU sends to others, and for all_reduce
/// twice that share of it, as nccl-tests' "bus bandwidth" does.
void bandwidth(Communicator& ranks, Context& context) {
  const std::int64_t size = ranks.size();
  const auto others = static_cast<double>(size - 1) / static_cast<double>(size);
  constexpr std::int64_t kMost = std::int64_t{256} << 20, kWidth = 1024;
  const auto elements = size * kMost / std::int64_t{sizeof(float)};
  const Buffer a(static_cast<std::size_t>(elements) * sizeof(float), Device::Cuda);
  const Buffer b(static_cast<std::size_t>(elements) * sizeof(float), Device::Cuda);
  const Tensor from = a.view(DType::F32, {elements}), to = b.view(DType::F32, {elements});
  const auto tell = [&](const char* name, std::int64_t bytes, double seconds, double moved) {
    if (ranks.rank() != 0) return;
    std::printf(
        "{\"by\": \"tessera\", \"op\": \"%s\", \"bytes_a_peer\": %lld, \"us\": %.1f, "
        "\"gb_s\": %.1f}\n",
        name, static_cast<long long>(bytes), 1e6 * seconds, moved / seconds / 1e9);
    std::fflush(stdout);
  };
  for (std::int64_t bytes = 1 << 20; bytes <= kMost; bytes *= 4) {
    const std::int64_t share = bytes / std::int64_t{sizeof(float)}, all = share * size;
    const auto total = static_cast<double>(bytes * size);
    const int turns = bytes >= (64 << 20) ? 20 : 50;
    const Tensor x = from.slice(0, 0, all), y = to.slice(0, 0, all);
    const std::vector<std::int64_t> rows(static_cast<std::size_t>(size), share / kWidth);
    const Tensor send = x.reshape({all / kWidth, kWidth}), take = y.reshape({all / kWidth, kWidth});
    const auto time = [&](const auto& call) { return seconds_of(ranks, context, turns, call); };
    tell("all_to_all", bytes, time([&] { ranks.all_to_all(context, send, rows, take, rows); }),
         total * others);
    tell("all_reduce", bytes, time([&] { ranks.all_reduce(context, x); }), 2 * total * others);
    tell("all_gather", bytes, time([&] { ranks.all_gather(context, x.slice(0, 0, share), y); }),
         total * others);
    tell("reduce_scatter", bytes,
         time([&] { ranks.reduce_scatter(context, x, y.slice(0, 0, share)); }), total * others);
  }
  const Tensor one = from.slice(0, 0, 1);
  tell("all_reduce of one number", 4,
       seconds_of(ranks, context, 200, [&] { ranks.all_reduce(context, one); }), 4);
  Context control;
  std::int64_t order[2] = {};
  const Tensor host(order, DType::I64, {2});
  tell("order of rank 0", 16,
       seconds_of(ranks, context, 200, [&] { ranks.broadcast(control, host, 0); }), 16);
}

void wait_to_be_killed(Communicator& ranks, Context& context) {
  const Buffer memory(std::size_t{64} << 20, Device::Cuda);
  const Tensor x = memory.view(DType::F32, {std::int64_t{16} << 20});
  for (std::int64_t i = 0;; ++i) {
    ranks.all_reduce(context, x);
    ranks.settle(context);
    if (i == 100) {
      std::printf("rank %d is at work\n", ranks.rank());
      std::fflush(stdout);
    }
  }
}

int run(const std::string& what) {
  const NcclPlace place{number_of("RANK"), number_of("WORLD_SIZE"), std::getenv("MASTER_ADDR"),
                        number_of("MASTER_PORT")};
  see_gpu_of_rank(number_of("LOCAL_RANK"));
  load_cuda_backend();
  const Stream stream(Device::Cuda);
  Context context{.device = Device::Cuda, .stream = stream.handle()};
  const std::unique_ptr<Communicator> ranks = make_nccl_ranks(place);
  try {
    if (what == "cases") {
      cases(*ranks, context);
    } else if (what == "bandwidth") {
      bandwidth(*ranks, context);
    } else if (what == "wait") {
      wait_to_be_killed(*ranks, context);
    } else {
      throw Error("nccl_suite", "expected cases, bandwidth or wait");
    }
  } catch (const std::exception& error) {
    ranks->abort(error.what());
    throw;
  }
  return 0;
}

}  // namespace
}  // namespace tessera

int main(int argc, char** argv) {
  try {
    return tessera::run(argc == 2 ? argv[1] : "");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
