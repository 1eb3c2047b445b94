// SPDX-License-Identifier: MIT
// Op: one operation with a function per device. Calling it picks the device's function, skips it in
// a dry run and times it in a profile.
#pragma once

#include <utility>

#include "core/base/context.h"
#include "core/base/profile.h"

namespace tessera {

/// Looks up an operation of the CUDA plugin by name. Throws Error when no plugin is loaded, or when
/// it has no such operation.
void* cuda_operation(const char* name);

/// Waits for the GPU, so that a profile sees what an operation took and not its launch.
void wait_for_cuda();

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
      cuda_(context, args...);
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
