// SPDX-License-Identifier: MIT
// What every operation is handed: where it runs, and memory for its temporaries.
#pragma once

#include "core/base/memory.h"
#include "core/base/tensor.h"

namespace tessera {

class Profile;

struct Context {
  Device device = Device::Cpu;
  /// cudaStream_t on the GPU; unused on the CPU.
  void* stream = nullptr;
  /// Temporaries of operations and layers. Take from it inside an Arena::Frame.
  Arena* scratch = nullptr;
  /// Times each operation by name when set.
  Profile* profile = nullptr;
  /// Operations return at once without touching memory: with measuring arenas, a memory plan.
  bool dry_run = false;
  /// Forbids orders of summation that may differ from run to run.
  bool deterministic = true;
};

}  // namespace tessera
