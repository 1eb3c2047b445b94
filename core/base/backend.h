// SPDX-License-Identifier: MIT
// The CUDA backend: a plugin (libtessera_cuda.so) that is loaded when something asks for the GPU.
// Programs run without it, and without any CUDA library, on the CPU.
//
// NOTE: program and plugin each hold their own copy of this library's statics. Everything that
// crosses the border is a pointer in CudaBackend, handed over once at loading.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/memory.h"
#include "core/base/op.h"

namespace tessera {

struct DeviceInfo {
  int index = 0;
  std::string name;  ///< "NVIDIA H100 80GB HBM3"
  std::size_t memory_bytes = 0, free_bytes = 0;
  int major = 0, minor = 0;  ///< compute capability: 9, 0 on Hopper
  int multiprocessors = 0;
  std::string driver;  ///< newest CUDA version that the driver serves: "13.0"
};

/// What the plugin gives the program. Functions throw Error; all act on the current GPU.
struct CudaBackend {
  /// Raised whenever a type that crosses the border changes in meaning; sizes are compared too.
  static constexpr std::uint32_t kAbi = 2;

  std::uint32_t abi = kAbi;
  std::uint32_t tensor_bytes = sizeof(Tensor), context_bytes = sizeof(Context);
  OperationLookup operations = nullptr;
  DeviceMemory memory;
  std::vector<DeviceInfo> (*devices)() = nullptr;
  void (*select_device)(int index) = nullptr;
  /// Streams that wait for, and are waited for by, the copies of `memory`.
  void* (*create_stream)() = nullptr;
  void (*destroy_stream)(void* stream) noexcept = nullptr;
  /// What is launched on `stream` between the two is recorded and not run; end_recording() returns
  /// what run_recording() launches as a whole. A recording that failed gives null and its reason.
  void (*begin_recording)(void* stream) = nullptr;
  void* (*end_recording)(void* stream, std::string& failure) = nullptr;
  void (*run_recording)(void* recording, void* stream) = nullptr;
  void (*destroy_recording)(void* recording) noexcept = nullptr;
  /// Waits for the whole GPU; throws what any operation since the last wait has failed with.
  void (*synchronise)() = nullptr;
  /// Bytes that operations hold for temporaries of their own, beyond the arenas.
  std::size_t (*workspace_bytes)() = nullptr;
  /// What the plugin has code for, as CMake spells it: "80,89,90a,120".
  const char* architectures = nullptr;
};

/// The one function that the plugin exports under its plain name.
using CudaBackendEntry = const CudaBackend* (*)();
inline constexpr const char* kCudaBackendEntry = "tessera_cuda_backend";

/// Loads the plugin and installs its operations and memory; does nothing the second time. It is
/// looked for in TESSERA_CUDA_PLUGIN (a file) where that is set, else beside the program, then in
/// ../lib and ../lib/tessera from there. Throws Error with a hint when there is no plugin, no
/// driver, no GPU, when the plugin belongs to another version, or has no code for the first GPU.
void load_cuda_backend();

/// Whether code for `architectures` ("80,89,90a,120": as CMake spells them, commas between) runs on
/// a GPU of this compute capability: code of its own version, of an older minor one, or PTX. On
/// Hopper only code for 90a counts, which its kernels are in.
bool has_code_for(std::string_view architectures, int major, int minor);

/// Null until load_cuda_backend() has succeeded.
const CudaBackend* cuda_backend();

/// load_cuda_backend() where `device` is the GPU; nothing for the CPU.
void require_device(Device device);

/// Waits for the GPU where `device` is one; nothing on the CPU.
void synchronise(Device device);

/// The GPUs of this machine; empty without a plugin or a driver. Never throws for those.
std::vector<DeviceInfo> devices();

}  // namespace tessera
