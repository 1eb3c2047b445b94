// SPDX-License-Identifier: MIT
#include "core/base/op.h"

#include "core/base/error.h"

namespace tessera {

namespace {
OperationLookup g_lookup = nullptr;
}

void set_cuda_operations(OperationLookup lookup) {
  g_lookup = lookup;
}

void* cuda_operation(const char* name) {
  if (!g_lookup) {
    throw Error(name, "no CUDA backend is loaded", "run with --device cpu, or install the backend");
  }
  void* function = g_lookup(name);
  if (!function) throw Error(name, "the CUDA backend has no such operation");
  return function;
}

}  // namespace tessera
