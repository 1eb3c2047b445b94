// SPDX-License-Identifier: MIT
// Private to core/tokenizer: a function that runs in a copy of this process and may be ended at any
// time without harm to this one.
#pragma once

#include <functional>
#include <string>

namespace tessera {

struct ChildOptions {
  /// Asked ten times a second; when it is true the child is killed and the result is empty.
  std::function<bool()> stopped;
  /// Each line that the child writes to its standard error, as it comes.
  std::function<void(const std::string& line)> error_line;
};

struct ChildResult {
  bool stopped = false;
  std::string output;      ///< what work() returned
  std::string failure;     ///< why there is no output: "ended by signal 9 (Killed)"; empty: none
  std::string last_words;  ///< the last line of its standard error
};

/// Runs `work` in a forked child. It must use no threads, locks or devices of this process, whose
/// other threads do not exist in the child; it may start threads of its own.
/// Throws Error when the system has no process or pipe left to give.
ChildResult run_in_child(const std::function<std::string()>& work, const ChildOptions& options);

}  // namespace tessera
