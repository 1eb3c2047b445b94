// SPDX-License-Identifier: MIT
#include "app/threads.h"

#include <limits.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sstream>
#include <string>
#include <thread>

#include "core/base/error.h"
#include "core/base/processors.h"
#include "core/base/rank_environment.h"

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

/// Names what prepare_threads() has set, one behind the other.
constexpr const char* kOwn = "TESSERA_THREADS_SET";

void set_default(const char* name, const std::string& value) {
  if (std::getenv(name)) return;
  const char* own = std::getenv(kOwn);
  ::setenv(kOwn, (own ? std::string(own) + " " + name : std::string(name)).c_str(), 1);
  ::setenv(name, value.c_str(), 1);
}

/// Processors for this process; for its share of them where it is one of several ranks.
int threads_of_this_process() {
  try {
    const auto place = rank_environment();
    if (!place || place->local_size == 1) return usable_threads();
    return threads_of_rank(allowed_processors(), allowed_processors(::getppid()), cpu_quota(),
                           place->local_size);
  } catch (const Error&) {
    return usable_threads();  // whoever connects the ranks tells what is wrong with the variables
  }
}
}  // namespace

std::vector<std::string> own_thread_variables() {
  std::vector<std::string> names;
  const char* own = std::getenv(kOwn);
  std::istringstream words(own ? own : "");
  for (std::string name; words >> name;) names.push_back(name);
  if (own) names.push_back(kOwn);
  return names;
}

void use_threads(const RunSpec& spec) {
  if (spec.host.threads > 0) omp_set_num_threads(static_cast<int>(spec.host.threads));
}

void prepare_threads(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT")) return;
  // Whoever says how to wait, as the studio does for its chat, has not said how many threads.
  const bool waits_as_told = std::getenv("OMP_WAIT_POLICY") != nullptr;
  const int threads = threads_of_this_process();
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
