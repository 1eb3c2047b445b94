// SPDX-License-Identifier: MIT
// Loops over threads. One OpenMP team serves our loops and oneDNN's products.
#pragma once

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>

namespace tessera {

/// Calls body(from, to) on disjoint ranges that cover [0, count), on as many threads as there are
/// pieces of at least `grain`. Ranges depend on the number of threads: sums over ranges that must
/// not depend on it use fixed chunks instead (see chunked_sum in kernels that need it).
/// The first exception thrown by any thread is rethrown here.
template <class Body>
void parallel_for(std::int64_t count, std::int64_t grain, Body&& body) {
  if (count <= 0) return;
  const std::int64_t pieces = std::max<std::int64_t>(1, count / std::max<std::int64_t>(1, grain));
  const int threads = static_cast<int>(std::min<std::int64_t>(omp_get_max_threads(), pieces));
  if (threads == 1 || omp_in_parallel()) {
    body(std::int64_t{0}, count);
    return;
  }
  std::exception_ptr failure;
#pragma omp parallel num_threads(threads)
  {
    const std::int64_t id = omp_get_thread_num(), team = omp_get_num_threads();
    try {
      const std::int64_t from = count * id / team, to = count * (id + 1) / team;
      if (from < to) body(from, to);
    } catch (...) {
#pragma omp critical(tessera_parallel_for)
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

/// While it lives, this thread's loops and products run on it alone.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

/// Calls body(i) once for every i in [0, count): each thread takes the next i when it is done with
/// the one before, so tasks of unequal size keep all busy. Large ones should come first. A body
/// runs on one thread, and so do the products it calls, even where there is only one task.
template <class Body>
void parallel_tasks(std::int64_t count, Body&& body) {
  std::atomic<std::int64_t> next{0};
  parallel_for(std::min<std::int64_t>(count, omp_get_max_threads()), 1,
               [&](std::int64_t, std::int64_t) {
                 OneThread one;
                 for (std::int64_t i = next++; i < count; i = next++) body(i);
               });
}

}  // namespace tessera
