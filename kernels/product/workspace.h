// SPDX-License-Identifier: MIT
// Memory that a thread keeps for copies of operands. Not from Context::scratch: an Arena serves one
// thread, and products run inside parallel regions.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "core/base/error.h"

namespace tessera::kernels::cpu {

enum class Workspace { PackedA, PackedB, Scratchpad };

/// `count` elements aligned to 64 bytes, uninitialised, valid until the thread asks for the same
/// one again. It grows and stays; packed blocks are at most about a MiB each.
template <class T>
T* thread_workspace(Workspace which, std::int64_t count) {
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  struct Memory {
    std::unique_ptr<void, Free> data;
    std::size_t bytes = 0;
  };
  static thread_local Memory memories[3];
  Memory& memory = memories[static_cast<int>(which)];
  const std::size_t bytes = (static_cast<std::size_t>(count) * sizeof(T) + 4095) / 4096 * 4096;
  if (bytes > memory.bytes) {
    memory = {};
    memory.data.reset(std::aligned_alloc(4096, bytes));
    require(memory.data != nullptr, "product", "cannot have {} bytes for a copy of an operand",
            bytes);
    memory.bytes = bytes;
  }
  return static_cast<T*>(memory.data.get());
}

}  // namespace tessera::kernels::cpu
