// SPDX-License-Identifier: MIT
// Several arrays out of the one workspace that an operation may ask for.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/cuda/launch.h"

namespace tessera::kernels::cuda {

/// First every reserve(), then take(), then at().
class Pieces {
 public:
  template <class T>
  struct Piece {
    std::size_t offset;
  };

  /// Elements of T at a multiple of 256 bytes.
  template <class T>
  Piece<T> reserve(std::int64_t count) {
    const Piece<T> piece{bytes_};
    bytes_ += (static_cast<std::size_t>(count) * sizeof(T) + 255) / 256 * 256;
    return piece;
  }
  void take(const Context& context) {
    memory_ = static_cast<std::byte*>(workspace(context, bytes_));
  }
  template <class T>
  T* at(Piece<T> piece) const {
    return reinterpret_cast<T*>(memory_ + piece.offset);
  }

 private:
  std::size_t bytes_ = 0;
  std::byte* memory_ = nullptr;
};

}  // namespace tessera::kernels::cuda
