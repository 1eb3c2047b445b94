// SPDX-License-Identifier: MIT
// Clock and power of the GPU while something is measured: products run into its power limit, and a
// rate says little without them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace tessera::app {

struct GpuReading {
  double clock_mhz = 0;  ///< the multiprocessors' clock
  double power_w = 0;
};

/// Asks NVIDIA's management library every 50 ms, in a thread of its own, from its making on. Where
/// there is no such library or no such GPU it reads nothing.
class GpuMeter {
 public:
  /// `gpu`: its number in the order of the PCI bus, or its UUID.
  explicit GpuMeter(const std::string& gpu, const char* library = "libnvidia-ml.so.1");
  ~GpuMeter();
  GpuMeter(const GpuMeter&) = delete;
  GpuMeter& operator=(const GpuMeter&) = delete;

  /// Means since the meter was made; nothing where nothing could be read.
  std::optional<GpuReading> mean();
  /// The reading with the most power since then: what a rate is sustained at, where there were
  /// pauses too.
  std::optional<GpuReading> busiest();

 private:
  struct Library;
  void read_until_stopped();

  std::unique_ptr<Library> library_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::size_t count_ = 0;
  GpuReading sums_, busiest_;
  std::thread thread_;
};

/// The GPU that a program uses when CUDA_VISIBLE_DEVICES is `visible`: the first that it names.
/// NOTE: CUDA numbers GPUs of several kinds by speed, the management library never does.
std::string first_gpu(const char* visible);

}  // namespace tessera::app
