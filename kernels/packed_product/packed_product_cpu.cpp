// SPDX-License-Identifier: MIT
// Products with packed weights on the CPU: cut into tasks of some rows of a matrix, which threads
// take one by one. Where there are few rows of x every row of the weight is read once, in order, as
// it lies; where there are many, rows of the weight are widened first and stay in the nearest
// cache.
#include "kernels/packed_product/packed_product.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "core/base/threads.h"
#include "kernels/packed_product/packed_dots.h"
#include "kernels/packed_product/packed_product_contract.h"

namespace tessera::kernels::cpu {

float round_to_wide(const float* x, std::int64_t count, std::int16_t* to) {
  constexpr std::uint32_t kInfinite = 0x7f800000u;
  // By the bits: the largest magnitude, and NaN above all.
  std::uint32_t largest = 0;
#pragma omp simd reduction(max : largest)
  for (std::int64_t i = 0; i < count; ++i) {
    largest = std::max(largest, std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffu);
  }
  const float most = std::bit_cast<float>(largest);
  const float inverse = 32767.f / most;
  if (largest >= kInfinite || !std::isfinite(inverse)) {  // not finite, zero, or next to nothing
    std::fill_n(to, count, std::int16_t{0});
    return largest >= kInfinite ? std::numeric_limits<float>::quiet_NaN() : 0.f;
  }
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  constexpr float kShift = 12582912.0f;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const float shifted = x[i] * inverse + kShift;
    to[i] = static_cast<std::int16_t>(std::bit_cast<std::uint32_t>(shifted) & 0xffffu);
  }
  return most / 32767.f;
}

namespace {

constexpr const char* kWhere = "packed_product";
constexpr std::int64_t kRowsOfTile = 4;
constexpr std::int64_t kFewRows = 3;     // of x: weights are read as they lie
constexpr std::int64_t kRowBlock = 96;   // of x, which stay in the second cache
constexpr std::int64_t kTaskRows = 128;  // of a weight, at most

/// Rows of x in 16 bits.
struct WideRows {
  std::vector<std::int16_t> numbers;  // (rows, k)
  std::vector<float> scales;          // (rows)
};

/// What one task needs: rows [from, to) of a matrix with rows [first, end) of x.
struct PackedTask {
  std::int64_t matrix, from, to, first, end;
};

struct Work {
  const WideRows& x;
  const PackedWeight& w;
  bool add;
  const Tensor& y;

  std::int64_t k() const { return w.k(); }
  std::int64_t blocks() const { return k() / kPackedBlock; }
};

/// NOTE: one function for all tiles, so that the same operations are fused for each of them.
[[gnu::noinline]] void store_sums(const LaneSums* sums, int rows, int cols, const Work& work,
                                  std::int64_t row, std::int64_t col) {
  float numbers[16];
  for (int i = 0; i < rows * cols; i += 4) sum_lanes(sums + i, numbers + i);
  for (int i = 0; i < rows; ++i) {
    const float scale = work.x.scales[static_cast<std::size_t>(row + i)];
    float* to = row_of<float>(work.y, row + i) + col;
    for (int j = 0; j < cols; ++j) {
      const float product = numbers[i * cols + j] * scale;
      to[j] = work.add ? to[j] + product : product;
    }
  }
}

template <int kRows, int kCols, class Reader>
void tile_of(const Work& work, std::int64_t row, std::int64_t col, const WeightRows<Reader>& w) {
  LaneSums sums[(kRows * kCols + 3) / 4 * 4];
  for (int i = kRows * kCols; i < (kRows * kCols + 3) / 4 * 4; ++i) sums[i] = no_sums();
  const std::int64_t k = work.k();
  packed_tile<kRows, kCols, !std::is_same_v<Reader, WideReader>>(
      work.blocks(), work.x.numbers.data() + row * k, k, w, sums);
  store_sums(sums, kRows, kCols, work, row, col);
}

/// Rows [row, end) of x with kCols rows of the weight.
template <int kMost, int kCols, class Reader>
void rows_of_tiles(const Work& work, std::int64_t row, std::int64_t end, std::int64_t col,
                   const WeightRows<Reader>& w) {
  for (; row + kMost <= end; row += kMost) tile_of<kMost, kCols>(work, row, col, w);
  if constexpr (kMost > 1) {
    if (row < end) rows_of_tiles<kMost - 1, kCols>(work, row, end, col, w);
  }
}

/// The rows of one matrix of the weight.
template <class Reader>
struct MatrixRows {
  const typename Reader::Stored* values;
  std::int64_t stride;
  const f16* scales;
  std::int64_t blocks;

  MatrixRows(const PackedWeight& w, std::int64_t matrix)
      : values(w.values.data<typename Reader::Stored>() + matrix * w.values.stride(0)),
        stride(w.values.stride(1)),
        scales(w.scales.data<f16>() + matrix * w.scales.stride(0)),
        blocks(w.scales.size(2)) {}

  /// `count` rows from `row` on, their scales in `room`.
  WeightRows<Reader> rows(std::int64_t row, std::int64_t count, float* room) const {
    widen_scales(scales + row * blocks, count * blocks, room);
    return {values + row * stride, stride, room};
  }
};

/// Few rows of x: the weight as it lies, four rows of it at a time.
template <class Reader>
void multiply_few(const Work& work, const PackedTask& t) {
  static thread_local std::vector<float> scales;
  const MatrixRows<Reader> matrix(work.w, t.matrix);
  scales.resize(static_cast<std::size_t>(4 * matrix.blocks));
  std::int64_t col = t.from;
  for (; col + 4 <= t.to; col += 4) {
    rows_of_tiles<2, 4>(work, t.first, t.end, col, matrix.rows(col, 4, scales.data()));
  }
  for (; col < t.to; ++col) {
    rows_of_tiles<2, 1>(work, t.first, t.end, col, matrix.rows(col, 1, scales.data()));
  }
}

/// Widens `count` rows from `row` on.
template <class Reader>
WeightRows<WideReader> widen_rows(const MatrixRows<Reader>& matrix, std::int64_t row,
                                  std::int64_t count, float* scales, std::int16_t* to) {
  const std::int64_t k = matrix.blocks * kPackedBlock;
  for (std::int64_t j = 0; j < count; ++j) {
    const auto* from = matrix.values + (row + j) * matrix.stride;
    for (std::int64_t block = 0; block < matrix.blocks; ++block) {
      Wide low, high;
      Reader::read(from + block * Reader::kBlockElements, low, high);
      store_wide(to + j * k + block * kPackedBlock, low);
      store_wide(to + j * k + block * kPackedBlock + 16, high);
    }
  }
  widen_scales(matrix.scales + row * matrix.blocks, count * matrix.blocks, scales);
  return {to, k, scales};
}

template <class Reader>
void multiply_many(const Work& work, const PackedTask& t) {
  constexpr std::int64_t kCols = 2;
  static thread_local std::vector<float> scales;
  static thread_local std::vector<std::int16_t> wide;
  const MatrixRows<Reader> matrix(work.w, t.matrix);
  scales.resize(static_cast<std::size_t>(kCols * matrix.blocks));
  wide.resize(static_cast<std::size_t>(kCols * work.k()));
  for (std::int64_t row = t.first; row < t.end; row += kRowBlock) {
    const std::int64_t end = std::min(row + kRowBlock, t.end);
    std::int64_t col = t.from;
    for (; col + kCols <= t.to; col += kCols) {
      const auto two = widen_rows(matrix, col, kCols, scales.data(), wide.data());
      rows_of_tiles<kRowsOfTile, kCols>(work, row, end, col, two);
    }
    if (col < t.to) {
      const auto one = widen_rows(matrix, col, 1, scales.data(), wide.data());
      rows_of_tiles<kRowsOfTile, 1>(work, row, end, col, one);
    }
  }
}

template <class Reader>
void multiply(const Work& work, const PackedTask& t) {
  if (t.end - t.first <= kFewRows) return multiply_few<Reader>(work, t);
  multiply_many<Reader>(work, t);
}

/// Rows of x in 16 bits, as many as are multiplied.
WideRows widen(const Tensor& x, std::int64_t rows) {
  WideRows made;
  const std::int64_t k = x.size(1);
  made.numbers.resize(static_cast<std::size_t>(rows * k));
  made.scales.resize(static_cast<std::size_t>(rows));
  parallel_for(rows, rows_per_piece(k), [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t row = from; row < to; ++row) {
      made.scales[static_cast<std::size_t>(row)] =
          round_to_wide(row_of<float>(x, row), k, made.numbers.data() + row * k);
    }
  });
  return made;
}

/// Rows of a weight per task: about four tasks a thread, and none so small that taking it costs.
std::int64_t rows_per_task(std::int64_t all_rows, std::int64_t k) {
  constexpr std::int64_t kWorthATask = 1 << 15;  // numbers
  const std::int64_t wanted = all_rows / (4 * omp_get_max_threads());
  const std::int64_t least = std::min(kTaskRows, (kWorthATask + k - 1) / k);
  return (std::clamp(wanted, least, kTaskRows) + 3) / 4 * 4;
}

std::vector<PackedTask> tasks_of(const PackedWeight& w, const Tensor& offsets, std::int64_t rows) {
  std::vector<PackedTask> tasks;
  const auto* at = offsets ? offsets.data<std::int32_t>() : nullptr;
  std::int64_t used = 0;
  for (std::int64_t e = 0; e < w.batch(); ++e) used += !at || at[e] < at[e + 1] ? 1 : 0;
  const std::int64_t step = rows_per_task(used * w.n(), w.k());
  for (std::int64_t e = 0; e < w.batch(); ++e) {
    const std::int64_t first = at ? at[e] : 0, end = at ? at[e + 1] : rows;
    if (first == end) continue;
    for (std::int64_t from = 0; from < w.n(); from += step) {
      tasks.push_back({e, from, std::min(from + step, w.n()), first, end});
    }
  }
  return tasks;
}

void multiply_wide(const Tensor& x, const PackedWeight& w, const Tensor& offsets, bool add,
                   std::int64_t rows, const Tensor& y) {
  const WideRows wide = widen(x, rows);
  const Work work{wide, w, add, y};
  const std::vector<PackedTask> tasks = tasks_of(w, offsets, rows);
  parallel_tasks(static_cast<std::int64_t>(tasks.size()), [&](std::int64_t i) {
    const PackedTask& task = tasks[static_cast<std::size_t>(i)];
    if (w.packing() == Packing::Q8_0) {
      multiply<ByteReader>(work, task);
    } else {
      multiply<HalfByteReader>(work, task);
    }
  });
}

/// The same without rounding, one number after the other.
void multiply_exact(const Tensor& x, const PackedWeight& w, const Tensor& offsets, bool add,
                    std::int64_t rows, const Tensor& y) {
  const std::int64_t n = w.n(), k = w.k();
  std::vector<double> numbers(static_cast<std::size_t>(w.batch() * n * k));
  unpack_weight(w, Tensor(numbers.data(), DType::F64, {w.batch() * n, k}));
  for (const PackedTask& t : tasks_of(w, offsets, rows)) {
    for (std::int64_t row = t.first; row < t.end; ++row) {
      for (std::int64_t col = t.from; col < t.to; ++col) {
        const double* weight = numbers.data() + (t.matrix * n + col) * k;
        double sum = 0;
        for (std::int64_t i = 0; i < k; ++i) sum += row_of<double>(x, row)[i] * weight[i];
        double& to = row_of<double>(y, row)[col];
        to = add ? to + sum : sum;
      }
    }
  }
}

/// Checks the offsets; returns how many rows are multiplied.
std::int64_t rows_multiplied(const Tensor& x, const PackedWeight& w, const Tensor& offsets) {
  if (!offsets) return x.size(0);
  const auto* at = offsets.data<std::int32_t>();
  for (std::int64_t e = 0; e < w.batch(); ++e) {
    require(at[e] >= 0 && at[e] <= at[e + 1] && at[e + 1] <= x.size(0), kWhere,
            "expert {} has rows {} to {} of {}", e, at[e], at[e + 1], x.size(0));
  }
  return at[w.batch()];
}

}  // namespace

void packed_product(Context&, const Tensor& x, const PackedWeight& w, const Tensor& offsets,
                    float beta, const Tensor& y) {
  contract::packed_product(kWhere, x, w, offsets, beta, y);
  const std::int64_t rows = rows_multiplied(x, w, offsets);
  with_float(kWhere, "x", x, [&]<class T>(T) {
    if constexpr (std::is_same_v<T, float>) {
      multiply_wide(x, w, offsets, beta != 0, rows, y);
    } else {
      multiply_exact(x, w, offsets, beta != 0, rows, y);
    }
  });
}

}  // namespace tessera::kernels::cpu
