// SPDX-License-Identifier: MIT
#include "core/train/stop_watch.h"

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/progress.h"

namespace tessera {

StopWatch::StopWatch(const RunFolder& folder, const std::atomic<bool>* signalled)
    : folder_(folder), signalled_(signalled) {
  thread_ = std::jthread([this](const std::stop_token& end) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    while (!look()) {
      wake.wait_for(lock, end, std::chrono::milliseconds(250), [] { return false; });
      if (end.stop_requested()) return;
    }
  });
}

bool StopWatch::look() {
  if (!flag_ && (is_set(signalled_) || stop_requested(folder_))) flag_ = true;
  return flag_;
}

StopRelay::StopRelay(const RunFolder& folder, const std::atomic<bool>* signalled,
                     std::chrono::milliseconds patience) {
  if (!signalled) return;
  thread_ = std::jthread([&folder, signalled, patience](const std::stop_token& end) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    const auto wait = [&](std::chrono::milliseconds time) {
      wake.wait_for(lock, end, time, [] { return false; });
      return !end.stop_requested();
    };
    while (!is_set(signalled)) {
      if (!wait(std::chrono::milliseconds(250))) return;
    }
    if (!wait(patience) || stop_requested(folder)) return;
    try {
      request_control(folder, Control::StopSaving);
    } catch (const Error& error) {
      log::warning("this rank was asked to stop, and cannot hand that on: {}", error.what());
    }
  });
}

}  // namespace tessera
