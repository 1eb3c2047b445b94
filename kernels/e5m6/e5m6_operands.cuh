// SPDX-License-Identifier: MIT
// From the tensors of kernels/e5m6/e5m6.h to what the kernels take.
#pragma once

#include "kernels/arguments.h"
#include "kernels/e5m6/e5m6.h"

namespace tessera::kernels::cuda {

/// A packed matrix (rows, cols) in tiles; tile t of row r is number r * tiles + t.
struct PackedMatrix {
  std::uint8_t *values, *scales;
  std::int64_t rows;
  int cols, tiles;
};

/// Checks `packed` and the matrix x that it is made of, or that is made of it.
inline PackedMatrix packed_matrix(const char* where, const char* name, const Tensor& x,
                                  const PackedE5m6& packed) {
  expect_shape(where, name, x, {-1, -1});
  expect_contiguous(where, name, x);
  const std::int64_t rows = x.size(0), tiles = e5m6_tiles(x.size(1));
  require(x.size(1) % 8 == 0 && x.size(1) < (1 << 28), where,
          "expected columns in multiples of 8, got {}", x.describe());
  const auto address = reinterpret_cast<std::uintptr_t>(x.raw());
  require(address % 16 == 0, where, "expected {} at a multiple of 16 bytes", name);
  expect_shape(where, "packed values", packed.values, {rows, tiles, kE5m6TileBytes});
  expect_shape(where, "packed scales", packed.scales, {rows, tiles});
  expect_contiguous(where, "packed values", packed.values);
  expect_contiguous(where, "packed scales", packed.scales);
  return {packed.values.data<std::uint8_t>(), packed.scales.data<std::uint8_t>(), rows,
          static_cast<int>(x.size(1)), static_cast<int>(tiles)};
}

}  // namespace tessera::kernels::cuda
