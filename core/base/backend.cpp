// SPDX-License-Identifier: MIT
#include "core/base/backend.h"

#include <dlfcn.h>

#include <charconv>
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

void check_code(const CudaBackend& backend) {
  const DeviceInfo gpu = backend.devices().front();
  if (has_code_for(backend.architectures, gpu.major, gpu.minor)) return;
  throw Error("cuda",
              fmt::format("the CUDA backend was compiled for {}, and {} has compute capability "
                          "{}.{}",
                          backend.architectures, gpu.name, gpu.major, gpu.minor),
              gpu.major < 8 ? "GPUs before Ampere (8.0) are not supported: run with --device cpu"
                            : fmt::format("build with -DCMAKE_CUDA_ARCHITECTURES={}{}{}", gpu.major,
                                          gpu.minor, gpu.major == 9 ? "a" : ""));
}

/// One of CMake's architectures: "90a", "80-real", "120-virtual".
bool serves(std::string_view one, int major, int minor) {
  int number = 0;
  const auto [end, error] = std::from_chars(one.data(), one.data() + one.size(), number);
  if (error != std::errc{}) return false;
  const std::string_view rest = one.substr(static_cast<std::size_t>(end - one.data()));
  const int wanted = 10 * major + minor;
  if (rest.starts_with('a')) return number == wanted;  // neither later versions nor PTX
  if (major == 9) return false;                        // its kernels are in code for 90a alone
  const bool code = !rest.ends_with("-virtual") && number / 10 == major && number <= wanted;
  return code || (!rest.ends_with("-real") && number <= wanted);
}
}  // namespace

bool has_code_for(std::string_view architectures, int major, int minor) {
  while (!architectures.empty()) {
    const std::size_t comma = architectures.find(',');
    if (serves(architectures.substr(0, comma), major, minor)) return true;
    if (comma == std::string_view::npos) return false;
    architectures.remove_prefix(comma + 1);
  }
  return false;
}

void load_cuda_backend() {
  const std::lock_guard lock(g_loading);
  if (g_backend) return;
  const CudaBackend* backend = open_plugin(find_plugin());
  if (backend->devices().empty()) {
    throw Error("cuda", "there is no GPU that CUDA can use",
                "check `nvidia-smi`; run with --device cpu meanwhile");
  }
  check_code(*backend);
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
