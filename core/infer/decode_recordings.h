// SPDX-License-Identifier: MIT
// Decoding steps as CUDA graphs: a step is some two hundred launches, which the host gives out more
// slowly than the GPU works.
#pragma once

#include <cstdint>
#include <functional>
#include <list>

#include "core/base/recording.h"

namespace tessera {

/// How steps were launched, so far.
struct StepLaunches {
  std::int64_t recorded = 0;  ///< graphs that were made
  std::int64_t replayed = 0;  ///< steps that were one launch
  std::int64_t plain = 0;     ///< steps launched operation by operation
  std::int64_t refused = 0;   ///< plain ones, because CUDA cannot record them
};

class DecodeRecordings {
 public:
  /// What the launches of a step depend on. Whatever else they read lies at addresses that do not
  /// change until clear().
  struct Key {
    std::int64_t rows = 0, pages = 0;  ///< `pages`: columns of the table of pages
    bool draws = false;                ///< tokens are chosen on the device
    const void* logits = nullptr;
    const void* rotary = nullptr;  ///< the tables: YaRN switches them
    bool operator==(const Key&) const = default;
  };

  /// At most this many graphs are kept; the one not used for longest goes.
  explicit DecodeRecordings(std::size_t most = 64) : most_(most) {}

  /// Runs `work`: as it is the first time, recorded and run the second, from then on as one launch.
  /// On the CPU, without a stream, or under a profile: as it is.
  void run(Context& context, const Key& key, const std::function<void()>& work);
  /// To be called when memory that steps read or write has moved.
  void clear() { entries_.clear(); }
  /// Off: everything runs as it is.
  void enable(bool on) { enabled_ = on; }
  const StepLaunches& launches() const { return launches_; }
  std::size_t kept() const { return entries_.size(); }

 private:
  struct Entry {
    Key key;
    Recording recording;
  };
  void run_entry(Context& context, Entry& entry, const std::function<void()>& work);

  std::size_t most_;
  std::list<Entry> entries_;         ///< the last used first
  std::size_t workspace_bytes_ = 0;  ///< operations' workspaces: they move when they grow
  bool enabled_ = true;
  StepLaunches launches_;
};

}  // namespace tessera
