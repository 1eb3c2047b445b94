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

void rethrow_with_operands(const Error& error, const char* operation, const std::string& operands) {
  const bool is_of_cuda = error.what_failed().starts_with("CUDA:");
  if ((!is_of_cuda && error.where() != "memory") || operands.empty()) throw error;
  std::string what = error.what_failed();
  if (!is_of_cuda) what = fmt::format("[{}] {}", error.where(), what);
  throw Error(operation, fmt::format("{}; operands: {}", what, operands), error.hint());
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
