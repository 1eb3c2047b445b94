// SPDX-License-Identifier: MIT
// Stops runs of sweeps that fall behind, where the sweep asks for it. For the process that holds
// the queue, which looks now and then.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "core/events/events.h"
#include "core/events/step_fold.h"
#include "core/launch/sweep.h"
#include "core/run/run_folder.h"

namespace tessera::app {

/// Records of the user's sweeps.
std::filesystem::path sweeps_folder();

class SweepStops {
 public:
  /// Cheap where no sweep has a rule, and where it is not yet time to look again.
  void look();

 private:
  /// A log as far as it was read.
  struct Followed {
    explicit Followed(const std::filesystem::path& log);
    void read_on();
    EventReader reader;
    StepFold fold;
    LossCurve curve;
  };
  void look_at(SweepRecord record);
  const LossCurve& curve_of(const std::filesystem::path& run);

  std::map<std::string, std::unique_ptr<Followed>> followed_;
  std::chrono::steady_clock::time_point looked_{};
};

}  // namespace tessera::app
