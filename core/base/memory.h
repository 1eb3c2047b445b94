// SPDX-License-Identifier: MIT
// Owners of memory: Buffer for what lives long, Arena for what a step allocates and gives back.
#pragma once

#include <cstddef>
#include <initializer_list>

#include "core/base/tensor.h"

namespace tessera {

/// Owns zero-initialised memory aligned to 64 bytes. Move only. Throws Error with the size wanted
/// when there is too little.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t bytes, Device device = Device::Cpu);
  /// Counts its bytes and has an address that must not be touched: for plans of what would not fit.
  static Buffer measuring(std::size_t bytes, Device device = Device::Cpu);
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

  /// A contiguous view of the start of the buffer.
  Tensor view(DType dtype, std::initializer_list<std::int64_t> shape) const;

 private:
  void release() noexcept;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  Device device_ = Device::Cpu;
  bool measuring_ = false;
};

/// Hands out memory from one reservation by moving an offset; a Frame gives back all that was taken
/// since it was opened. A measuring arena hands out addresses that must not be touched and only
/// counts: a dry run of the real step over it is the memory plan.
class Arena {
 public:
  /// Reserves `bytes`. On the CPU pages cost memory only once they are touched.
  Arena(std::size_t bytes, Device device = Device::Cpu);
  static Arena measuring(Device device = Device::Cpu);
  Arena(Arena&&) = default;
  Arena& operator=(Arena&&) = default;

  /// Uninitialised and aligned to 256 bytes. Throws Error when the reservation is used up.
  Tensor take(DType dtype, std::initializer_list<std::int64_t> shape);

  std::size_t used_bytes() const { return used_; }
  /// The most that was ever in use.
  std::size_t peak_bytes() const { return peak_; }
  bool is_measuring() const { return measuring_; }
  void reset() { used_ = 0; }

  class Frame {
   public:
    explicit Frame(Arena& arena) : arena_(arena), mark_(arena.used_) {}
    ~Frame() { arena_.used_ = mark_; }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    Arena& arena_;
    std::size_t mark_;
  };

 private:
  Arena() = default;
  struct Reservation {
    void* base = nullptr;
    std::size_t bytes = 0;
    Buffer device_memory;
    Reservation() = default;
    Reservation(std::size_t bytes, Device device);
    Reservation(Reservation&& other) noexcept;
    Reservation& operator=(Reservation&& other) noexcept;
    ~Reservation();
  };

  Reservation reservation_;
  std::size_t used_ = 0, peak_ = 0;
  Device device_ = Device::Cpu;
  bool measuring_ = false;
};

/// How memory of another device is had. The CUDA plugin installs its functions when it is loaded.
struct DeviceMemory {
  void* (*allocate_zeroed)(std::size_t bytes) = nullptr;
  void (*release)(void* data) noexcept = nullptr;
  void (*copy)(void* to, const void* from, std::size_t bytes) = nullptr;
};
DeviceMemory& cuda_memory();

}  // namespace tessera
