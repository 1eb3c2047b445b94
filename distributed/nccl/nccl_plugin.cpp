// SPDX-License-Identifier: MIT
// The plugin's side of nccl_library.h.
#include <cuda_runtime.h>
#include <nccl.h>

#include <cstdlib>
#include <cstring>

#include "core/base/error.h"
#include "distributed/nccl/nccl_library.h"

namespace tessera::nccl {

namespace {
using Kind = Communication::Kind;
using State = NcclLibrary::State;

ncclComm_t comm_of(void* group) {
  return static_cast<ncclComm_t>(group);
}

void check(ncclResult_t result, const char* where, ncclComm_t of = nullptr) {
  if (result == ncclSuccess || result == ncclInProgress) return;
  const char* more = ncclGetLastError(of);
  throw Error(where,
              fmt::format("NCCL: {}{}{}", ncclGetErrorString(result), more && *more ? "; " : "",
                          more ? more : ""),
              "NCCL_DEBUG=INFO in the environment makes NCCL say more");
}

void check(cudaError_t status, const char* where) {
  if (status == cudaSuccess) return;
  throw Error(where,
              fmt::format("CUDA: {} ({})", cudaGetErrorString(status), cudaGetErrorName(status)));
}

/// NOTE: NVLink multicast (NVLS) is left off unless the environment says otherwise: on a host that
/// is shared with others a program that uses it can put GPUs out of service.
void choose_settings() {
  ::setenv("NCCL_NVLS_ENABLE", "0", /*overwrite=*/0);
}

/// NOTE: NCCL's non-blocking communicators start a thread for each call, which costs 50 us, and did
/// not come to an end while a CUDA graph was recorded (NCCL 2.28.9).
ncclConfig_t config() {
  ncclConfig_t wanted = NCCL_CONFIG_INITIALIZER;
  const char* blocking = std::getenv("TESSERA_NCCL_NONBLOCKING");
  wanted.blocking = blocking && std::strcmp(blocking, "1") == 0 ? 0 : 1;
  return wanted;
}

std::string version() {
  int number = 0;
  check(ncclGetVersion(&number), "nccl");
  return fmt::format("{}.{}.{}", number / 10000, number / 100 % 100, number % 100);
}

void make_id(NcclLibrary::Id& id) {
  ncclUniqueId made;
  check(ncclGetUniqueId(&made), "nccl");
  static_assert(sizeof made.internal == sizeof id);
  std::memcpy(id.data(), made.internal, id.size());
}

void* begin_group(const NcclLibrary::Id& id, int rank, int size) {
  ncclUniqueId made;
  std::memcpy(made.internal, id.data(), id.size());
  ncclComm_t comm = nullptr;
  ncclConfig_t wanted = config();
  check(ncclCommInitRankConfig(&comm, size, made, rank, &wanted), "nccl");
  return comm;
}

State state(void* group, std::string& failure) {
  ncclComm_t comm = comm_of(group);
  ncclResult_t result = ncclSuccess;
  check(ncclCommGetAsyncError(comm, &result), "nccl", comm);
  if (result == ncclSuccess) return State::Ready;
  if (result == ncclInProgress) return State::Working;
  const char* more = ncclGetLastError(comm);
  failure = fmt::format("{}{}{}", ncclGetErrorString(result), more && *more ? "; " : "",
                        more ? more : "");
  return State::Failed;
}

ncclDataType_t type_of_sums(DType type) {
  switch (type) {
    case DType::F32:
      return ncclFloat32;
    case DType::F64:
      return ncclFloat64;
    case DType::I64:
      return ncclInt64;
    default:
      throw Error("nccl", fmt::format("cannot sum {}", name_of(type)));
  }
}

/// Whatever the element type: rows go as bytes.
void all_to_all(ncclComm_t comm, const Communication& call, cudaStream_t stream) {
  const std::size_t row = static_cast<std::size_t>(call.send.size(1)) * size_of(call.send.dtype());
  const auto* from = static_cast<const char*>(call.send.raw());
  auto* to = static_cast<char*>(call.receive.raw());
  check(ncclGroupStart(), "all_to_all", comm);
  ncclResult_t result = ncclSuccess;
  const auto keep = [&](ncclResult_t one) {
    if (result == ncclSuccess && one != ncclInProgress) result = one;
  };
  for (std::size_t rank = 0; rank < call.send_rows.size(); ++rank) {
    const std::size_t sent = row * static_cast<std::size_t>(call.send_rows[rank]);
    const std::size_t taken = row * static_cast<std::size_t>(call.receive_rows[rank]);
    const int peer = static_cast<int>(rank);
    if (sent > 0) keep(ncclSend(from, sent, ncclUint8, peer, comm, stream));
    if (taken > 0) keep(ncclRecv(to, taken, ncclUint8, peer, comm, stream));
    from += sent;
    to += taken;
  }
  keep(ncclGroupEnd());
  check(result, "all_to_all", comm);
}

void enqueue(void* group, const Communication& call, void* on) {
  ncclComm_t comm = comm_of(group);
  auto* stream = static_cast<cudaStream_t>(on);
  const Tensor &from = call.send, &to = call.receive;
  const auto elements = [](const Tensor& x) { return static_cast<std::size_t>(x.numel()); };
  const auto checked = [&](ncclResult_t result) { check(result, name_of(call.kind), comm); };
  switch (call.kind) {
    case Kind::AllReduce:
      return checked(ncclAllReduce(from.raw(), to.raw(), elements(from), type_of_sums(from.dtype()),
                                   ncclSum, comm, stream));
    case Kind::ReduceScatter:
      return checked(ncclReduceScatter(from.raw(), to.raw(), elements(to),
                                       type_of_sums(from.dtype()), ncclSum, comm, stream));
    case Kind::AllGather:
      return checked(ncclAllGather(from.raw(), to.raw(), from.bytes(), ncclUint8, comm, stream));
    case Kind::AllToAll:
      return all_to_all(comm, call, stream);
    case Kind::Send:
      return checked(ncclSend(from.raw(), from.bytes(), ncclUint8, call.peer, comm, stream));
    case Kind::Receive:
      return checked(ncclRecv(to.raw(), to.bytes(), ncclUint8, call.peer, comm, stream));
    case Kind::Broadcast:
      return checked(
          ncclBroadcast(from.raw(), to.raw(), from.bytes(), ncclUint8, call.peer, comm, stream));
    case Kind::Barrier:
      throw Error("nccl", "a barrier has no tensor on the GPU");
  }
}

void begin_close(void* group) {
  ncclComm_t comm = comm_of(group);
  check(ncclCommFinalize(comm), "nccl", comm);
}

void release(void* group) noexcept {
  ncclCommDestroy(comm_of(group));
}

void abort(void* group) noexcept {
  ncclCommAbort(comm_of(group));
}

bool is_done(cudaError_t status) {
  if (status == cudaErrorNotReady) {
    cudaGetLastError();  // it is no error that later calls are to find
    return false;
  }
  check(status, "nccl");
  return true;
}

bool is_stream_done(void* stream) {
  return is_done(cudaStreamQuery(static_cast<cudaStream_t>(stream)));
}

void* create_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "nccl");
  return stream;
}

void destroy_stream(void* stream) noexcept {
  cudaStreamDestroy(static_cast<cudaStream_t>(stream));
}

void copy(void* to, const void* from, std::size_t bytes, void* stream) {
  check(
      cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, static_cast<cudaStream_t>(stream)),
      "nccl");
}

void* make_mark() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "nccl");
  return event;
}

void destroy_mark(void* mark) noexcept {
  cudaEventDestroy(static_cast<cudaEvent_t>(mark));
}

void set_mark(void* mark, void* stream) {
  check(cudaEventRecord(static_cast<cudaEvent_t>(mark), static_cast<cudaStream_t>(stream)), "nccl");
}

void wait_for_mark(void* stream, void* mark) {
  check(cudaStreamWaitEvent(static_cast<cudaStream_t>(stream), static_cast<cudaEvent_t>(mark), 0),
        "nccl");
}

bool is_mark_done(void* mark) {
  return is_done(cudaEventQuery(static_cast<cudaEvent_t>(mark)));
}
}  // namespace

}  // namespace tessera::nccl

extern "C" __attribute__((visibility("default"))) const tessera::NcclLibrary*
tessera_nccl_library() {
  using namespace tessera;
  static const NcclLibrary library = [] {
    nccl::choose_settings();  // before the process has other threads
    NcclLibrary l;
    l.version = nccl::version;
    l.make_id = nccl::make_id;
    l.begin_group = nccl::begin_group;
    l.state = nccl::state;
    l.enqueue = nccl::enqueue;
    l.begin_close = nccl::begin_close;
    l.release = nccl::release;
    l.abort = nccl::abort;
    l.is_stream_done = nccl::is_stream_done;
    l.create_stream = nccl::create_stream;
    l.destroy_stream = nccl::destroy_stream;
    l.copy = nccl::copy;
    l.make_mark = nccl::make_mark;
    l.destroy_mark = nccl::destroy_mark;
    l.set_mark = nccl::set_mark;
    l.wait_for_mark = nccl::wait_for_mark;
    l.is_mark_done = nccl::is_mark_done;
    return l;
  }();
  return &library;
}
