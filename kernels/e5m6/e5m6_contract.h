// SPDX-License-Identifier: MIT
// What the operations of e5m6.h refuse, on every device.
// What one device alone does not take, it checks itself.
#pragma once

#include "kernels/e5m6/e5m6.h"
#include "kernels/quantise/quantise_contract.h"

namespace tessera::kernels::contract {

/// A packed matrix and x, of which it is made or which is made of it.
inline void packed(const char* where, const char* name, const Tensor& x, const PackedE5m6& packed) {
  expect_shape(where, name, x, {-1, -1});
  expect_contiguous(where, name, x);
  require(x.size(1) % 8 == 0, where, "expected columns in multiples of 8, got {}", x.describe());
  const std::int64_t rows = x.size(0), tiles = e5m6_tiles(x.size(1));
  expect_shape(where, "packed values", packed.values, {rows, tiles, kE5m6TileBytes});
  expect_shape(where, "packed scales", packed.scales, {rows, tiles});
  expect_contiguous(where, "packed values", packed.values);
  expect_contiguous(where, "packed scales", packed.scales);
}

}  // namespace tessera::kernels::contract
