// SPDX-License-Identifier: MIT
// Eight neighbours of a tile to and from E5M6, by one of the sixteen threads that share the tile.
// Values are BF16 pairs, four words.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "kernels/e5m6/e5m6_operands.cuh"
#include "kernels/e5m6/e5m6_pairs.h"

namespace tessera::kernels::cuda {

inline constexpr int kE5m6Threads = 16;  ///< threads of a tile

/// NOTE: a subnormal |x| counts here; __hadd2_rn takes it as it is.
__device__ inline std::uint32_t add_bf16x2(std::uint32_t a, std::uint32_t b) {
  const __nv_bfloat162 sum = __hadd2_rn(reinterpret_cast<const __nv_bfloat162&>(a),
                                        reinterpret_cast<const __nv_bfloat162&>(b));
  return reinterpret_cast<const std::uint32_t&>(sum);
}

/// Two codes of a tile without special values.
__device__ inline std::uint32_t encode_pair(std::uint32_t bits, std::uint32_t least) {
  const std::uint32_t steps = __viaddmax_u16x2(bits & e5m6::kExponents, e5m6::kOneExponent, least);
  return e5m6::codes_of(bits, add_bf16x2(bits & e5m6::kMagnitudes, steps), steps, least);
}

__device__ inline uint4 encode_eight(const uint4& v, std::uint32_t scale) {
  const std::uint32_t least = e5m6::least_steps(scale);
  return make_uint4(encode_pair(v.x, least), encode_pair(v.y, least), encode_pair(v.z, least),
                    encode_pair(v.w, least));
}

/// The lower bytes of eight codes.
__device__ inline uint2 lower_bytes(const uint4& codes) {
  return make_uint2(__byte_perm(codes.x, codes.y, 0x6420), __byte_perm(codes.z, codes.w, 0x6420));
}
__device__ inline e5m6::Uppers upper_bytes(const uint4& codes) {
  return {__byte_perm(codes.x, codes.y, 0x7531), __byte_perm(codes.z, codes.w, 0x7531)};
}

/// Eight codes as they lie; without anything loaded, zeros.
struct PackedEight {
  uint2 lower = {}, upper = {};
  std::uint32_t scale = 0;
};

/// A thread's eight codes of a tile, in this row and those below.
/// NOTE: steps of rows are 32 bits, up to the seventh row of the widest matrix.
struct PackedRows {
  const std::uint8_t *lower, *upper, *scale;
  unsigned tiles;  ///< tiles of a row

  __device__ PackedRows(const PackedMatrix& m, std::int64_t row, int tile, int thread)
      : tiles(static_cast<unsigned>(m.tiles)) {
    const std::int64_t index = row * m.tiles + tile;
    lower = m.values + index * kE5m6TileBytes + e5m6::lower_at(thread);
    upper = m.values + index * kE5m6TileBytes + e5m6::uppers_at(thread);
    scale = m.scales + index;
  }
  __device__ PackedEight operator[](int r) const {
    const unsigned step = static_cast<unsigned>(r) * tiles;
    const unsigned bytes = step * static_cast<unsigned>(kE5m6TileBytes);
    return {*reinterpret_cast<const uint2*>(lower + bytes),
            *reinterpret_cast<const uint2*>(upper + bytes), scale[step]};
  }
};

__device__ inline std::uint32_t decode_pair(std::uint32_t words, float factor) {
  const std::uint32_t halves = e5m6::halves_of(words);
  const float2 values = __half22float2(reinterpret_cast<const __half2&>(halves));
  const std::uint32_t bits =
      __byte_perm(__float_as_uint(values.x * factor), __float_as_uint(values.y * factor), 0x7632);
  return __vmins2(bits, e5m6::kLargestBits);
}

__device__ inline uint4 decode_eight(const PackedEight& from, int thread) {
  const float factor = __uint_as_float(e5m6::factor_of(from.scale));
  const int shift = thread < 8 ? 0 : 4;
  const uint2 upper = make_uint2(from.upper.x >> shift, from.upper.y >> shift);
  const auto pair = [&](std::uint32_t low, std::uint32_t high, unsigned bytes) {
    return decode_pair(__byte_perm(low, high, bytes), factor);
  };
  return make_uint4(pair(from.lower.x, upper.x, 0x5140), pair(from.lower.x, upper.x, 0x7362),
                    pair(from.lower.y, upper.y, 0x5140), pair(from.lower.y, upper.y, 0x7362));
}

/// Eight neighbours as BF16 pairs to memory, as what it holds.
__device__ inline void store_pairs(__nv_bfloat16* to, const uint4& v) {
  *reinterpret_cast<uint4*>(to) = v;
}
__device__ inline void store_pairs(float* to, const uint4& v) {
  auto* words = reinterpret_cast<uint4*>(to);
  words[0] = make_uint4(v.x << 16, v.x & 0xffff0000u, v.y << 16, v.y & 0xffff0000u);
  words[1] = make_uint4(v.z << 16, v.z & 0xffff0000u, v.w << 16, v.w & 0xffff0000u);
}

}  // namespace tessera::kernels::cuda
