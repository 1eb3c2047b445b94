// SPDX-License-Identifier: MIT
#include "core/base/backend.h"

#include <charconv>
#include <filesystem>
#include <mutex>

#include "core/base/error.h"
#include "core/base/plugin.h"

namespace tessera {

namespace {
namespace fs = std::filesystem;
constexpr const char* kFile = "libtessera_cuda.so";

const CudaBackend* g_backend = nullptr;
std::mutex g_loading;

fs::path find_backend() {
  std::string looked;
  const fs::path path = find_plugin({kFile, "TESSERA_CUDA_PLUGIN", "kernels"}, &looked);
  if (!path.empty()) return path;
  throw Error("cuda", fmt::format("there is no CUDA backend ({})", looked),
              "run with --device cpu, or install the backend and name it in TESSERA_CUDA_PLUGIN");
}

/// The plugin stays loaded until the process ends: functions of it are kept in operations.
const CudaBackend* open_backend(const fs::path& path) {
  const auto entry = reinterpret_cast<CudaBackendEntry>(
      open_plugin(path, "cuda", kCudaBackendEntry,
                  "the CUDA 13 libraries (cublasLt) must be where the loader looks"));
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
  const CudaBackend* backend = open_backend(find_backend());
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
