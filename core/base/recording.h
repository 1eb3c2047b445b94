// SPDX-License-Identifier: MIT
// Work of the GPU that is given out again as a whole: a CUDA graph.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "core/base/context.h"

namespace tessera {

/// A stream of the GPU; null for the CPU. Move only.
class Stream {
 public:
  Stream() = default;
  explicit Stream(Device device);
  Stream(Stream&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Stream& operator=(Stream&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Stream();
  void* handle() const { return handle_; }

 private:
  void* handle_ = nullptr;
};

/// What `work` launched on context.stream, with the addresses it had. Move only.
class Recording {
 public:
  Recording() = default;
  /// Calls `work`, whose operations are recorded and not run. They must have run once before with
  /// the same shapes, so that none of them allocates. What cannot be recorded leaves the recording
  /// empty and says why in `failure`; an Error of `work` itself passes through.
  static Recording of(Context& context, const std::function<void()>& work, std::string& failure);
  Recording(Recording&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Recording& operator=(Recording&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Recording();

  explicit operator bool() const { return handle_ != nullptr; }
  void run(Context& context) const;

 private:
  explicit Recording(void* handle) : handle_(handle) {}
  void* handle_ = nullptr;
};

}  // namespace tessera
