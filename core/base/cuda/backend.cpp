// SPDX-License-Identifier: MIT
// The plugin's side of core/base/backend.h: GPUs, memory, streams and the table of operations.
#include "core/base/backend.h"

#include <cuda_runtime.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "core/base/cuda/injected_fault.h"
#include "core/base/cuda/launch.h"
#include "core/base/error.h"

namespace tessera::cuda {

namespace {
std::map<std::string, void*, std::less<>>& operations() {
  static std::map<std::string, void*, std::less<>> table;
  return table;
}

void* look_up(const char* name) {
  const auto found = operations().find(std::string_view(name));
  return found == operations().end() ? nullptr : found->second;
}

double mebibytes(std::size_t bytes) {
  return static_cast<double>(bytes) / 1048576.0;
}

void* allocate(std::size_t bytes) {
  void* data = nullptr;
  cudaError_t status = injected_allocation();
  if (status == cudaSuccess) status = cudaMalloc(&data, bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    std::size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    throw Error("memory",
                fmt::format("cannot have {:.1f} MiB of GPU memory: {:.1f} of {:.1f} MiB are free",
                            mebibytes(bytes), mebibytes(free), mebibytes(total)),
                "use a smaller micro-batch, sequence length or model");
  }
  check(status, "memory");
  return data;
}

void* allocate_zeroed(std::size_t bytes) {
  void* data = allocate(bytes);
  check(cudaMemset(data, 0, bytes), "memory");
  return data;
}

void release(void* data) noexcept {
  cudaFree(data);  // at the end of the process the driver may be gone already
}

struct Faults {
  std::mutex lock;
  unsigned long long* word = nullptr;
  struct Text {
    const char *where, *what;
  };
  std::vector<Text> texts;
};
Faults& faults() {
  static Faults all;
  return all;
}

void throw_fault() {
  Faults& all = faults();
  const std::lock_guard lock(all.lock);
  if (!all.word) return;
  unsigned long long raised = 0;
  check(cudaMemcpy(&raised, all.word, sizeof raised, cudaMemcpyDeviceToHost), "cuda");
  if (raised == 0) return;
  check(cudaMemset(all.word, 0, sizeof raised), "cuda");
  const Faults::Text& text = all.texts.at((raised >> 32) - 1);
  throw Error(text.where, fmt::format(fmt::runtime(text.what), raised & 0xffffffffull));
}

void copy(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  check(cudaMemcpy(to, from, bytes, cudaMemcpyDefault), "copy between host and GPU");
  cudaPointerAttributes target{};
  if (cudaPointerGetAttributes(&target, to) == cudaSuccess && target.type == cudaMemoryTypeDevice) {
    return;
  }
  throw_fault();
}

std::vector<DeviceInfo> list_devices() {
  int count = 0, version = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    cudaGetLastError();
    return {};
  }
  cudaDriverGetVersion(&version);
  int current = 0;
  cudaGetDevice(&current);
  std::vector<DeviceInfo> all;
  for (int index = 0; index < count; ++index) {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, index), "cuda");
    DeviceInfo info;
    info.index = index;
    info.name = properties.name;
    info.memory_bytes = properties.totalGlobalMem;
    info.major = properties.major;
    info.minor = properties.minor;
    info.multiprocessors = properties.multiProcessorCount;
    info.driver = fmt::format("{}.{}", version / 1000, version % 1000 / 10);
    std::size_t total = 0;
    if (cudaSetDevice(index) == cudaSuccess) cudaMemGetInfo(&info.free_bytes, &total);
    all.push_back(std::move(info));
  }
  if (count > 0) cudaSetDevice(current);
  return all;
}

void select_device(int index) {
  check(cudaSetDevice(index), "cuda");
}

void* create_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreate(&stream), "cuda");  // not the non-blocking kind: copies wait for it
  return stream;
}

void destroy_stream(void* stream) noexcept {
  cudaStreamDestroy(static_cast<cudaStream_t>(stream));
}

void begin_recording(void* stream) {
  check(cudaStreamBeginCapture(static_cast<cudaStream_t>(stream), cudaStreamCaptureModeThreadLocal),
        "recording");
}

void* end_recording(void* stream, std::string& failure) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t recording = nullptr;
  cudaError_t status = cudaStreamEndCapture(static_cast<cudaStream_t>(stream), &graph);
  if (status == cudaSuccess) status = cudaGraphInstantiate(&recording, graph, 0);
  if (graph) cudaGraphDestroy(graph);
  if (status == cudaSuccess) return recording;
  cudaGetLastError();  // the failure is the caller's to tell; later launches are not to find it
  failure = fmt::format("{} ({})", cudaGetErrorString(status), cudaGetErrorName(status));
  return nullptr;
}

void run_recording(void* recording, void* stream) {
  check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(recording), static_cast<cudaStream_t>(stream)),
        "a recorded micro-batch");
}

void destroy_recording(void* recording) noexcept {
  cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(recording));
}

void synchronise() {
  check(cudaDeviceSynchronize(), "cuda");
  throw_fault();
}

bool waits_after_launch() {
  static const bool wanted = [] {
    const char* value = std::getenv("TESSERA_CUDA_SYNC");
    return value && std::strcmp(value, "1") == 0;
  }();
  return wanted;
}

struct Workspace {
  std::size_t bytes = 0;
  void* memory = nullptr;
};
std::mutex g_workspace_lock;
std::map<void*, Workspace> g_workspaces;  // by stream: operations of one stream follow each other

std::size_t workspace_bytes() {
  const std::lock_guard lock(g_workspace_lock);
  std::size_t total = 0;
  for (const auto& [stream, space] : g_workspaces) total += space.bytes;
  return total;
}

const cudaDeviceProp& properties() {
  static const cudaDeviceProp found = [] {
    int device = 0;
    cudaDeviceProp p{};
    check(cudaGetDevice(&device), "cuda");
    check(cudaGetDeviceProperties(&p, device), "cuda");
    return p;
  }();
  return found;
}
}  // namespace

Registration::Registration(const char* name, void* function) {
  operations()[name] = function;
}

namespace {
const char* hint_of(cudaError_t status) {
  switch (status) {
    case cudaErrorMemoryAllocation:
      return "use a smaller micro-batch, sequence length or model";
    case cudaErrorDevicesUnavailable:
    case cudaErrorNoDevice:
    case cudaErrorECCUncorrectable:
    case cudaErrorSystemNotReady:
    case cudaErrorUnknown:
      return "the GPU is gone or broken: `nvidia-smi` and the kernel's log say why; the last "
             "checkpoint is whole, resume from it when the GPU is back";
    default:
      return "TESSERA_CUDA_SYNC=1 in the environment names the operation that failed";
  }
}
}  // namespace

void check(cudaError_t status, const char* where) {
  if (gpu_is_made_away_with()) status = cudaErrorDevicesUnavailable;
  if (status == cudaSuccess) return;
  throw Error(where,
              fmt::format("CUDA: {} ({})", cudaGetErrorString(status), cudaGetErrorName(status)),
              hint_of(status));
}

void check_launch(const char* where) {
  const cudaError_t status = cudaGetLastError();
  const cudaError_t injected = injected_launch(where);
  check(status == cudaSuccess ? injected : status, where);
  if (waits_after_launch()) check(cudaDeviceSynchronize(), where);
}

void* workspace(const Context& context, std::size_t bytes) {
  const std::lock_guard lock(g_workspace_lock);
  Workspace& space = g_workspaces[context.stream];
  if (bytes <= space.bytes) return space.memory;
  if (space.memory) check(cudaFree(space.memory), "memory");
  space = {};
  const std::size_t wanted = (bytes + (std::size_t{1} << 20) - 1) >> 20 << 20;
  space.memory = allocate(wanted);
  space.bytes = wanted;
  return space.memory;
}

int multiprocessors() {
  return properties().multiProcessorCount;
}

ComputeCapability compute_capability() {
  return {properties().major, properties().minor};
}

Fault fault(const char* where, const char* what) {
  Faults& all = faults();
  const std::lock_guard lock(all.lock);
  if (!all.word) all.word = static_cast<unsigned long long*>(allocate_zeroed(sizeof *all.word));
  for (std::size_t i = 0; i < all.texts.size(); ++i) {
    if (all.texts[i].where == where && all.texts[i].what == what) {
      return {all.word, static_cast<unsigned>(i + 1)};
    }
  }
  all.texts.push_back({where, what});
  return {all.word, static_cast<unsigned>(all.texts.size())};
}

}  // namespace tessera::cuda

extern "C" __attribute__((visibility("default"))) const tessera::CudaBackend*
tessera_cuda_backend() {
  using namespace tessera;
  static const CudaBackend backend = [] {
    CudaBackend b;
    b.operations = cuda::look_up;
    b.memory = {cuda::allocate_zeroed, cuda::release, cuda::copy};
    b.devices = cuda::list_devices;
    b.select_device = cuda::select_device;
    b.create_stream = cuda::create_stream;
    b.destroy_stream = cuda::destroy_stream;
    b.begin_recording = cuda::begin_recording;
    b.end_recording = cuda::end_recording;
    b.run_recording = cuda::run_recording;
    b.destroy_recording = cuda::destroy_recording;
    b.synchronise = cuda::synchronise;
    b.workspace_bytes = cuda::workspace_bytes;
    b.architectures = TESSERA_CUDA_ARCHITECTURES;
    return b;
  }();
  cuda_memory() = backend.memory;  // the plugin's own copy, for buffers that operations make
  return &backend;
}
