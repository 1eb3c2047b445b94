// SPDX-License-Identifier: MIT
#include "kernels/product/read_bandwidth.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>

#include "core/base/memory.h"
#include "core/base/threads.h"

namespace tessera::kernels {

namespace {
constexpr std::int64_t kWordsOfStep = 64;

/// Sums by sixteen, so that no addition waits for another.
std::uint64_t sum_of(const std::uint64_t* words, std::int64_t count) {
  std::uint64_t sums[16] = {};
  for (std::int64_t i = 0; i + 16 <= count; i += 16) {
#pragma omp simd
    for (int lane = 0; lane < 16; ++lane) sums[lane] += words[i + lane];
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t lane : sums) sum += lane;
  return sum;
}
}  // namespace

double measure_read_bandwidth() {
  using Clock = std::chrono::steady_clock;
  constexpr std::size_t kBytes = std::size_t{512} << 20;
  constexpr int kPasses = 6;
  const Buffer memory(kBytes);
  auto* words = static_cast<std::uint64_t*>(memory.data());
  const std::int64_t steps = static_cast<std::int64_t>(kBytes / sizeof(*words)) / kWordsOfStep;
  // Pages that nobody wrote to are all one page, which the processor's cache holds.
  parallel_for(steps, 1, [&](std::int64_t from, std::int64_t to) {
    std::fill(words + from * kWordsOfStep, words + to * kWordsOfStep, std::uint64_t{1});
  });
  double best = 0;
  std::atomic<std::uint64_t> sum{0};
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto start = Clock::now();
    parallel_for(steps, 1, [&](std::int64_t from, std::int64_t to) {
      sum += sum_of(words + from * kWordsOfStep, (to - from) * kWordsOfStep);
    });
    const std::chrono::duration<double> took = Clock::now() - start;
    best = std::max(best, static_cast<double>(kBytes) / took.count());
  }
  // Never: it keeps the sums from being left out.
  return sum == 0 ? 0 : best;
}

}  // namespace tessera::kernels
