// SPDX-License-Identifier: MIT
// What a launch tells to whoever has started it as a program: the window, or the queue.
#pragma once

#include <optional>
#include <string>

#include "core/launch/start_files.h"

namespace tessera::app {

class StartReport {
 public:
  /// `files`: what --start-files names; empty: nobody is told.
  explicit StartReport(const std::string& files);

  bool is_wanted() const { return files_.has_value(); }
  void phase(StartPhase::Kind kind, std::int64_t done = 0, std::int64_t total = 0) const;
  /// Before anything is begun elsewhere: whoever finds this start later looks for `launch` there.
  /// Throws Error where the start was given up meanwhile, as somebody else makes it anew.
  void begin(const std::string& launch) const;
  /// The run is known; `folder` is its folder here.
  void begun(const std::string& folder) const;

 private:
  std::optional<StartFiles> files_;
};

/// How many of a launch's ranks are there.
class RankCount {
 public:
  RankCount(const StartReport& report, int world);
  /// A rank was started.
  void one_more();

 private:
  const StartReport& report_;
  int world_, begun_ = 0;
};

}  // namespace tessera::app
