// SPDX-License-Identifier: MIT
// From the tensors of kernels/e5m6/e5m6.h to what the kernels take.
#pragma once

#include "kernels/e5m6/e5m6_contract.h"

namespace tessera::kernels::cuda {

/// A packed matrix (rows, cols) in tiles; tile t of row r is number r * tiles + t.
struct PackedMatrix {
  std::uint8_t *values, *scales;
  std::int64_t rows;
  int cols, tiles;
};

/// Checks `packed` and x against the contract, and where x lies.
inline PackedMatrix packed_matrix(const char* where, const char* name, const Tensor& x,
                                  const PackedE5m6& packed) {
  contract::packed(where, name, x, packed);
  const std::int64_t rows = x.size(0), tiles = e5m6_tiles(x.size(1));
  require(x.size(1) < (1 << 28), where, "{} has too many columns", x.describe());
  const auto address = reinterpret_cast<std::uintptr_t>(x.raw());
  require(address % 16 == 0, where, "expected {} at a multiple of 16 bytes", name);
  return {packed.values.data<std::uint8_t>(), packed.scales.data<std::uint8_t>(), rows,
          static_cast<int>(x.size(1)), static_cast<int>(tiles)};
}

}  // namespace tessera::kernels::cuda
