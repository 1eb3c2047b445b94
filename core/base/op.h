// SPDX-License-Identifier: MIT
// Op: one operation with a function per device. Calling it picks the device's function, skips it in
// a dry run and times it in a profile.
#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "core/base/context.h"
#include "core/base/error.h"
#include "core/base/profile.h"

namespace tessera {

/// Looks up an operation of the CUDA plugin by name. Throws Error when no plugin is loaded, or when
/// it has no such operation.
void* cuda_operation(const char* name);

/// Waits for the GPU, so that a profile sees what an operation took and not its launch.
void wait_for_cuda();

/// Throws `error`, with the operands beside it where it is CUDA's word or too little memory: those
/// do not say what shapes they failed for.
[[noreturn]] void rethrow_with_operands(const Error& error, const char* operation,
                                        const std::string& operands);

/// The shapes of the tensors among arguments: "BF16(4096, 16, 192), F32(16, 4096)".
template <class... Args>
std::string describe_operands(const Args&... args) {
  std::string text;
  const auto add = [&]<class T>(const T& argument) {
    if constexpr (std::is_same_v<T, Tensor>) {
      if (argument) text += (text.empty() ? "" : ", ") + argument.describe();
    }
  };
  (add(args), ...);
  return text;
}

/// The plugin installs its lookup here when it is loaded; it returns null for unknown names.
using OperationLookup = void* (*)(const char* name);
void set_cuda_operations(OperationLookup lookup);

template <class Signature>
class Op;

/// Constant-initialised; declared once per operation in the header of its kernel folder:
///   inline const Op<decltype(cpu::rope)> rope{"rope", cpu::rope};
template <class... Args>
class Op<void(Context&, Args...)> {
 public:
  using Function = void (*)(Context&, Args...);
  constexpr Op(const char* name, Function cpu) : name_(name), cpu_(cpu) {}

  void operator()(Context& context, Args... args) const {
    if (context.dry_run) return;
    Profile::Scope scope(context.profile, name_);
    if (context.device == Device::Cpu) {
      cpu_(context, args...);
    } else {
      if (!cuda_) cuda_ = reinterpret_cast<Function>(cuda_operation(name_));
      try {
        cuda_(context, args...);
      } catch (const Error& error) {
        rethrow_with_operands(error, name_, describe_operands(args...));
      }
      if (context.profile) wait_for_cuda();
    }
  }

  const char* name() const { return name_; }

 private:
  const char* name_;
  Function cpu_;
  mutable Function cuda_ = nullptr;
};

}  // namespace tessera
