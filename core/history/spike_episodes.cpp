// SPDX-License-Identifier: MIT
#include "core/history/spike_episodes.h"

namespace tessera {

std::vector<SpikeEpisode> spike_episodes(const std::vector<Event>& spikes) {
  std::vector<SpikeEpisode> all;
  for (const Event& event : spikes) {
    const auto* spike = std::get_if<SpikeEvent>(&event.body);
    if (!spike) continue;
    if (all.empty() || spike->step - all.back().last_step > kQuietSteps + 1) {
      all.push_back({.first = *spike, .last_step = spike->step});
    } else {
      all.back().last_step = spike->step;
    }
  }
  return all;
}

}  // namespace tessera
