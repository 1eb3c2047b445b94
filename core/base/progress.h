// SPDX-License-Identifier: MIT
// How far a long piece of work has come, and how it says that it was asked to stop.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "core/base/error.h"

namespace tessera {

/// One phase of a long preparation: "reading", "vocabulary", "shards".
struct PhaseProgress {
  std::string phase;
  std::int64_t done = 0, total = 0;  ///< total 0: how much there is to do is not known
  std::string unit;                  ///< unit of done and total: "bytes", "files"; empty: none
};
using ReportPhase = std::function<void(const PhaseProgress&)>;

/// Thrown where work ends because it was asked to, not because something failed.
class Stopped : public Error {
 public:
  explicit Stopped(std::string where)
      : Error(std::move(where), "stopped on request",
              "start it again: what is finished is kept and used") {}
};

inline bool is_set(const std::atomic<bool>* stop) {
  return stop && stop->load(std::memory_order_relaxed);
}
inline void throw_if_stopped(const std::atomic<bool>* stop, const char* where) {
  if (is_set(stop)) throw Stopped(where);
}

/// True at most every 250 ms: reports of progress go by it.
class Pace {
 public:
  bool due() {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(250)) return false;
    last_ = now;
    return true;
  }

 private:
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace tessera
