// SPDX-License-Identifier: MIT
#include "app/threads.h"

#include <limits.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "core/base/processors.h"

namespace tessera::app {

namespace {
/// Long enough for nearly all waits of a machine that has nothing else to do, short against the
/// milliseconds for which the scheduler lets a program run.
constexpr double kSpin_us = 50;

/// What one turn of libgomp's spinning takes; it differs between processors by a factor of ten.
double turn_us() {
  using Clock = std::chrono::steady_clock;
  constexpr int kTurns = 500;
  double least = 1e9;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto start = Clock::now();
    for (int i = 0; i < kTurns; ++i) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#else
      __asm__ volatile("" ::: "memory");
#endif
    }
    least =
        std::min(least, std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  return std::max(least / kTurns, 1e-4);
}

void set_default(const char* name, const std::string& value) {
  ::setenv(name, value.c_str(), /*overwrite=*/0);
}
}  // namespace

void use_threads(const RunSpec& spec) {
  if (spec.host.threads > 0) omp_set_num_threads(static_cast<int>(spec.host.threads));
}

void prepare_threads(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT")) return;
  // Whoever says how to wait, as the studio does for its chat, has not said how many threads.
  const bool waits_as_told = std::getenv("OMP_WAIT_POLICY") != nullptr;
  const int threads = usable_threads();
  const bool fewer = threads < static_cast<int>(std::thread::hardware_concurrency()) &&
                     std::getenv("OMP_NUM_THREADS") == nullptr;
  if (waits_as_told && !fewer) return;
  char program[PATH_MAX + 1] = {};
  if (::readlink("/proc/self/exe", program, PATH_MAX) <= 0) return;
  if (!waits_as_told) {
    set_default("GOMP_SPINCOUNT", std::to_string(static_cast<long>(kSpin_us / turn_us())));
  }
  if (fewer) set_default("OMP_NUM_THREADS", std::to_string(threads));
  ::execv(program, argv);  // returns only where it failed: then all goes on as it was
}

}  // namespace tessera::app
