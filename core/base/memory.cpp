// SPDX-License-Identifier: MIT
#include "core/base/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/base/backend.h"
#include "core/base/error.h"

namespace tessera {

namespace {
constexpr std::size_t kArenaAlignment = 256;
constexpr std::size_t kMappedBytes = std::size_t{32} << 20;

std::size_t round_up(std::size_t value, std::size_t step) {
  return (value + step - 1) / step * step;
}

[[noreturn]] void out_of_memory(std::size_t bytes, const char* hint) {
  throw Error("memory",
              fmt::format("cannot have {:.1f} MiB", static_cast<double>(bytes) / 1048576.0), hint);
}
}  // namespace

DeviceMemory& cuda_memory() {
  static DeviceMemory functions;
  return functions;
}

Buffer::Buffer(std::size_t bytes, Device device) : bytes_(bytes), device_(device) {
  if (bytes == 0) return;
  if (device == Device::Cuda) {
    if (!cuda_memory().allocate_zeroed) load_cuda_backend();
    data_ = cuda_memory().allocate_zeroed(bytes);
    return;
  }
  if (bytes >= kMappedBytes) {
    // Zero as they come, when somebody touches them: clearing them here would be one thread's work.
    void* pages =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
      out_of_memory(bytes, "choose a smaller model or batch, or free memory");
    ::madvise(pages, bytes, MADV_HUGEPAGE);
    data_ = pages;
    return;
  }
  data_ = std::aligned_alloc(64, round_up(bytes, 64));
  if (!data_) out_of_memory(bytes, "choose a smaller model or batch, or free memory");
  std::memset(data_, 0, bytes);
}

Buffer Buffer::measuring(std::size_t bytes, Device device) {
  Buffer buffer;
  buffer.data_ = bytes > 0 ? reinterpret_cast<void*>(kArenaAlignment) : nullptr;
  buffer.bytes_ = bytes;
  buffer.device_ = device;
  buffer.measuring_ = true;
  return buffer;
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      device_(other.device_),
      measuring_(other.measuring_) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    release();
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
    device_ = other.device_;
    measuring_ = other.measuring_;
  }
  return *this;
}

Buffer::~Buffer() {
  release();
}

void Buffer::release() noexcept {
  if (!data_ || measuring_) return;
  if (device_ == Device::Cuda) {
    cuda_memory().release(data_);
  } else if (bytes_ >= kMappedBytes) {
    ::munmap(data_, bytes_);
  } else {
    std::free(data_);
  }
  data_ = nullptr;
}

Tensor Buffer::view(DType dtype, std::initializer_list<std::int64_t> shape) const {
  Tensor view(data_, dtype, shape, device_);
  require(view.bytes() <= bytes_, "memory", "{} does not fit in a buffer of {} bytes",
          view.describe(), bytes_);
  return view;
}

Arena::Reservation::Reservation(std::size_t size, Device device) : bytes(size) {
  if (device == Device::Cuda) {
    device_memory = Buffer(size, device);
    base = device_memory.data();
    return;
  }
  base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0);
  if (base == MAP_FAILED) out_of_memory(size, "the address space is limited; see `ulimit -v`");
  ::madvise(base, size, MADV_HUGEPAGE);
}

Arena::Reservation::Reservation(Reservation&& other) noexcept
    : base(std::exchange(other.base, nullptr)),
      bytes(std::exchange(other.bytes, 0)),
      device_memory(std::move(other.device_memory)) {}

Arena::Reservation& Arena::Reservation::operator=(Reservation&& other) noexcept {
  std::swap(base, other.base);
  std::swap(bytes, other.bytes);
  std::swap(device_memory, other.device_memory);
  return *this;
}

Arena::Reservation::~Reservation() {
  if (base && !device_memory.data()) ::munmap(base, bytes);
}

Arena::Arena(std::size_t bytes, Device device) : reservation_(bytes, device), device_(device) {}

Arena Arena::measuring(Device device) {
  Arena arena;
  arena.device_ = device;
  arena.measuring_ = true;
  return arena;
}

Tensor Arena::take(DType dtype, std::initializer_list<std::int64_t> shape) {
  // NOTE: the addresses of a measuring arena are offsets from nowhere: nobody may read through
  // them.
  void* base = measuring_ ? reinterpret_cast<void*>(kArenaAlignment) : reservation_.base;
  auto* start = static_cast<std::byte*>(base) + used_;
  Tensor tensor(start, dtype, shape, device_);
  const std::size_t next = used_ + round_up(tensor.bytes(), kArenaAlignment);
  if (!measuring_ && next > reservation_.bytes) {
    throw Error("memory",
                fmt::format("{} does not fit: {} of {} MiB are in use", tensor.describe(),
                            used_ >> 20, reservation_.bytes >> 20),
                "use a smaller micro-batch or sequence length");
  }
  used_ = next;
  peak_ = std::max(peak_, used_);
  return tensor;
}

}  // namespace tessera
