// SPDX-License-Identifier: MIT
// A management library with two GPUs, of which the second is at 1,500 MHz and 600 to 700 W.
#include <cstdint>
#include <cstring>

extern "C" {
int nvmlInit_v2() {
  return 0;
}
int nvmlShutdown() {
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** gpu) {
  *gpu = reinterpret_cast<void*>(std::uintptr_t{index} + 1);
  return index < 2 ? 0 : 2;
}
int nvmlDeviceGetHandleByUUID(const char* uuid, void** gpu) {
  *gpu = reinterpret_cast<void*>(std::uintptr_t{2});
  return std::strcmp(uuid, "GPU-second") == 0 ? 0 : 2;
}
int nvmlDeviceGetPowerUsage(void* gpu, unsigned* milliwatts) {
  static unsigned calls = 0;
  *milliwatts = ++calls % 2 == 0 ? 600000 : 700000;
  return gpu == reinterpret_cast<void*>(std::uintptr_t{2}) ? 0 : 3;
}
int nvmlDeviceGetClockInfo(void*, int type, unsigned* mhz) {
  *mhz = type == 1 ? 1500 : 0;
  return 0;
}
}
