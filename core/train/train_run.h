// SPDX-License-Identifier: MIT
// A run from its folder: data, steps, validation, samples, checkpoints, requests from outside,
// spikes, and everything of it in events.log.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "core/base/communicator.h"
#include "core/base/patience.h"
#include "core/events/events.h"
#include "core/run/run_folder.h"
#include "core/train/step_timeline.h"

namespace tessera {

struct TrainRunOptions {
  /// Called with every event after it is in the log.
  std::function<void(const EventBody&)> on_event;
  /// See PrepareOptions::cache.
  std::filesystem::path cache;
  /// Set when a signal comes: the run saves and stops, within seconds, whatever it is doing.
  const std::atomic<bool>* stop = nullptr;
  /// How long the step in progress may go on when a stop was asked for, before it is given up.
  std::chrono::milliseconds patience = kUsualPatience;
  /// Version and commit of the program, which must be the same on all ranks.
  std::string build;
  /// Whoever started the ranks holds the folder's RunLock for them.
  bool locked = false;
  /// Ends after this many steps of this process, with a checkpoint; 0: when the curriculum ends.
  std::int64_t most_steps = 0;
  /// What the first steps of all ranks did and when, as one file.
  std::optional<TimelineRequest> timeline;
};

/// Trains until the curriculum ends or somebody asks to stop, from the newest whole checkpoint of
/// the folder, else from the checkpoint it was forked from, else from the start. Returns Finished
/// or Stopped. What goes wrong is in the log as Failed with its reason when Error is thrown.
///
/// A step that is not finite, and with stability.rollback a spike, is never trained on: the run
/// goes back to its newest checkpoint, at most stability.max_rollbacks times to the same one, or
/// fails. Weights that are not finite are never saved.
RunState train_run(const RunFolder& folder, Communicator& ranks, const TrainRunOptions& options);

}  // namespace tessera
