// SPDX-License-Identifier: MIT
// Where a long computation asks whether it is to be given up half done.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>

#include "core/base/progress.h"

namespace tessera {

/// How long work that is lost when it is given up may go on after a stop was asked for: what ends
/// by itself in that time is kept. Whoever asks waits for a few seconds only.
inline constexpr std::chrono::milliseconds kUsualPatience{2000};

/// Use from one thread.
class Patience {
 public:
  /// `stop` may be null: then nobody asks. It must outlive this.
  explicit Patience(const std::atomic<bool>* stop,
                    std::chrono::milliseconds patience = kUsualPatience)
      : stop_(stop), patience_(patience) {}

  /// Throws Stopped when `stop` was found set longer ago than the patience lasts.
  void look(const char* where) const {
    if (!is_set(stop_)) return;
    const auto now = std::chrono::steady_clock::now();
    if (!first_seen_) first_seen_ = now;
    if (now - *first_seen_ >= patience_) throw Stopped(where);
  }

 private:
  const std::atomic<bool>* stop_;
  std::chrono::milliseconds patience_;
  mutable std::optional<std::chrono::steady_clock::time_point> first_seen_;
};

}  // namespace tessera
