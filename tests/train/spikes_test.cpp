// SPDX-License-Identifier: MIT
#include "core/train/spikes.h"

#include <gtest/gtest.h>

namespace tessera {
namespace {

TEST(SpikeDetector, TellsASpikeFromNoise) {
  SpikeDetector detector(8, 6);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(detector.add(3.0 + 0.01 * (i % 3))) << i;
  const auto spike = detector.add(4.5);
  ASSERT_TRUE(spike);
  EXPECT_NEAR(spike->usual, 3.01, 1e-12);
  EXPECT_FALSE(detector.add(3.02));  // the spike did not enter the window
}

TEST(SpikeDetector, WaitsForAFullWindowAndCanBeOff) {
  SpikeDetector young(8, 6), off(0, 6);
  EXPECT_FALSE(young.add(1));
  EXPECT_FALSE(young.add(100));
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(off.add(i == 15 ? 1e9 : 1));
}

TEST(SpikeDetector, StateComesBack) {
  SpikeDetector a(4, 6), b(4, 6);
  for (double loss : {1.0, 1.1, 1.05, 1.02}) a.add(loss);
  b.restore(a.state());
  EXPECT_EQ(a.state(), b.state());
  EXPECT_TRUE(b.add(50));
}

}  // namespace
}  // namespace tessera
