// SPDX-License-Identifier: MIT
#include "core/train/stop_watch.h"

#include <chrono>
#include <condition_variable>
#include <mutex>

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

}  // namespace tessera
