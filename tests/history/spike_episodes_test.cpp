// SPDX-License-Identifier: MIT
#include "core/history/spike_episodes.h"

#include <gtest/gtest.h>

namespace tessera {
namespace {

std::vector<Event> spikes_at(const std::vector<std::int64_t>& steps) {
  std::vector<Event> events;
  for (const std::int64_t step : steps) {
    events.push_back({0, 0, SpikeEvent{step, static_cast<double>(step), 4, 0.1}});
  }
  return events;
}

TEST(SpikeEpisodes, ALossThatStaysHighIsOneSpike) {
  EXPECT_TRUE(spike_episodes({}).empty());
  const auto one = spike_episodes(spikes_at({100, 101, 102, 102 + kQuietSteps + 1}));
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0].first.step, 100);
  EXPECT_EQ(one[0].first.loss, 100);
  EXPECT_EQ(one[0].last_step, 102 + kQuietSteps + 1);
}

TEST(SpikeEpisodes, ALaterOneIsAnother) {
  const auto two = spike_episodes(spikes_at({100, 101, 101 + kQuietSteps + 2, 200'000}));
  ASSERT_EQ(two.size(), 3u);
  EXPECT_EQ(two[1].first.step, 101 + kQuietSteps + 2);
  EXPECT_EQ(two[2].first.step, 200'000);
  EXPECT_EQ(two[2].last_step, 200'000);
}

}  // namespace
}  // namespace tessera
