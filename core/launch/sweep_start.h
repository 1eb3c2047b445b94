// SPDX-License-Identifier: MIT
// A sweep is begun: its runs are made of one spec, checked, written down and queued. The command
// `tessera sweep` and the studio's dialog do it with the same functions.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/launch/queue_file.h"
#include "core/launch/sweep.h"
#include "core/spec/spec.h"

namespace tessera {

struct SweepOrder {
  std::string tag;
  SweepPlan plan;
  StopRule rule = StopRule::None;
  std::int64_t after = 0;  ///< steps before a run can be stopped; 0: a quarter of a run
};

/// The spec with these settings ("optimiser.clip=0.5") in it. Throws Error where one does not fit.
using SpecWith = std::function<RunSpec(const std::vector<std::string>& settings)>;

struct SweepRuns {
  std::vector<std::vector<std::string>> settings;
  std::vector<RunSpec> specs;  ///< with the names NAME-01, NAME-02, ... and the tag
};

/// The number of runs, without making their specs. Throws Error where nothing differs between them,
/// without a tag, and as sweep_settings() does.
std::vector<std::vector<std::string>> sweep_settings_of(const SweepOrder& order);
/// All runs, each checked. Throws Error as sweep_settings_of() and `spec_with` do.
SweepRuns sweep_runs(const SweepOrder& order, const SpecWith& spec_with);

/// Writes the sweep down in `folder` (the same tag again adds runs to it) and queues its runs, all
/// or none. Throws Error where one of the two files cannot be written.
void queue_sweep(const SweepOrder& order, const SweepRuns& runs,
                 const std::filesystem::path& folder, QueueFile& queue);

}  // namespace tessera
