// SPDX-License-Identifier: MIT
#include "core/base/backend.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>

#include "core/base/error.h"

namespace tessera {

namespace {
namespace fs = std::filesystem;
constexpr const char* kFile = "libtessera_cuda.so";

const CudaBackend* g_backend = nullptr;
std::mutex g_loading;

std::vector<fs::path> candidates() {
  if (const char* named = std::getenv("TESSERA_CUDA_PLUGIN"); named && *named) return {named};
  std::error_code none;
  const fs::path folder = fs::read_symlink("/proc/self/exe", none).parent_path();
  // `kernels` is where the build leaves the plugin, for programs in the build's app/ and tests/.
  return {folder / kFile, folder / "../lib" / kFile, folder / "../lib/tessera" / kFile,
          folder / "../kernels" / kFile, folder / "../../kernels" / kFile};
}

fs::path find_plugin() {
  std::string looked;
  for (const fs::path& path : candidates()) {
    std::error_code none;
    if (fs::exists(path, none)) return path;
    looked += (looked.empty() ? "" : ", ") + path.lexically_normal().string();
  }
  throw Error("cuda", fmt::format("there is no CUDA backend ({})", looked),
              "run with --device cpu, or install the backend and name it in TESSERA_CUDA_PLUGIN");
}

/// The plugin stays loaded until the process ends: functions of it are kept in operations.
const CudaBackend* open_plugin(const fs::path& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    throw Error("cuda", fmt::format("cannot load {}: {}", path.string(), ::dlerror()),
                "the CUDA 13 libraries (cublasLt) must be where the loader looks");
  }
  const auto entry = reinterpret_cast<CudaBackendEntry>(::dlsym(library, kCudaBackendEntry));
  if (!entry) throw Error("cuda", fmt::format("{} is not a backend of tessera", path.string()));
  const CudaBackend* backend = entry();
  const CudaBackend ours;
  if (!backend || backend->abi != ours.abi || backend->tensor_bytes != ours.tensor_bytes ||
      backend->context_bytes != ours.context_bytes) {
    throw Error("cuda", fmt::format("{} belongs to another version of tessera", path.string()),
                "install program and backend from the same build");
  }
  return backend;
}
}  // namespace

void load_cuda_backend() {
  const std::lock_guard lock(g_loading);
  if (g_backend) return;
  const CudaBackend* backend = open_plugin(find_plugin());
  if (backend->devices().empty()) {
    throw Error("cuda", "there is no GPU that CUDA can use",
                "check `nvidia-smi`; run with --device cpu meanwhile");
  }
  backend->select_device(0);
  cuda_memory() = backend->memory;
  set_cuda_operations(backend->operations);
  g_backend = backend;
}

const CudaBackend* cuda_backend() {
  return g_backend;
}

void require_device(Device device) {
  if (device == Device::Cuda) load_cuda_backend();
}

void synchronise(Device device) {
  if (device == Device::Cuda && g_backend) g_backend->synchronise();
}

void wait_for_cuda() {
  synchronise(Device::Cuda);
}

std::vector<DeviceInfo> devices() {
  try {
    load_cuda_backend();
  } catch (const Error&) {
    return {};  // no backend or no GPU: that is the answer
  }
  return g_backend->devices();
}

}  // namespace tessera
