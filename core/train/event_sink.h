// SPDX-License-Identifier: MIT
// The events of a run in progress, with a heartbeat beside them.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "core/run/events.h"
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
  /// The step that heartbeats and states report.
  void set_step(std::int64_t step);

 private:
  void beat(const std::stop_token& stop);

  std::function<void(const EventBody&)> listener_;
  std::mutex mutex_;
  EventWriter writer_;
  RunState state_ = RunState::Starting;
  std::int64_t step_ = -1;
  std::condition_variable_any wake_;
  std::jthread heart_;  // last: it ends before what it uses
};

}  // namespace tessera
