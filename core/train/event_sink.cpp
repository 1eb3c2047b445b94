// SPDX-License-Identifier: MIT
#include "core/train/event_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/log.h"

namespace tessera {

namespace {
/// Takes room on the disk for a file that is given up when there is no other room left.
void set_aside(const std::filesystem::path& path) {
  constexpr off_t kBytes = 64 << 10;
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0 || ::posix_fallocate(file, 0, kBytes) != 0) {
    log::info("{}: no room could be set aside for the run's last words", path.string());
  }
  if (file >= 0) ::close(file);
}
/// What happened, for the log's file: whoever looks there for a step of the charts finds its spike,
/// checkpoint or validation. Steps are those of the events. Empty: nothing to tell.
std::string in_words(const EventBody& body) {
  if (const auto* spike = std::get_if<SpikeEvent>(&body)) {
    return fmt::format("loss spike at step {}: {:.4f}, where about {:.4f} is usual", spike->step,
                       spike->loss, spike->usual);
  }
  if (const auto* back = std::get_if<RollbackEvent>(&body)) {
    return fmt::format("rolled back to {} after step {}: {}", back->checkpoint, back->from_step,
                       back->reason);
  }
  if (const auto* saved = std::get_if<CheckpointEvent>(&body)) {
    return fmt::format("checkpoint {} ({:.1f} MiB)", saved->path,
                       static_cast<double>(saved->bytes) / 1048576.0);
  }
  if (const auto* v = std::get_if<ValidationEvent>(&body); v && !v->sources.empty()) {
    return v->step < 0 ? fmt::format("validation before the first step: {:.4f}", v->loss)
                       : fmt::format("validation after step {}: {:.4f}", v->step, v->loss);
  }
  if (const auto* state = std::get_if<StateEvent>(&body)) {
    return std::string(name_of(state->state)) + (state->reason.empty() ? "" : ": ") + state->reason;
  }
  return {};
}
}  // namespace

EventSink::EventSink(const RunFolder& folder, std::function<void(const EventBody&)> listener)
    : listener_(std::move(listener)),
      reserve_(folder.path() / "log" / "reserve"),
      writer_(folder.events_path()) {
  set_aside(reserve_);
  if (writer_.cut_bytes() > 0) {
    message("warning", fmt::format("{} bytes of an unfinished event were cut off the log",
                                   writer_.cut_bytes()));
  }
  heart_ = std::jthread([this](const std::stop_token& stop) { beat(stop); });
}

EventSink::~EventSink() {
  ::unlink(reserve_.c_str());
}

void EventSink::emit(const EventBody& body) {
  const std::lock_guard lock(mutex_);
  writer_.append(body);
  if (const std::string words = in_words(body); !words.empty()) log::info("{}", words);
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
  // Whoever listens shows the event; the log's own line is for its file.
  log::info("{}{}", level == "info" ? "" : level + ": ", text);
  emit(MessageEvent{std::move(level), std::move(text), 0});
}

void EventSink::phase(const PhaseProgress& progress) {
  const auto now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    const bool ended = progress.total > 0 && progress.done >= progress.total;
    const bool changed = progress.phase != phase_ || ended != phase_ended_;
    if (!changed && now - phase_time_ < std::chrono::milliseconds(500)) return;
    phase_ = progress.phase;
    phase_ended_ = ended;
    phase_time_ = now;
  }
  emit(PhaseEvent{progress.phase, progress.done, progress.total, progress.unit});
}

void EventSink::failed(const std::string& reason) {
  for (const bool again : {false, true}) {
    try {
      if (again) ::unlink(reserve_.c_str());
      return state(RunState::Failed, reason);
    } catch (const Error& error) {
      log::error("the log of events: {}", error.what());
    }
  }
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
