// SPDX-License-Identifier: MIT
// Whether a run was asked to stop, by a signal to any of its ranks or by a request in its folder,
// as one flag that long work can look at.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>

#include "core/run/run_folder.h"

namespace tessera {

/// Looks every quarter of a second, in a thread of its own. Requests stay in the folder: whoever
/// takes them learns which of the two kinds of stop was asked for.
class StopWatch {
 public:
  /// `signalled` may be null; it and the folder must outlive this.
  StopWatch(const RunFolder& folder, const std::atomic<bool>* signalled);

  const std::atomic<bool>& flag() const { return flag_; }
  /// The same, looked up now.
  bool look();
  /// Another rank was asked.
  void tell() { flag_ = true; }

 private:
  const RunFolder& folder_;
  const std::atomic<bool>* signalled_;
  std::atomic<bool> flag_{false};
  std::jthread thread_;  // last: it ends before what it uses
};

/// On ranks without a desk: a signal that came to this rank alone is told to the desk at the next
/// boundary of steps (RunLoop). Where none comes within some seconds, as rank 0 prepares data, is
/// paused, or a step is long, it becomes a request in the folder.
class StopRelay {
 public:
  /// `signalled` may be null; it and the folder must outlive this.
  StopRelay(const RunFolder& folder, const std::atomic<bool>* signalled,
            std::chrono::milliseconds patience = std::chrono::seconds(2));

 private:
  std::jthread thread_;
};

}  // namespace tessera
