// SPDX-License-Identifier: MIT
// Tensor: a view of up to four dimensions over memory that somebody else owns.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "core/base/dtype.h"

namespace tessera {

/// A non-owning view. Copying it copies the view, not the data; `const Tensor&` says nothing about
/// the data. Operations take inputs first and outputs last.
///
/// Strides count elements. The last dimension is contiguous (stride 1) unless an operation says it
/// takes more. A default-constructed Tensor is "absent": operations document where that is allowed.
class Tensor {
 public:
  static constexpr int kMaxRank = 4;

  Tensor() = default;
  /// A contiguous view of `data`, row major.
  Tensor(void* data, DType dtype, std::initializer_list<std::int64_t> shape,
         Device device = Device::Cpu);

  explicit operator bool() const { return rank_ > 0; }
  DType dtype() const { return dtype_; }
  Device device() const { return device_; }
  int rank() const { return rank_; }
  std::int64_t size(int dim) const { return shape_[static_cast<std::size_t>(wrap(dim))]; }
  std::int64_t stride(int dim) const { return stride_[static_cast<std::size_t>(wrap(dim))]; }
  std::int64_t numel() const;
  std::size_t bytes() const { return static_cast<std::size_t>(numel()) * size_of(dtype_); }
  bool is_contiguous() const;
  void* raw() const { return data_; }

  /// The first element as T. Throws Error when T is not the element type.
  template <class T>
  T* data() const {
    check_dtype(dtype_of<T>());
    return static_cast<T*>(data_);
  }

  /// Elements [from, to) of dimension `dim`.
  Tensor slice(int dim, std::int64_t from, std::int64_t to) const;
  /// Index `at` of dimension 0, which disappears.
  Tensor operator[](std::int64_t at) const;
  /// The same memory with another shape of equal size; the view must be contiguous.
  Tensor reshape(std::initializer_list<std::int64_t> shape) const;
  /// Splits the contiguous last dimension into (outer, inner): (tokens, heads * d) to
  /// (tokens, heads, d), keeping the strides of the others.
  Tensor split_last(std::int64_t outer, std::int64_t inner) const;
  /// Exchanges two dimensions of the view.
  Tensor transpose(int a, int b) const;

  /// "F32(4, 128)", for messages.
  std::string describe() const;

 private:
  int wrap(int dim) const { return dim < 0 ? dim + rank_ : dim; }
  void check_dtype(DType wanted) const;

  void* data_ = nullptr;
  std::array<std::int64_t, kMaxRank> shape_{}, stride_{};
  int rank_ = 0;
  DType dtype_ = DType::F32;
  Device device_ = Device::Cpu;
};

}  // namespace tessera
