// SPDX-License-Identifier: MIT
// E5M6 on the CPU: tile by tile in arrays of 128 integers, so that every loop is vector code.
// In parallel over rows.
#include "kernels/e5m6/e5m6.h"

#include <algorithm>
#include <array>

#include "core/base/threads.h"
#include "kernels/e5m6/e5m6_code.h"
#include "kernels/e5m6/e5m6_contract.h"

namespace tessera::kernels::cpu {

namespace {
using Codes = std::array<std::uint32_t, kE5m6Tile>;

/// Calls body(row, tile, first column, columns) for every tile.
template <class Body>
void for_each_tile(const Tensor& x, const Body& body) {
  const std::int64_t cols = x.size(1);
  parallel_for(x.size(0), rows_per_piece(cols), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::int64_t tile = 0; tile < e5m6_tiles(cols); ++tile) {
        const std::int64_t first = tile * kE5m6Tile;
        body(row, tile, first, std::min(kE5m6Tile, cols - first));
      }
    }
  });
}

template <class T>
void load_bits(const T* from, std::int64_t count, Codes& to) {
  to.fill(0);
  for (std::int64_t i = 0; i < count; ++i) {
    if constexpr (std::is_same_v<T, bf16>) {
      to[static_cast<std::size_t>(i)] = from[i].bits;
    } else {
      to[static_cast<std::size_t>(i)] = bf16(static_cast<float>(from[i])).bits;
    }
  }
}

/// Returns the scale.
std::uint8_t pack_tile(Codes& codes, std::uint8_t* to) {
  std::uint32_t largest = 0;
  for (std::uint32_t bits : codes) largest = std::max(largest, e5m6::finite_magnitude(bits));
  const std::uint32_t scale = e5m6::scale_of(largest), most = e5m6::largest_code(scale);
  for (std::uint32_t& bits : codes) bits = e5m6::encode(bits, scale, most);
  for (std::size_t i = 0; i < 128; ++i) to[i] = static_cast<std::uint8_t>(codes[i]);
  for (std::size_t i = 0; i < 64; ++i) {
    to[128 + i] = static_cast<std::uint8_t>((codes[i] >> 8) | (codes[i + 64] >> 8 << 4));
  }
  return static_cast<std::uint8_t>(scale);
}

void unpack_tile(const std::uint8_t* from, std::uint32_t scale, Codes& to) {
  for (std::size_t i = 0; i < 64; ++i) {
    to[i] = from[i] | ((from[128 + i] & 15u) << 8);
    to[i + 64] = from[i + 64] | (std::uint32_t{from[128 + i]} >> 4 << 8);
  }
  for (std::uint32_t& code : to) code = e5m6::decode(code, scale);
}
}  // namespace

void pack_e5m6(Context&, const Tensor& x, const PackedE5m6& out) {
  const char* where = "pack_e5m6";
  contract::packed(where, "x", x, out);
  auto* values = out.values.data<std::uint8_t>();
  auto* scales = out.scales.data<std::uint8_t>();
  const std::int64_t tiles = e5m6_tiles(x.size(1));
  with_element(where, "x", x, [&]<class T>(T) {
    for_each_tile(x,
                  [&](std::int64_t row, std::int64_t tile, std::int64_t first, std::int64_t count) {
                    Codes codes;
                    load_bits(row_of<T>(x, row) + first, count, codes);
                    const std::int64_t at = row * tiles + tile;
                    scales[at] = pack_tile(codes, values + at * kE5m6TileBytes);
                  });
  });
}

void unpack_e5m6(Context&, const PackedE5m6& packed, const Tensor& y) {
  const char* where = "unpack_e5m6";
  contract::packed(where, "y", y, packed);
  const auto* values = packed.values.data<std::uint8_t>();
  const auto* scales = packed.scales.data<std::uint8_t>();
  const std::int64_t tiles = e5m6_tiles(y.size(1));
  with_element(where, "y", y, [&]<class T>(T) {
    for_each_tile(
        y, [&](std::int64_t row, std::int64_t tile, std::int64_t first, std::int64_t count) {
          Codes codes;
          const std::int64_t at = row * tiles + tile;
          unpack_tile(values + at * kE5m6TileBytes, scales[at], codes);
          T* to = row_of<T>(y, row) + first;
          for (std::int64_t i = 0; i < count; ++i) {
            const float value = std::bit_cast<float>(codes[static_cast<std::size_t>(i)] << 16);
            store(to[i], value);
          }
        });
  });
}

void quantise_pack_e5m6(Context& context, const Tensor& x, const PackedE5m6& packed,
                        const Quantised& out) {
  contract::rows_alone("quantise_pack_e5m6", out);
  pack_e5m6(context, x, packed);
  quantise(context, x, {}, out);
}

void unpack_quantise_e5m6(Context& context, const PackedE5m6& packed, const Tensor& y,
                          const Quantised& out) {
  unpack_e5m6(context, packed, y);
  quantise(context, y, {}, out);
}

}  // namespace tessera::kernels::cpu
