// SPDX-License-Identifier: MIT
#include "core/train/spikes.h"

#include <gtest/gtest.h>

#include <limits>

namespace tessera {
namespace {

TEST(SpikeDetector, TellsASpikeFromNoise) {
  SpikeDetector detector(8, 6);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(detector.add(3.0 + 0.01 * (i % 3))) << i;
  const auto spike = detector.add(4.5);
  ASSERT_TRUE(spike);
  EXPECT_NEAR(spike->usual, 3.01, 1e-12);
  EXPECT_FALSE(detector.add(3.02));
  EXPECT_TRUE(detector.add(4.5));  // one spike does not make the next one usual
}

/// A learning rate or a source that changes the loss for good is told at first and then got used
/// to.
TEST(FieldSpikeDetector, ALevelThatStaysIsLearned) {
  SpikeDetector detector(16, 6);
  const auto noise = [](int i) { return 0.02 * ((i * 7) % 5); };
  for (int i = 0; i < 40; ++i) EXPECT_FALSE(detector.add(3.0 + noise(i))) << i;
  int spikes = 0;
  for (int i = 0; i < 16; ++i) spikes += detector.add(6.0 + noise(i)).has_value();
  EXPECT_GE(spikes, 4);
  for (int i = 0; i < 200; ++i) EXPECT_FALSE(detector.add(6.0 + noise(i))) << i;
  EXPECT_TRUE(detector.add(9));
}

TEST(FieldSpikeDetector, AFallIsNoSpikeAndIsLearned) {
  SpikeDetector detector(8, 6);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(detector.add(6.0 + 0.01 * (i % 3)));
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(detector.add(3.0 + 0.01 * (i % 3)));
  EXPECT_TRUE(detector.add(6.0));
}

TEST(FieldSpikeDetector, SpikesAtEverySecondStepEndToo) {
  SpikeDetector detector(8, 6);
  for (int i = 0; i < 20; ++i) detector.add(3.0 + 0.01 * (i % 3));
  int late = 0;
  for (int i = 0; i < 100; ++i) {
    const bool spike = detector.add(i % 2 == 0 ? 6.0 : 3.0).has_value();
    late += i >= 16 && spike;
  }
  EXPECT_EQ(late, 0);
}

TEST(FieldSpikeDetector, LossesThatAreNotFiniteAreLeftOut) {
  SpikeDetector detector(4, 6);
  for (int i = 0; i < 8; ++i) EXPECT_FALSE(detector.add(3.0));
  for (int i = 0; i < 8; ++i) {
    EXPECT_FALSE(detector.add(std::numeric_limits<double>::quiet_NaN()));
    EXPECT_FALSE(detector.add(std::numeric_limits<double>::infinity()));
  }
  EXPECT_FALSE(detector.add(3.0));
  EXPECT_TRUE(detector.add(6.0));
}

/// A fork may have a smaller window than its parent.
TEST(FieldSpikeDetector, ASmallerWindowTakesALargerState) {
  SpikeDetector large(16, 6), small(4, 6);
  for (int i = 0; i < 16; ++i) large.add(3.0);
  small.restore(large.state());
  small.add(3.0);
  EXPECT_EQ(small.state().size(), 4u);
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
