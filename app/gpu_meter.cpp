// SPDX-License-Identifier: MIT
#include "app/gpu_meter.h"

#include <dlfcn.h>

#include <charconv>
#include <chrono>

namespace tessera::app {

namespace {
constexpr std::chrono::milliseconds kBetweenReadings{50};
constexpr int kClockOfMultiprocessors = 1;  // NVML_CLOCK_SM
}  // namespace

/// The functions of NVML that are needed. All return 0 when they succeed.
struct GpuMeter::Library {
  using Gpu = struct Opaque*;
  void* handle = nullptr;
  Gpu gpu = nullptr;
  int (*power)(Gpu, unsigned*) = nullptr;       // milliwatts
  int (*clock)(Gpu, int, unsigned*) = nullptr;  // MHz
  int (*shutdown)() = nullptr;

  template <class Function>
  bool find(Function*& function, const char* name) const {
    function = reinterpret_cast<Function*>(::dlsym(handle, name));
    return function != nullptr;
  }
  bool find_gpu(const std::string& name) {
    int (*by_number)(unsigned, Gpu*) = nullptr;
    int (*by_uuid)(const char*, Gpu*) = nullptr;
    unsigned number = 0;
    const char* end = name.data() + name.size();
    if (std::from_chars(name.data(), end, number).ptr == end) {
      return find(by_number, "nvmlDeviceGetHandleByIndex_v2") && by_number(number, &gpu) == 0;
    }
    return find(by_uuid, "nvmlDeviceGetHandleByUUID") && by_uuid(name.c_str(), &gpu) == 0;
  }
  bool open(const std::string& name, const char* file) {
    int (*init)() = nullptr;
    handle = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr || !find(init, "nvmlInit_v2") || init() != 0) return false;
    return find(shutdown, "nvmlShutdown") && find(power, "nvmlDeviceGetPowerUsage") &&
           find(clock, "nvmlDeviceGetClockInfo") && find_gpu(name);
  }
  std::optional<GpuReading> read() const {
    unsigned milliwatts = 0, mhz = 0;
    if (power(gpu, &milliwatts) != 0 || clock(gpu, kClockOfMultiprocessors, &mhz) != 0) return {};
    return GpuReading{static_cast<double>(mhz), 1e-3 * milliwatts};
  }
  ~Library() {
    if (shutdown != nullptr) shutdown();
    if (handle != nullptr) ::dlclose(handle);
  }
};

GpuMeter::GpuMeter(const std::string& gpu, const char* library)
    : library_(std::make_unique<Library>()) {
  if (library_->open(gpu, library)) thread_ = std::thread([this] { read_until_stopped(); });
}

GpuMeter::~GpuMeter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void GpuMeter::read_until_stopped() {
  std::unique_lock lock(mutex_);
  do {
    lock.unlock();
    const std::optional<GpuReading> reading = library_->read();
    lock.lock();
    if (!reading) continue;
    sums_.clock_mhz += reading->clock_mhz;
    sums_.power_w += reading->power_w;
    if (count_ == 0 || reading->power_w > busiest_.power_w) busiest_ = *reading;
    ++count_;
  } while (!stop_.wait_for(lock, kBetweenReadings, [this] { return stopping_; }));
}

std::optional<GpuReading> GpuMeter::mean() {
  const std::lock_guard lock(mutex_);
  if (count_ == 0) return {};
  const auto count = static_cast<double>(count_);
  return GpuReading{sums_.clock_mhz / count, sums_.power_w / count};
}

std::optional<GpuReading> GpuMeter::busiest() {
  const std::lock_guard lock(mutex_);
  if (count_ == 0) return {};
  return busiest_;
}

std::string first_gpu(const char* visible) {
  const std::string names = visible == nullptr ? "" : visible;
  const std::string first = names.substr(0, names.find(','));
  return first.empty() ? "0" : first;
}

}  // namespace tessera::app
