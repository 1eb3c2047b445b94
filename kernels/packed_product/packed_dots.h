// SPDX-License-Identifier: MIT
// Dot products of rows in 16 bits with rows in blocks of 32 numbers of 8 or 4 bits. A row is summed
// in eight lanes: within a block in whole numbers, which is exact, and over the blocks in F32, in
// their order. That order is the same for every tile and every reader below, and on processors
// without AVX2 too, where the same lanes are loops.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "core/base/dtype.h"
#include "kernels/packed_product/packed_weight.h"

#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#define TESSERA_PACKED_AVX2 1
#include <immintrin.h>
#endif

namespace tessera::kernels::cpu {

inline constexpr int kPackedLanes = 8;

#ifdef TESSERA_PACKED_AVX2

using LaneSums = __m256;
/// 16 numbers of 16 bits.
using Wide = __m256i;

inline LaneSums no_sums() {
  return _mm256_setzero_ps();
}
inline Wide load_wide(const std::int16_t* x) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
}
inline LaneSums load_scale(const float* scale) {
  return _mm256_broadcast_ss(scale);
}
/// sums + scale (the products of a block, two by two and half by half).
inline LaneSums add_block(LaneSums sums, LaneSums scale, const std::int16_t* x, Wide low,
                          Wide high) {
  const __m256i products = _mm256_add_epi32(_mm256_madd_epi16(low, load_wide(x)),
                                            _mm256_madd_epi16(high, load_wide(x + 16)));
  return _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), scale, sums);
}
/// The sums of the lanes of four, in one order for each.
inline void sum_lanes(const LaneSums* four, float* to) {
  const __m256 ab = _mm256_hadd_ps(four[0], four[1]), cd = _mm256_hadd_ps(four[2], four[3]);
  const __m256 both = _mm256_hadd_ps(ab, cd);
  _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(both), _mm256_extractf128_ps(both, 1)));
}
inline Wide widen_bytes(const std::int8_t* x) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
}
inline void store_wide(std::int16_t* to, Wide x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x);
}
inline void widen_halves(const std::uint8_t* x, Wide& low, Wide& high) {
  const __m256i both = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
  const __m256i middle = _mm256_set1_epi16(8);
  low = _mm256_sub_epi16(_mm256_and_si256(both, _mm256_set1_epi16(15)), middle);
  high = _mm256_sub_epi16(_mm256_srli_epi16(both, 4), middle);
}

#else

struct LaneSums {
  float lane[kPackedLanes];
};
struct Wide {
  std::int16_t number[16];
};

inline LaneSums no_sums() {
  return {};
}
inline Wide load_wide(const std::int16_t* x) {
  Wide wide;
  std::memcpy(wide.number, x, sizeof wide.number);
  return wide;
}
inline LaneSums load_scale(const float* scale) {
  LaneSums all;
  for (float& lane : all.lane) lane = *scale;
  return all;
}
inline LaneSums add_block(LaneSums sums, LaneSums scale, const std::int16_t* x, Wide low,
                          Wide high) {
  for (int i = 0; i < kPackedLanes; ++i) {
    const int products = low.number[2 * i] * x[2 * i] + low.number[2 * i + 1] * x[2 * i + 1] +
                         high.number[2 * i] * x[16 + 2 * i] +
                         high.number[2 * i + 1] * x[17 + 2 * i];
    sums.lane[i] += static_cast<float>(products) * scale.lane[i];
  }
  return sums;
}
inline void sum_lanes(const LaneSums* four, float* to) {
  for (int i = 0; i < 4; ++i) {
    const float* x = four[i].lane;
    to[i] = ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
  }
}
inline Wide widen_bytes(const std::int8_t* x) {
  Wide wide;
  for (int i = 0; i < 16; ++i) wide.number[i] = x[i];
  return wide;
}
inline void store_wide(std::int16_t* to, Wide x) {
  std::memcpy(to, x.number, sizeof x.number);
}
inline void widen_halves(const std::uint8_t* x, Wide& low, Wide& high) {
  for (int i = 0; i < 16; ++i) {
    low.number[i] = static_cast<std::int16_t>((x[i] & 15) - 8);
    high.number[i] = static_cast<std::int16_t>((x[i] >> 4) - 8);
  }
}

#endif

// Readers: how the two halves of a block of a row come to be 16 numbers of 16 bits each.

struct ByteReader {  // Q8_0
  using Stored = std::int8_t;
  static constexpr std::int64_t kBlockElements = 32;
  static void read(const Stored* block, Wide& low, Wide& high) {
    low = widen_bytes(block);
    high = widen_bytes(block + 16);
  }
};

struct HalfByteReader {  // Q4_0
  using Stored = std::uint8_t;
  static constexpr std::int64_t kBlockElements = 16;
  static void read(const Stored* block, Wide& low, Wide& high) { widen_halves(block, low, high); }
};

struct WideReader {  // either, widened before
  using Stored = std::int16_t;
  static constexpr std::int64_t kBlockElements = 32;
  static void read(const Stored* block, Wide& low, Wide& high) {
    low = load_wide(block);
    high = load_wide(block + 16);
  }
};

/// Rows of weights and their scales, widened to F32.
template <class Reader>
struct WeightRows {
  const typename Reader::Stored* values;
  std::int64_t stride;  ///< elements from row to row
  const float* scales;  ///< (rows, blocks)
};

/// sums[i * kCols + j]: row i of x with row j of w, in lanes. `kOnce`: the weight comes from memory
/// and is read by few tiles. The next rows are asked for then: rows are too short for the processor
/// to find out by itself.
template <int kRows, int kCols, bool kOnce, class Reader>
inline void packed_tile(std::int64_t blocks, const std::int16_t* x, std::int64_t x_stride,
                        const WeightRows<Reader>& w, LaneSums* sums) {
  LaneSums all[kRows * kCols];
  for (LaneSums& one : all) one = no_sums();
  for (std::int64_t block = 0; block < blocks; ++block) {
#pragma GCC unroll 4
    for (int j = 0; j < kCols; ++j) {
      Wide low, high;
      const auto* numbers = w.values + j * w.stride + block * Reader::kBlockElements;
      if (kOnce) __builtin_prefetch(numbers + kCols * w.stride, 0, 2);
      Reader::read(numbers, low, high);
      const LaneSums scale = load_scale(w.scales + j * blocks + block);
#pragma GCC unroll 4
      for (int i = 0; i < kRows; ++i) {
        LaneSums& sum = all[i * kCols + j];
        sum = add_block(sum, scale, x + i * x_stride + block * kPackedBlock, low, high);
      }
    }
  }
  for (int i = 0; i < kRows * kCols; ++i) sums[i] = all[i];
}

/// Halves to floats.
inline void widen_scales(const f16* from, std::int64_t count, float* to) {
  std::int64_t i = 0;
#ifdef TESSERA_PACKED_AVX2
  for (; i + 8 <= count; i += 8) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(halves));
  }
#endif
  for (; i < count; ++i) to[i] = static_cast<float>(from[i]);
}

/// Rounds a row to 16 bits; returns what its numbers are multiplied by. NaN where the row has a NaN
/// or an infinity, whose numbers are then 0.
float round_to_wide(const float* x, std::int64_t count, std::int16_t* to);

}  // namespace tessera::kernels::cpu
