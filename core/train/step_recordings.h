// SPDX-License-Identifier: MIT
// Forward and backward of micro-batches as CUDA graphs: a small model's step is a few thousand
// launches, which the host gives out more slowly than the GPU works.
#pragma once

#include <deque>
#include <functional>

#include "core/base/recording.h"
#include "core/model/model.h"

namespace tessera {

class StepRecordings {
 public:
  /// What the launches of a micro-batch depend on. Whatever else they read lives at addresses that
  /// do not change until clear().
  struct Key {
    const void* memory = nullptr;  ///< where the micro-batch's integers lie
    std::int64_t tokens = 0, sequences = 0, max_length = 0;
    Objective objective;
    bool weighted = false;  ///< tokens have weights
    bool first = true;      ///< the first one of its step writes some gradients, others add to them
    bool operator==(const Key&) const = default;
  };

  /// Runs `work`: as it is the first time, recorded the second, from then on as one launch. Work
  /// that cannot be recorded is run as it is, and a warning says so once. On the CPU and under a
  /// profile: as it is.
  void run(Context& context, const Key& key, const std::function<void()>& work);
  /// To be called when memory that the work reads or writes has moved.
  void clear() { entries_.clear(); }
  /// Off: everything runs as it is.
  void enable(bool on) { enabled_ = on; }
  /// Micro-batches that were one launch, so far.
  std::int64_t replayed() const { return replayed_; }

 private:
  struct Entry {
    Key key;
    std::size_t workspace_bytes = 0;  ///< operations' workspaces: they move when they grow
    Recording recording;
  };
  std::deque<Entry> entries_;  ///< the last few shapes, newest last
  bool enabled_ = true;
  std::int64_t replayed_ = 0;
};

}  // namespace tessera
