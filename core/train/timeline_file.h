// SPDX-License-Identifier: MIT
// Timelines of all ranks in one file that Perfetto (ui.perfetto.dev) and chrome://tracing open.
#pragma once

#include <cstdint>
#include <filesystem>

#include "core/base/communicator.h"
#include "core/base/timeline.h"

namespace tessera {

/// A rank's clock against that of rank 0.
struct ClockOffset {
  std::int64_t ahead_ns = 0;        ///< to be taken from this rank's times
  std::int64_t uncertainty_ns = 0;  ///< the truth is not further away than this
};

/// Rank 0 answers each rank some times; the answer that came back soonest says most. A collective
/// call.
ClockOffset measure_clock(Communicator& ranks, const Timeline& timeline);

/// Rank 0 writes the spans of all ranks to `file`, each rank as a process of the trace, times by
/// the clock of rank 0. A collective call; throws Error on every rank where the file cannot be
/// written.
void write_timeline(Communicator& ranks, const Timeline& timeline, const ClockOffset& clock,
                    const std::filesystem::path& file);

}  // namespace tessera
