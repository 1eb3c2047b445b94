// SPDX-License-Identifier: MIT
// A run from its folder: data, steps, validation, samples, checkpoints, requests from outside,
// spikes, and everything of it in events.log.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "core/base/collective.h"
#include "core/data/build.h"
#include "core/run/events.h"
#include "core/run/run_folder.h"

namespace tessera {

struct TrainRunOptions {
  /// Called with every event after it is in the log, and with the progress of the data build.
  std::function<void(const EventBody&)> on_event;
  std::function<void(const data::BuildProgress&)> on_build;
  /// Set by a signal handler: save and stop at the next step.
  const std::atomic<bool>* stop = nullptr;
  /// Ends after this many steps of this process, with a checkpoint; 0: when the curriculum ends.
  std::int64_t most_steps = 0;
};

/// Trains until the curriculum ends or somebody asks to stop, from the newest whole checkpoint of
/// the folder, else from the checkpoint it was forked from, else from the start. Returns Finished
/// or Stopped. What goes wrong is in the log as Failed with its reason when Error is thrown.
RunState train_run(const RunFolder& folder, Collective& ranks, const TrainRunOptions& options);

}  // namespace tessera
