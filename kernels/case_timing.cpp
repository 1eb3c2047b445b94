// SPDX-License-Identifier: MIT
// How long cases take.
#include <algorithm>
#include <chrono>
#include <span>
#include <thread>

#include "core/base/error.h"
#include "core/base/op.h"
#include "kernels/cases.h"

namespace tessera::kernels {

namespace {
constexpr std::chrono::milliseconds kPause{250};  // before a GPU is timed
constexpr std::size_t kFewSamples = 21;           // each takes 2 ms or one call

double median(std::span<const double> of) {
  std::vector<double> sorted(of.begin(), of.end());
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}
}  // namespace

void CaseRun::time(const std::function<void(Context&)>& call) {
  using Clock = std::chrono::steady_clock;
  const double budget = timing_.seconds;
  const auto wait = [this] {
    if (context_.device == Device::Cuda) wait_for_cuda();
  };
  const auto measure = [&](std::int64_t calls) {
    const auto start = Clock::now();
    for (std::int64_t i = 0; i < calls; ++i) call(context_);
    wait();
    return std::chrono::duration<double>(Clock::now() - start).count() / static_cast<double>(calls);
  };
  wait();
  measure(1);  // first touch, caches, plans of libraries
  const double once = std::max(measure(1), 1e-7);
  const auto calls = static_cast<std::int64_t>(std::clamp(2e-3 / once, 1.0, 1e4));
  if (context_.device == Device::Cuda) std::this_thread::sleep_for(kPause);
  std::vector<double> samples;
  const auto end = Clock::now() + std::chrono::duration<double>(budget);
  const auto latest = end + std::chrono::duration<double>(4 * budget);
  do {
    samples.push_back(measure(calls));
  } while (Clock::now() < end || (samples.size() < 5 && Clock::now() < latest));
  const std::span all(samples);
  const std::size_t few = std::min(kFewSamples, all.size());
  timing_.seconds_rested = median(all.first(few));
  // On the CPU nothing runs out of power, and more samples say more.
  timing_.seconds = median(context_.device == Device::Cuda ? all.last(few) : all);
}

CaseTiming time_case(const Case& the_case, Device device, double budget_seconds) {
  CaseTiming timing;
  timing.op = the_case.op;
  timing.label = the_case.label;
  timing.dtype = the_case.dtype;
  timing.message = why_not(the_case, device);
  if (!timing.message.empty()) return timing;
  try {
    Arena scratch(CaseRun::kScratchBytes, device);
    CaseRun run(the_case, CaseRun::Mode::Time, device, scratch);
    run.timing_.seconds = budget_seconds;
    the_case.body(run);
    timing.seconds = run.timing_.seconds;
    timing.seconds_rested = run.timing_.seconds_rested;
    timing.gflops_per_s = the_case.flops / timing.seconds * 1e-9;
    timing.gflops_per_s_rested = the_case.flops / timing.seconds_rested * 1e-9;
    timing.gbytes_per_s = the_case.bytes / timing.seconds * 1e-9;
  } catch (const std::exception& error) {
    timing.message = error.what();
  }
  return timing;
}

}  // namespace tessera::kernels
