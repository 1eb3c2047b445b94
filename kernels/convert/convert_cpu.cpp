// SPDX-License-Identifier: MIT
#include "kernels/convert/convert.h"

#include <algorithm>
#include <type_traits>

#include "core/base/threads.h"
#include "kernels/convert/convert_contract.h"

namespace tessera::kernels::cpu {

namespace {
/// Calls body(x, y, count) on runs of contiguous elements of two tensors of one shape, in parallel.
template <class X, class Y, class Body>
void for_runs(const char* where, const Tensor& x, const Tensor& y, const Body& body) {
  contract::same_shape(where, x, y);
  const std::int64_t a = x.rank() > 2 ? x.size(-3) : 1, b = x.rank() > 1 ? x.size(-2) : 1;
  const std::int64_t width = x.size(-1);
  const X* from = x.data<X>();
  Y* to = y.data<Y>();
  if (x.is_contiguous() && y.is_contiguous()) {
    parallel_for(x.numel(), kElementsPerPiece, [&](std::int64_t begin, std::int64_t end) {
      body(from + begin, to + begin, end - begin);
    });
    return;
  }
  const auto offset = [b](const Tensor& t, std::int64_t row) {
    std::int64_t at = 0;
    if (t.rank() > 1) at += row % b * t.stride(-2);
    if (t.rank() > 2) at += row / b * t.stride(-3);
    return at;
  };
  parallel_for(a * b, rows_per_piece(width), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      body(from + offset(x, row), to + offset(y, row), width);
    }
  });
}

template <class X, class Y>
void convert_as(const Tensor& x, const Tensor& y) {
  for_runs<X, Y>("convert", x, y, [](const X* from, Y* to, std::int64_t count) {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) store(to[i], from[i]);
  });
}

template <class T>
void fill_as(double value, const Tensor& y) {
  T typed;
  if constexpr (std::is_arithmetic_v<T>) {
    typed = static_cast<T>(value);
  } else {
    typed = T(static_cast<float>(value));
  }
  T* to = y.data<T>();
  parallel_for(y.numel(), kElementsPerPiece, [&](std::int64_t begin, std::int64_t end) {
    std::fill(to + begin, to + end, typed);
  });
}
}  // namespace

void convert(Context&, const Tensor& x, const Tensor& y) {
  const auto pair = [&](DType from, DType to) { return x.dtype() == from && y.dtype() == to; };
  if (pair(DType::F32, DType::F32)) return convert_as<float, float>(x, y);
  if (pair(DType::F32, DType::BF16)) return convert_as<float, bf16>(x, y);
  if (pair(DType::F32, DType::F64)) return convert_as<float, double>(x, y);
  if (pair(DType::BF16, DType::F32)) return convert_as<bf16, float>(x, y);
  if (pair(DType::BF16, DType::BF16)) return convert_as<bf16, bf16>(x, y);
  if (pair(DType::F64, DType::F64)) return convert_as<double, double>(x, y);
  if (pair(DType::F64, DType::F32)) return convert_as<double, float>(x, y);
  throw Error("convert", fmt::format("cannot convert {} to {}", x.describe(), y.describe()));
}

void add(Context&, const Tensor& x, const Tensor& y) {
  with_float("add", "x", x, [&]<class T>(T) {
    expect_dtype("add", "y", y, x.dtype());
    for_runs<T, T>("add", x, y, [](const T* from, T* to, std::int64_t count) {
#pragma omp simd
      for (std::int64_t i = 0; i < count; ++i) to[i] += from[i];
    });
  });
}

void fill(Context&, double value, const Tensor& y) {
  expect_contiguous("fill", "y", y);
  switch (y.dtype()) {
    case DType::F64:
      return fill_as<double>(value, y);
    case DType::F32:
      return fill_as<float>(value, y);
    case DType::BF16:
      return fill_as<bf16>(value, y);
    case DType::F8E4M3:
      return fill_as<f8e4m3>(value, y);
    case DType::I64:
      return fill_as<std::int64_t>(value, y);
    case DType::I32:
      return fill_as<std::int32_t>(value, y);
    case DType::I16:
      return fill_as<std::int16_t>(value, y);
    case DType::I8:
      return fill_as<std::int8_t>(value, y);
    case DType::U8:
      return fill_as<std::uint8_t>(value, y);
    default:
      throw Error("fill", fmt::format("cannot fill {}", y.describe()));
  }
}

void split_terms(Context&, const Tensor& x, Terms terms, const Tensor& y) {
  const char* where = "split_terms";
  contract::split_terms(where, x, y);
  const std::int64_t rows = x.size(0), cols = x.size(1);
  with_float(where, "x", x, [&]<class T>(T) {
    parallel_for(rows, rows_per_piece(cols), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        for (std::int64_t c = 0; c < cols; ++c) {
          auto rest = static_cast<float>(x.data<T>()[row * cols + c]);
          bf16 parts[3];
          for (bf16& part : parts) {
            part = bf16(rest);
            rest -= static_cast<float>(part);
          }
          for (int j = 0; j < 6; ++j) {
            y.data<bf16>()[j * y.stride(0) + row * y.stride(1) + c] = parts[part_of_term(terms, j)];
          }
        }
      }
    });
  });
}

}  // namespace tessera::kernels::cpu
