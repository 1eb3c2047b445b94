// SPDX-License-Identifier: MIT
// Spikes of a run as a person counts them: a loss that stays high for some steps is one.
#pragma once

#include <cstdint>
#include <vector>

#include "core/events/events.h"

namespace tessera {

struct SpikeEpisode {
  SpikeEvent first;            ///< where it began
  std::int64_t last_step = 0;  ///< the newest step that belongs to it
};

/// `spikes` are events of the kind SpikeEvent in the order of the log; others are passed over.
/// Spikes belong together where at most kQuietSteps steps lie between them.
inline constexpr std::int64_t kQuietSteps = 8;
std::vector<SpikeEpisode> spike_episodes(const std::vector<Event>& spikes);

}  // namespace tessera
