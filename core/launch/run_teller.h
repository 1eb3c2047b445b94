// SPDX-License-Identifier: MIT
// The far end of a mirror: tells what stands in a run folder, and what comes, as RunWords.
//
// A log is appended to by one process and read here, so that nothing that is told was not written.
// What a desk says that it has is held against the log first: after a crash of the host, or where
// a folder was made anew under the same name, the same numbers may stand for other events.
#pragma once

#include <atomic>
#include <filesystem>

#include "core/launch/run_words.h"
#include "core/run/run_folder.h"

namespace tessera {

struct TellOptions {
  int in =
      -1;  ///< the desk's requests, "ping" or "ask NAME" a line; its end ends the telling; -1: none
  int out = 1;
  std::uint64_t from = 0;  ///< events with lower numbers are not told
  const std::atomic<bool>* stop = nullptr;
  double beat_s = 2;         ///< so that a silent run and a dead line can be told apart
  double linger_s = 0;       ///< goes on for so long after the run has ended: it may begin again
  double gone_after_s = 45;  ///< a network file system shows a folder late, or not for a moment
  /// A run that no process has begun, and no job of Slurm is to begin, is followed for so long.
  double unstarted_s = 60;
};

/// Tells until the run has ended (or all has been told, where nothing is to be followed), until
/// nobody is there who would begin it, until the folder is gone, or until nobody listens. Throws
/// Error for a log that cannot be read.
void tell_run(const RunFolder& folder, const RunAsk& ask, const TellOptions& options);

/// The run that is meant, as RunFolder::find(). A folder that is not there is looked for again for
/// `patience_s`, with its parent listed each time: that makes a network file system look anew.
RunFolder find_told_run(const std::string& run, const std::filesystem::path& runs,
                        double patience_s);

}  // namespace tessera
