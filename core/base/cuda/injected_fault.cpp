// SPDX-License-Identifier: MIT
#include "core/base/cuda/injected_fault.h"

#include <atomic>
#include <cstdlib>
#include <sstream>
#include <string>

#include "core/base/error.h"

namespace tessera::cuda {

namespace {
enum class Kind { None, Memory, Launch, Gone };

struct Fault {
  Kind kind = Kind::None;
  std::string name;
  long at = 0;
  std::atomic<long> seen{0};
  std::atomic<bool> gone{false};

  Fault() {
    const char* text = std::getenv("TESSERA_CUDA_FAULT");
    if (!text || !*text) return;
    std::istringstream words(text);
    std::string word;
    words >> word;
    kind = word == "memory"   ? Kind::Memory
           : word == "launch" ? Kind::Launch
           : word == "gone"   ? Kind::Gone
                              : Kind::None;
    if (kind == Kind::Launch) words >> name;
    words >> at;
    require(kind != Kind::None && !words.fail() && at > 0, "TESSERA_CUDA_FAULT",
            "expected \"memory N\", \"launch NAME N\" or \"gone N\", got \"{}\"", text);
  }
  bool is_the_one() { return ++seen == at; }
};

Fault& wanted() {
  static Fault fault;
  return fault;
}
}  // namespace

cudaError_t injected_allocation() {
  Fault& fault = wanted();
  if (fault.kind != Kind::Memory) return cudaSuccess;
  return fault.is_the_one() ? cudaErrorMemoryAllocation : cudaSuccess;
}

cudaError_t injected_launch(const char* where) {
  Fault& fault = wanted();
  if (fault.kind == Kind::Gone && fault.is_the_one()) fault.gone = true;
  if (fault.kind != Kind::Launch || fault.name != where) return cudaSuccess;
  return fault.is_the_one() ? cudaErrorLaunchFailure : cudaSuccess;
}

bool gpu_is_made_away_with() {
  return wanted().gone;
}

}  // namespace tessera::cuda
