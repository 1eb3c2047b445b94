// SPDX-License-Identifier: MIT
// A strip of up to 128 rows to E4M3 on the CPU, in tiles along rows and along tokens: what
// quantise_tile.cuh is on the GPU, with the same bits in every value and scale. Loops are of the
// kind that becomes vector code.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "core/base/threads.h"
#include "kernels/arguments.h"
#include "kernels/quantise/quantise.h"

namespace tessera::kernels::cpu {

inline constexpr float kLargest = 448.0f;  // the largest number of E4M3
inline constexpr float kSmallestMax = 1e-4f;

// NOTE: the GPU divides and multiplies in this order too.
inline float scale_of(float largest) {
  return std::max(largest, kSmallestMax) / kLargest;
}
inline float inverse_of(float largest) {
  return kLargest / std::max(largest, kSmallestMax);
}
/// A magnitude as the integer with its bits, so that maxima become vector code; a NaN is 0 and
/// loses.
inline std::uint32_t magnitude_bits(float x) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x) & 0x7fffffffu;
  return bits > 0x7f800000u ? 0 : bits;
}
inline float of_bits(std::uint32_t bits) {
  return std::bit_cast<float>(bits);
}
inline float rounded(float x) {
  return static_cast<float>(bf16(x));
}

/// The largest magnitude of `count` elements, as bits; make(i) gives one.
template <class Make>
std::uint32_t largest_bits(std::int64_t count, const Make& make) {
  std::uint32_t most = 0;
#pragma omp simd reduction(max : most)
  for (std::int64_t i = 0; i < count; ++i) most = std::max(most, magnitude_bits(make(i)));
  return most;
}

/// Writes `count` elements; make(i) gives one as a float.
template <class Make>
void write_e4m3(std::int64_t count, const Make& make, f8e4m3* to) {
#pragma omp simd  // as bytes: a loop of structures would not become vector code
  for (std::int64_t i = 0; i < count; ++i) to[i].bits = f8e4m3(make(i)).bits;
}

/// Transposes 8 x 8 bytes, a row in each word: halves of four rows change places, then quarters of
/// two, then bytes.
inline void transpose_bytes(std::array<std::uint64_t, 8>& rows) {
  constexpr std::array<std::uint64_t, 3> kMasks{0x00000000ffffffffu, 0x0000ffff0000ffffu,
                                                0x00ff00ff00ff00ffu};
  for (std::size_t step = 0; step < 3; ++step) {
    const std::size_t apart = 4u >> step;
    const unsigned bits = 32u >> step;
    for (std::size_t i = 0; i < 8; ++i) {
      if (i & apart) continue;
      std::uint64_t &upper = rows[i], &lower = rows[i + apart];
      const std::uint64_t change = (upper >> bits ^ lower) & kMasks[step];
      upper ^= change << bits;
      lower ^= change;
    }
  }
}

/// Up to 128 rows of 128 values on their way to a layout along tokens.
struct ByteTile {
  std::array<std::array<f8e4m3, kScaleTile>, kScaleTile> rows;

  /// Columns as rows of `to`, `stride` apart; height and width are multiples of 8.
  void write_transposed(std::int64_t height, std::int64_t width, f8e4m3* to,
                        std::int64_t stride) const {
    static_assert(std::endian::native == std::endian::little);
    for (std::int64_t c = 0; c < width; c += 8) {
      for (std::int64_t r = 0; r < height; r += 8) {
        std::array<std::uint64_t, 8> words;
        for (std::size_t i = 0; i < 8; ++i) {
          std::memcpy(&words[i], &rows[std::size_t(r) + i][std::size_t(c)].bits, 8);
        }
        transpose_bytes(words);
        for (std::int64_t i = 0; i < 8; ++i) {
          std::memcpy(&to[(c + i) * stride + r].bits, &words[std::size_t(i)], 8);
        }
      }
    }
  }
};

/// Rows [first, first + count) of the matrix, `strip` (count, cols), in tiles along rows.
inline void write_rows(const float* strip, std::int64_t first, std::int64_t count,
                       std::int64_t cols, const Quantised& out) {
  auto* values = out.values.data<f8e4m3>();
  for (std::int64_t r = 0; r < count; ++r) {
    for (std::int64_t tile = 0; tile < scale_tiles(cols); ++tile) {
      const std::int64_t from = tile * kScaleTile, to = std::min(cols, from + kScaleTile);
      const float* x = strip + r * cols + from;
      const float most = of_bits(largest_bits(to - from, [x](std::int64_t c) { return x[c]; }));
      const float inverse = inverse_of(most);
      row_of<float>(out.scales, tile)[first + r] = scale_of(most);
      write_e4m3(
          to - from, [=](std::int64_t c) { return x[c] * inverse; },
          values + (first + r) * cols + from);
    }
  }
}

/// The same rows, which are one tile, along tokens.
inline void write_columns(const float* strip, std::int64_t first, std::int64_t count,
                          std::int64_t cols, const Quantised& out) {
  float* scales = row_of<float>(out.scales_t, first / kScaleTile);
  const std::int64_t padded = (count + 15) / 16 * 16;
  ByteTile bytes;
  for (std::int64_t from = 0; from < cols; from += kScaleTile) {
    const std::int64_t width = std::min(kScaleTile, cols - from);
    std::array<std::uint32_t, kScaleTile> most{};
    std::array<float, kScaleTile> inverse{};
    for (std::int64_t r = 0; r < count; ++r) {
      const float* x = strip + r * cols + from;
#pragma omp simd
      for (std::int64_t c = 0; c < width; ++c) {
        most[std::size_t(c)] = std::max(most[std::size_t(c)], magnitude_bits(x[c]));
      }
    }
    for (std::int64_t c = 0; c < width; ++c) {
      inverse[std::size_t(c)] = inverse_of(of_bits(most[std::size_t(c)]));
      scales[from + c] = scale_of(of_bits(most[std::size_t(c)]));
    }
    for (std::int64_t r = 0; r < padded; ++r) {
      auto& row = bytes.rows[std::size_t(r)];
      if (r >= count) {
        row.fill(f8e4m3(0.0f));
        continue;
      }
      const float *x = strip + r * cols + from, *by = inverse.data();
      write_e4m3(
          width, [=](std::int64_t c) { return x[c] * by[c]; }, row.data());
    }
    bytes.write_transposed(padded, width, row_of<f8e4m3>(out.values_t, from) + first,
                           out.values_t.stride(0));
  }
}

template <class T>
float to_float(T value) {
  return static_cast<float>(value);
}

/// Quantises `rows` rows; make(row, to) writes one as floats, which are then rounded to BF16.
template <class Make>
void quantise_rows(std::int64_t rows, std::int64_t cols, const Quantised& out, const Make& make) {
  parallel_for(scale_tiles(rows), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> strip(static_cast<std::size_t>(kScaleTile * cols));
    for (std::int64_t tile = begin; tile < end; ++tile) {
      const std::int64_t first = tile * kScaleTile, count = std::min(kScaleTile, rows - first);
      for (std::int64_t r = 0; r < count; ++r) {
        float* row = strip.data() + r * cols;
        make(first + r, row);
#pragma omp simd
        for (std::int64_t c = 0; c < cols; ++c) row[c] = rounded(row[c]);
      }
      if (out.values) write_rows(strip.data(), first, count, cols, out);
      if (out.values_t) write_columns(strip.data(), first, count, cols, out);
    }
  });
}

/// Rows in use of `rows`.
inline std::int64_t live(const Tensor& live_rows, std::int64_t rows) {
  if (!live_rows) return rows;
  return std::clamp<std::int64_t>(*live_rows.data<std::int32_t>(), 0, rows);
}

/// Writes what was rounded to BF16 into a row of y, whatever its type; nothing where y is absent.
inline void keep(const Tensor& y, std::int64_t row, const float* from) {
  if (!y) return;
  with_element("quantise", "y", y, [&]<class Y>(Y) {
    Y* to = row_of<Y>(y, row);
    for (std::int64_t c = 0; c < y.size(1); ++c) store(to[c], rounded(from[c]));
  });
}

}  // namespace tessera::kernels::cpu
