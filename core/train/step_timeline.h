// SPDX-License-Identifier: MIT
// The timelines of some steps of all ranks, recorded and written as one file.
#pragma once

#include <filesystem>

#include "core/train/timeline_file.h"

namespace tessera {

struct TimelineRequest {
  std::filesystem::path file;
  std::filesystem::path kept{};  ///< a second place for it, up to `most_kept` bytes; empty: none
  std::uintmax_t most_kept = 0;
  std::int64_t steps = 10;  ///< the first ones of a process
};

class StepTimeline {
 public:
  /// Compares clocks, and writes a file without spans: that it cannot be written is told before the
  /// first step. Every rank makes one, and makes the same calls. `ranks` must outlive it.
  StepTimeline(Communicator& ranks, TimelineRequest request, Timeline timeline = Timeline());

  /// Null once the file is written.
  Timeline* timeline() { return is_written_ ? nullptr : &timeline_; }
  /// Writes the file after the last step that was asked for. A collective call.
  void end_step();
  /// Writes what is there where the run ends before. A collective call.
  void finish();

 private:
  void keep() const;
  Communicator& ranks_;
  TimelineRequest request_;
  Timeline timeline_;
  ClockOffset clock_;
  std::int64_t steps_ = 0;
  bool is_written_ = false;
};

}  // namespace tessera
