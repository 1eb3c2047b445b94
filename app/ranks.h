// SPDX-License-Identifier: MIT
// This process as one rank of a run: how it finds the others, and what it leaves for whoever looks
// after a fault.
#pragma once

#include <functional>
#include <memory>

#include "core/base/communicator.h"
#include "core/base/rank_environment.h"
#include "core/launch/rank_counts.h"
#include "core/run/run_folder.h"
#include "core/spec/spec.h"
#include "core/train/train_run.h"

namespace tessera::app {

/// The spec that `load` gives, for `ranks` ranks: parallel.data is what is left of them where the
/// spec leaves it at 1. 0 ranks: as many as the spec says. `load` gets settings to add. Throws
/// Error with both numbers where they do not fit.
RunSpec spec_for_ranks(const std::function<RunSpec(const std::vector<std::string>& more)>& load,
                       std::int64_t ranks);

/// Says that hosts which a spec names are not used, as the command names them.
void tell_of_other_hosts(const std::string& file_or_preset,
                         const std::vector<std::string>& settings);

/// The group of all ranks of a run on this spec's device.
std::unique_ptr<Communicator> connect_ranks(const RunSpec& spec, const RankEnvironment& place);

/// The folder that rank 0 names, on every rank. A collective call; what `make` throws on rank 0
/// ends all ranks.
RunFolder folder_of_all(Communicator& ranks, const std::function<RunFolder()>& make);

struct RankEnding {
  RunState state = RunState::Draft;
  bool by_signal = false;  ///< a signal came to some rank; the same on all
};
/// Trains as one of several ranks, with its record, its log, and a watch over the others.
RankEnding train_as_rank(const RunFolder& folder, Communicator& ranks,
                         const TrainRunOptions& options);

}  // namespace tessera::app
