// SPDX-License-Identifier: MIT
#include "app/gpu_meter.h"

#include <gtest/gtest.h>

#include <chrono>

namespace tessera::app {
namespace {

/// Waits until it has read both numbers that the library gives in turn.
void wait_for(GpuMeter& meter) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < until) {
    const auto mean = meter.mean();
    if (mean && mean->power_w > 600 && mean->power_w < 700) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

TEST(GpuMeter, ReadsTheGpuThatIsNamed) {
  for (const char* gpu : {"1", "GPU-second"}) {
    GpuMeter meter(gpu, TESSERA_FAKE_NVML);
    wait_for(meter);
    ASSERT_TRUE(meter.mean()) << gpu;
    EXPECT_EQ(meter.mean()->clock_mhz, 1500);
    EXPECT_GT(meter.mean()->power_w, 599);
    EXPECT_LT(meter.mean()->power_w, 701);
    EXPECT_EQ(meter.busiest()->power_w, 700);
  }
}

TEST(GpuMeter, ReadsNothingWhereThereIsNoSuchGpuOrLibrary) {
  EXPECT_FALSE(GpuMeter("7", TESSERA_FAKE_NVML).mean());
  EXPECT_FALSE(GpuMeter("GPU-other", TESSERA_FAKE_NVML).busiest());
  EXPECT_FALSE(GpuMeter("0", "libnvidia-ml-that-is-not.so").mean());
}

TEST(GpuMeter, IsTheFirstVisibleGpu) {
  EXPECT_EQ(first_gpu(nullptr), "0");
  EXPECT_EQ(first_gpu(""), "0");
  EXPECT_EQ(first_gpu("3,1"), "3");
  EXPECT_EQ(first_gpu("GPU-ab"), "GPU-ab");
}

}  // namespace
}  // namespace tessera::app
