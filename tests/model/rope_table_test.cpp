// SPDX-License-Identifier: MIT
#include "core/model/rope_table.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tessera {
namespace {

ModelConfig v3_rotary() {
  ModelConfig c;
  c.qk_nope_head_dim = 128;
  c.qk_rope_head_dim = 64;
  return c;
}

TEST(RopeTable, PlainFrequencies) {
  const std::vector<double> f = rope_frequencies(v3_rotary());
  ASSERT_EQ(f.size(), 32u);
  EXPECT_DOUBLE_EQ(f[0], 1.0);
  EXPECT_NEAR(f[16], 0.01, 1e-12);
  EXPECT_NEAR(attention_scale(v3_rotary()), 1 / std::sqrt(192.0), 1e-15);
}

/// DeepSeek-V3: factor 40 from 4096, beta 32 and 1. The correction dimensions are
/// 64 ln(4096 / (2 pi 32)) / (2 ln 10000) = 10.47 -> 10 and 22.5 -> 23.
TEST(RopeTable, YarnOfDeepSeekV3) {
  ModelConfig c = v3_rotary();
  const std::vector<double> plain = rope_frequencies(c);
  c.yarn = {.factor = 40, .original_length = 4096};
  const std::vector<double> f = rope_frequencies(c);
  EXPECT_DOUBLE_EQ(f[10], plain[10]);         // fast pairs are left alone
  EXPECT_NEAR(f[23], plain[23] / 40, 1e-18);  // slow ones are stretched
  const double ramp = (15.0 - 10.0) / (23.0 - 10.0);
  EXPECT_NEAR(f[15], plain[15] * (ramp / 40 + 1 - ramp), 1e-15);
  const double mscale = 0.1 * std::log(40.0) + 1.0;
  EXPECT_NEAR(attention_scale(c), mscale * mscale / std::sqrt(192.0), 1e-12);
}

TEST(RopeTable, CosinesAndSines) {
  const ModelConfig c = v3_rotary();
  const RopeTable table(c, 100, Device::Cpu);
  const std::vector<double> f = rope_frequencies(c);
  EXPECT_FLOAT_EQ(table.cos().data<float>()[99 * 32 + 3], static_cast<float>(std::cos(99 * f[3])));
  EXPECT_FLOAT_EQ(table.sin().data<float>()[50 * 32], static_cast<float>(std::sin(50.0)));
}

}  // namespace
}  // namespace tessera
