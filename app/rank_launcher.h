// SPDX-License-Identifier: MIT
// A run on several ranks of this machine: starts them, shows what they do, and says which rank it
// was when something goes wrong.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>

#include "core/events/events.h"
#include "core/run/run_folder.h"

namespace tessera::app {

struct LaunchOptions {
  int ranks = 2;
  std::int64_t most_steps = 0;
  std::filesystem::path timeline{};  ///< see TrainRunOptions::timeline; empty: none
  std::function<void(const EventBody&)> on_event;
  const std::atomic<bool>* stop = nullptr;  ///< the run saves and stops when it is set
};

/// Trains as train_run() does, in processes of their own, and goes on from the last checkpoint
/// after a fault as often as host.restart says. Finished or Stopped. Throws Error naming the rank,
/// its host and the call that it was in; no process is left then.
RunState launch_ranks(const RunFolder& folder, const LaunchOptions& options);

}  // namespace tessera::app
