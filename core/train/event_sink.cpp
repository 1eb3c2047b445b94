// SPDX-License-Identifier: MIT
#include "core/train/event_sink.h"

#include <chrono>

#include "core/base/error.h"
#include "core/base/log.h"

namespace tessera {

EventSink::EventSink(const RunFolder& folder, std::function<void(const EventBody&)> listener)
    : listener_(std::move(listener)), writer_(folder.events_path()) {
  if (writer_.cut_bytes() > 0) {
    message("warning", fmt::format("{} bytes of an unfinished event were cut off the log",
                                   writer_.cut_bytes()));
  }
  heart_ = std::jthread([this](const std::stop_token& stop) { beat(stop); });
}

EventSink::~EventSink() = default;

void EventSink::emit(const EventBody& body) {
  const std::lock_guard lock(mutex_);
  writer_.append(body);
  if (listener_) listener_(body);
}

void EventSink::state(RunState state, std::string reason) {
  StateEvent event;
  {
    const std::lock_guard lock(mutex_);
    state_ = state;
    event.step = step_;
  }
  event.state = state;
  event.reason = std::move(reason);
  event.ranks_ready = 1;
  emit(event);
}

void EventSink::message(std::string level, std::string text) {
  if (level == "info") {
    log::info("{}", text);
  } else {
    log::warning("{}", text);
  }
  emit(MessageEvent{std::move(level), std::move(text), 0});
}

void EventSink::set_step(std::int64_t step) {
  const std::lock_guard lock(mutex_);
  step_ = step;
}

void EventSink::beat(const std::stop_token& stop) {
  const ProcessId self = this_process();
  while (!stop.stop_requested()) {
    HeartbeatEvent event{self.pid, self.host, self.boot_id, RunState::Running, -1};
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, std::chrono::seconds(5), [] { return false; });
      if (stop.stop_requested()) return;
      event.state = state_;
      event.step = step_;
    }
    try {
      emit(event);
    } catch (const Error& error) {
      // The trainer meets the same disk at its next event, and ends the run with the reason.
      log::warning("heartbeat: {}", error.what());
    }
  }
}

}  // namespace tessera
