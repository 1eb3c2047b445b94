// SPDX-License-Identifier: MIT
// Runs on several ranks inside one process, each a thread of its own.
#pragma once

#include <gtest/gtest.h>
#include <omp.h>

#include <exception>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "core/train/train_run.h"
#include "distributed/threads/thread_ranks.h"

namespace tessera::tiny_run {

/// Calls work(rank) in a thread for each rank. What a rank throws is what it threw, by rank.
inline std::vector<std::string> on_ranks(int count,
                                         const std::function<void(Communicator&)>& work) {
  ThreadRanks ranks(count);
  std::vector<std::string> errors(static_cast<std::size_t>(count));
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      omp_set_num_threads(1);
      try {
        work(ranks.rank(i));
      } catch (const std::exception& error) {
        errors[static_cast<std::size_t>(i)] = error.what();
        ranks.rank(i).abort(error.what());
      }
    });
  }
  threads.clear();
  return errors;
}

/// Trains a run on `count` ranks, all of which must end alike, and returns how.
inline RunState train_on_ranks(int count, const RunFolder& folder,
                               const TrainRunOptions& options = {}) {
  std::vector<RunState> states(static_cast<std::size_t>(count));
  const std::vector<std::string> errors = on_ranks(count, [&](Communicator& ranks) {
    states[static_cast<std::size_t>(ranks.rank())] = train_run(folder, ranks, options);
  });
  for (const std::string& error : errors) EXPECT_EQ(error, "");
  for (const RunState state : states) EXPECT_EQ(state, states[0]);
  return states[0];
}

}  // namespace tessera::tiny_run
