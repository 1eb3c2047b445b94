// SPDX-License-Identifier: MIT
// E5M6 on the GPU: eight threads take a tile, each 8 neighbours of its first half and the 8 that
// lie 64 further, so that all accesses of a tile are 8 or 16 bytes per thread side by side and the
// upper halves of both meet in one thread.
#include <cuda_bf16.h>

#include "kernels/cuda/pack.cuh"
#include "kernels/e5m6/e5m6_code.h"

namespace tessera::kernels::cuda {

namespace {
constexpr int kThreadsPerTile = 8, kTilesPerBlock = 32;
constexpr int kThreads = kThreadsPerTile * kTilesPerBlock;

/// The tile of this thread.
struct Tile {
  std::int64_t row, index;  ///< index: over all tiles of all rows
  int column;               ///< of the thread's first value
  bool exists;

  __device__ Tile(std::int64_t rows, int tiles) {
    index = static_cast<std::int64_t>(blockIdx.x) * kTilesPerBlock + threadIdx.x / kThreadsPerTile;
    row = index / tiles;
    column = static_cast<int>(index % tiles) * static_cast<int>(kE5m6Tile) +
             static_cast<int>(threadIdx.x) % kThreadsPerTile * 8;
    exists = row < rows;
  }
};

/// Eight neighbours as BF16 bits; zeros past the last column.
template <class T>
__device__ inline void load_bits(const T* row, int column, int cols, bool exists,
                                 std::uint32_t (&to)[8]) {
  constexpr int N = kPack<T>;
#pragma unroll
  for (int i = 0; i < 8; ++i) to[i] = 0;
  if (!exists || column >= cols) return;
#pragma unroll
  for (int at = 0; at < 8; at += N) {
    const Pack<T, N> pack = load_pack<N>(row + column + at);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      __nv_bfloat16 value;
      store(value, to_float(pack.values[i]));
      to[at + i] = __bfloat16_as_ushort(value);
    }
  }
}

/// The lower bytes of eight codes.
__device__ inline uint2 lower_bytes(const std::uint32_t (&codes)[8]) {
  const auto four = [](std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
    return (a & 0xffu) | (b & 0xffu) << 8 | (c & 0xffu) << 16 | d << 24;
  };
  return make_uint2(four(codes[0], codes[1], codes[2], codes[3]),
                    four(codes[4], codes[5], codes[6], codes[7]));
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    pack_kernel(const T* x, std::int64_t rows, int cols, int tiles, std::uint8_t* values,
                std::uint8_t* scales) {
  const Tile tile(rows, tiles);
  const T* row = x + tile.row * cols;
  std::uint32_t low[8], high[8], largest = 0;
  load_bits(row, tile.column, cols, tile.exists, low);
  load_bits(row, tile.column + 64, cols, tile.exists, high);
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    largest = max(largest, max(e5m6::finite_magnitude(low[i]), e5m6::finite_magnitude(high[i])));
  }
#pragma unroll
  for (int step = kThreadsPerTile / 2; step > 0; step /= 2) {
    largest = max(largest, __shfl_xor_sync(0xffffffffu, largest, step));
  }
  if (!tile.exists) return;
  const std::uint32_t scale = e5m6::scale_of(largest), most = e5m6::largest_code(scale);
  std::uint32_t upper[8];
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    low[i] = e5m6::encode(low[i], scale, most);
    high[i] = e5m6::encode(high[i], scale, most);
    upper[i] = low[i] >> 8 | high[i] >> 8 << 4;
  }
  std::uint8_t* to = values + tile.index * kE5m6TileBytes + threadIdx.x % kThreadsPerTile * 8;
  *reinterpret_cast<uint2*>(to) = lower_bytes(low);
  *reinterpret_cast<uint2*>(to + 64) = lower_bytes(high);
  *reinterpret_cast<uint2*>(to + 128) = lower_bytes(upper);
  if (threadIdx.x % kThreadsPerTile == 0) scales[tile.index] = static_cast<std::uint8_t>(scale);
}

/// Byte i of eight.
__device__ inline std::uint32_t byte_of(uint2 bytes, int i) {
  return (i < 4 ? bytes.x >> (8 * i) : bytes.y >> (8 * (i - 4))) & 0xffu;
}

/// Eight neighbours from their codes.
template <class T>
__device__ inline void save_codes(T* row, int column, int cols, uint2 lower, uint2 upper, int shift,
                                  std::uint32_t scale) {
  constexpr int N = kPack<T>;
  if (column >= cols) return;
#pragma unroll
  for (int at = 0; at < 8; at += N) {
    Pack<T, N> pack;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      const std::uint32_t code = byte_of(lower, at + i) | (byte_of(upper, at + i) >> shift & 15u)
                                                              << 8;
      store(pack.values[i], __uint_as_float(e5m6::decode(code, scale) << 16));
    }
    store_pack<N>(row + column + at, pack);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    unpack_kernel(const std::uint8_t* values, const std::uint8_t* scales, std::int64_t rows,
                  int cols, int tiles, T* y) {
  const Tile tile(rows, tiles);
  if (!tile.exists) return;
  const std::uint8_t* from =
      values + tile.index * kE5m6TileBytes + threadIdx.x % kThreadsPerTile * 8;
  const auto load = [&](int at) { return *reinterpret_cast<const uint2*>(from + at); };
  const uint2 low = load(0), high = load(64), upper = load(128);
  const std::uint32_t scale = scales[tile.index];
  T* row = y + tile.row * cols;
  save_codes(row, tile.column, cols, low, upper, 0, scale);
  save_codes(row, tile.column + 64, cols, high, upper, 4, scale);
}

void check_packed(const char* where, const char* name, const Tensor& x, const PackedE5m6& packed) {
  expect_shape(where, name, x, {-1, -1});
  expect_contiguous(where, name, x);
  const std::int64_t rows = x.size(0), tiles = e5m6_tiles(x.size(1));
  require(x.size(1) % 8 == 0 && x.size(1) < (1 << 30), where,
          "expected columns in multiples of 8, got {}", x.describe());
  const auto address = reinterpret_cast<std::uintptr_t>(x.raw());
  require(address % 16 == 0, where, "expected {} at a multiple of 16 bytes", name);
  expect_shape(where, "values", packed.values, {rows, tiles, kE5m6TileBytes});
  expect_shape(where, "scales", packed.scales, {rows, tiles});
  expect_contiguous(where, "values", packed.values);
  expect_contiguous(where, "scales", packed.scales);
}
}  // namespace

void pack_e5m6(Context& context, const Tensor& x, const PackedE5m6& out) {
  const char* where = "pack_e5m6";
  check_packed(where, "x", x, out);
  if (x.numel() == 0) return;
  const std::int64_t rows = x.size(0), tiles = e5m6_tiles(x.size(1));
  with_real(where, "x", x, [&]<class T>(T) {
    pack_kernel<<<blocks_for(rows * tiles, kTilesPerBlock), kThreads, 0, stream_of(context)>>>(
        static_cast<const device_t<T>*>(device_data<T>(x)), rows, static_cast<int>(x.size(1)),
        static_cast<int>(tiles), out.values.data<std::uint8_t>(), out.scales.data<std::uint8_t>());
  });
  check_launch(where);
}
TESSERA_CUDA_OPERATION(pack_e5m6)

void unpack_e5m6(Context& context, const PackedE5m6& packed, const Tensor& y) {
  const char* where = "unpack_e5m6";
  check_packed(where, "y", y, packed);
  if (y.numel() == 0) return;
  const std::int64_t rows = y.size(0), tiles = e5m6_tiles(y.size(1));
  with_real(where, "y", y, [&]<class T>(T) {
    unpack_kernel<<<blocks_for(rows * tiles, kTilesPerBlock), kThreads, 0, stream_of(context)>>>(
        static_cast<const std::uint8_t*>(packed.values.data<std::uint8_t>()),
        static_cast<const std::uint8_t*>(packed.scales.data<std::uint8_t>()), rows,
        static_cast<int>(y.size(1)), static_cast<int>(tiles), device_data<T>(y));
  });
  check_launch(where);
}
TESSERA_CUDA_OPERATION(unpack_e5m6)

}  // namespace tessera::kernels::cuda
