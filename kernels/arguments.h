// SPDX-License-Identifier: MIT
// What every operation begins with: contracts on shapes and types, and the element type as a
// template argument.
#pragma once

#include <initializer_list>
#include <type_traits>

#include "core/base/error.h"
#include "core/base/tensor.h"

namespace tessera::kernels {

/// Pieces of work smaller than this many elements are not worth a thread.
inline constexpr std::int64_t kElementsPerPiece = 16384;

/// Rows per piece for parallel_for over rows of `width` elements.
inline std::int64_t rows_per_piece(std::int64_t width) {
  return width > kElementsPerPiece ? 1 : kElementsPerPiece / (width > 0 ? width : 1);
}

/// Throws Error unless `tensor` has this shape (-1 matches any extent), with a contiguous last
/// dimension.
inline void expect_shape(const char* where, const char* name, const Tensor& tensor,
                         std::initializer_list<std::int64_t> shape) {
  bool fits = tensor.rank() == static_cast<int>(shape.size());
  int dim = 0;
  for (std::int64_t extent : shape) {
    fits = fits && (extent < 0 || tensor.size(dim) == extent);
    ++dim;
  }
  if (fits && (tensor.size(-1) <= 1 || tensor.stride(-1) == 1)) return;
  std::string wanted;
  for (std::int64_t extent : shape) {
    wanted +=
        fmt::format("{}{}", wanted.empty() ? "" : ", ", extent < 0 ? "*" : std::to_string(extent));
  }
  throw Error(where,
              fmt::format("expected {} ({}){}, got {}", name, wanted,
                          fits ? " with a contiguous last dimension" : "", tensor.describe()));
}

inline void expect_contiguous(const char* where, const char* name, const Tensor& tensor) {
  require(tensor.is_contiguous(), where, "expected {} contiguous, got {} with other strides", name,
          tensor.describe());
}

inline void expect_dtype(const char* where, const char* name, const Tensor& tensor, DType dtype) {
  require(tensor.dtype() == dtype, where, "expected {} of type {}, got {}", name, name_of(dtype),
          tensor.describe());
}

/// Calls body(T{}) with T = float for F32, double for F64. Throws Error for other types.
template <class Body>
void with_float(const char* where, const char* name, const Tensor& tensor, Body&& body) {
  switch (tensor.dtype()) {
    case DType::F32:
      return body(float{});
    case DType::F64:
      return body(double{});
    default:
      throw Error(where,
                  fmt::format("expected {} of type F32 or F64, got {}", name, tensor.describe()));
  }
}

/// Calls body(T{}) with T = bf16 for BF16, else as with_float.
template <class Body>
void with_element(const char* where, const char* name, const Tensor& tensor, Body&& body) {
  if (tensor.dtype() == DType::BF16) return body(bf16{});
  with_float(where, name, tensor, body);
}

/// Calls body(O{}) with O the type of an output computed in T: T itself, or bf16 where T is float.
template <class T, class Body>
void with_output_of(const char* where, const char* name, const Tensor& tensor, Body&& body) {
  if (tensor.dtype() == dtype_of<T>()) return body(T{});
  if constexpr (std::is_same_v<T, float>) {
    if (tensor.dtype() == DType::BF16) return body(bf16{});
  }
  throw Error(where, fmt::format("expected {} of type {}{}, got {}", name, name_of(dtype_of<T>()),
                                 std::is_same_v<T, float> ? " or BF16" : "", tensor.describe()));
}

/// to = value, rounded to nearest even.
/// NOTE: by its bits where that is bf16: g++ 12 does not vectorise loops that assign structs.
template <class To, class From>
inline void store(To& to, From value) {
  if constexpr (std::is_same_v<To, bf16>) {
    to.bits = bf16(static_cast<float>(value)).bits;
  } else {
    to = static_cast<To>(value);
  }
}

/// Row `row` of a matrix with any row stride.
template <class T>
T* row_of(const Tensor& matrix, std::int64_t row) {
  return matrix.data<T>() + row * matrix.stride(0);
}

}  // namespace tessera::kernels
