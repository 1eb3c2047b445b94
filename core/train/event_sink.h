// SPDX-License-Identifier: MIT
// The events of a run in progress, with a heartbeat beside them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>

#include "core/base/progress.h"
#include "core/events/events.h"
#include "core/run/run_folder.h"

namespace tessera {

/// Writes from any thread. A heartbeat goes out every five seconds, whatever the trainer does, so
/// that a long step or a slow disk is not taken for a lost run.
class EventSink {
 public:
  EventSink(const RunFolder& folder, std::function<void(const EventBody&)> listener);
  ~EventSink();

  void emit(const EventBody& body);
  void state(RunState state, std::string reason = {});
  void message(std::string level, std::string text);
  /// How far a preparation is. Written at most twice a second, but for a phase's begin and end.
  void phase(const PhaseProgress& progress);
  /// The last thing a run says: why it failed. Where even that cannot be written, as the disk is
  /// full, the space that was set aside for it is used. Throws nothing.
  void failed(const std::string& reason);
  /// The step that heartbeats and states report.
  void set_step(std::int64_t step);

 private:
  void beat(const std::stop_token& stop);

  std::function<void(const EventBody&)> listener_;
  std::filesystem::path reserve_;  ///< a small file that makes room for the last event
  std::mutex mutex_;
  EventWriter writer_;
  RunState state_ = RunState::Starting;
  std::int64_t step_ = -1;
  std::string phase_;                                   ///< the last one written,
  bool phase_ended_ = false;                            ///< whether to its end,
  std::chrono::steady_clock::time_point phase_time_{};  ///< and when
  std::condition_variable_any wake_;
  std::jthread heart_;  // last: it ends before what it uses
};

}  // namespace tessera
