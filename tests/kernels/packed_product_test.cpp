// SPDX-License-Identifier: MIT
// The cases compare with F64; these look at what the contract promises besides: a row's bits do not
// depend on other rows or threads, and numbers that cannot be held are told.
#include "kernels/packed_product/packed_product.h"

#include <cmath>
#include <limits>

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/base/threads.h"
#include "tests/kernels/kernel_fixture.h"

namespace tessera::kernels {
namespace {

constexpr Packing kPackings[] = {Packing::Q8_0, Packing::Q4_0};

std::vector<float> normals(std::int64_t count, std::uint64_t stream) {
  const Random random(3, stream);
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>(random.normal(static_cast<std::uint64_t>(i))));
  }
  return values;
}

/// A packed weight with its memory.
struct Packed {
  std::vector<std::byte> values, scales;
  PackedWeight weight;
  std::int64_t refused;

  Packed(Packing packing, std::int64_t batch, std::int64_t n, std::int64_t k,
         std::vector<float> numbers) {
    const auto take = [&](DType type, std::int64_t a, std::int64_t b, std::int64_t c) {
      std::vector<std::byte>& memory = type == DType::F16 ? scales : values;
      memory.resize(static_cast<std::size_t>(a * b * c) * size_of(type));
      return Tensor(memory.data(), type, {a, b, c});
    };
    weight = packed_layout(packing, batch, n, k, take);
    refused = pack_weight(Tensor(numbers.data(), DType::F32, {batch, n, k}), weight);
  }
};

std::vector<float> multiply(const PackedWeight& w, std::vector<float> x, std::int64_t rows,
                            std::vector<std::int32_t> offsets = {}) {
  std::vector<float> y(static_cast<std::size_t>(rows * w.n()));
  Context context;
  const Tensor at =
      offsets.empty() ? Tensor() : Tensor(offsets.data(), DType::I32, {std::ssize(offsets)});
  packed_product(context, Tensor(x.data(), DType::F32, {rows, w.k()}), w, at, 0,
                 Tensor(y.data(), DType::F32, {rows, w.n()}));
  return y;
}

std::vector<float> part(const std::vector<float>& all, std::int64_t from, std::int64_t count) {
  return {all.begin() + from, all.begin() + from + count};
}

/// Equal bits, NaN included.
void expect_same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0);
}

TEST(PackedProduct, ARowHasTheSameBitsBesideAnyOthers) {
  for (const Packing packing : kPackings) {
    for (const std::int64_t n : {1, 5, 66}) {
      const std::int64_t k = 160, most = 103;
      const Packed w(packing, 1, n, k, normals(n * k, 1));
      const std::vector<float> x = normals(most * k, 2);
      std::vector<float> alone;
      for (std::int64_t row = 0; row < most; ++row) {
        const std::vector<float> y = multiply(w.weight, part(x, row * k, k), 1);
        alone.insert(alone.end(), y.begin(), y.end());
      }
      for (const std::int64_t rows : {2, 3, 4, 5, 7, 16, 97, 103}) {
        SCOPED_TRACE(fmt::format("{} n {} rows {}", name_of(packing), n, rows));
        for (const std::int64_t first : {std::int64_t{0}, most - rows}) {
          expect_same_bits(multiply(w.weight, part(x, first * k, rows * k), rows),
                           part(alone, first * n, rows * n));
        }
      }
    }
  }
}

TEST(PackedProduct, ExpertsAreDenseProductsAndThreadsDoNotMatter) {
  for (const Packing packing : kPackings) {
    const std::int64_t experts = 5, n = 37, k = 96;
    const std::vector<float> numbers = normals(experts * n * k, 4);
    const Packed w(packing, experts, n, k, numbers);
    const std::vector<std::int32_t> offsets{0, 1, 1, 9, 12, 30};
    const std::vector<float> x = normals(30 * k, 5);
    std::vector<float> wanted;
    for (std::size_t e = 0; e < 5; ++e) {
      const auto first = static_cast<std::int64_t>(e) * n * k;
      const Packed one(packing, 1, n, k, part(numbers, first, n * k));
      const std::int64_t rows = offsets[e + 1] - offsets[e];
      const std::vector<float> y = multiply(one.weight, part(x, offsets[e] * k, rows * k), rows);
      wanted.insert(wanted.end(), y.begin(), y.end());
    }
    const int before = omp_get_max_threads();
    for (const int threads : {1, 2, 3, 8}) {
      omp_set_num_threads(threads);
      expect_same_bits(multiply(w.weight, x, 30, offsets), wanted);
    }
    omp_set_num_threads(before);
  }
}

TEST(PackedProduct, WhatIsNotFiniteStaysInItsRow) {
  constexpr float kHuge = std::numeric_limits<float>::infinity();
  const std::int64_t k = 64, n = 9;
  for (const Packing packing : kPackings) {
    const Packed w(packing, 1, n, k, normals(n * k, 6));
    const std::vector<float> x = normals(3 * k, 7);
    const std::vector<float> whole = multiply(w.weight, x, 3);
    for (const float bad : {kHuge, -kHuge, std::nanf("")}) {
      std::vector<float> broken = x;
      broken[static_cast<std::size_t>(k + 5)] = bad;
      const std::vector<float> y = multiply(w.weight, broken, 3);
      for (std::int64_t j = 0; j < n; ++j) EXPECT_TRUE(std::isnan(y[std::size_t(n + j)])) << bad;
      expect_same_bits(part(y, 0, n), part(whole, 0, n));
      expect_same_bits(part(y, 2 * n, n), part(whole, 2 * n, n));
    }
  }
}

TEST(PackedProduct, RowsOfZerosAndOfTinyAndLargeNumbers) {
  const std::int64_t k = 32;
  for (const Packing packing : kPackings) {
    const Packed w(packing, 1, 4, k, std::vector<float>(4 * 32, 0.5f));
    for (const float value : {0.f, 1e-45f, 1e-30f, 1.f, 1e30f}) {
      const std::vector<float> y = multiply(w.weight, std::vector<float>(32, value), 1);
      // 1e-45 is next to nothing: its reciprocal is no number, and it counts as zero.
      const double wanted = value < 1e-37f ? 0 : 16.0 * static_cast<double>(value);
      for (const float one : y) EXPECT_NEAR(one, wanted, 1e-3 * wanted) << value;
    }
  }
}

TEST(PackedWeights, TellWhichNumberTheyCannotHold) {
  for (const Packing packing : kPackings) {
    std::vector<float> numbers = normals(4 * 96, 8);
    EXPECT_EQ(Packed(packing, 2, 2, 96, numbers).refused, -1);
    for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf(""), 1e30f}) {
      std::vector<float> broken = numbers;
      broken[250] = broken[333] = bad;
      EXPECT_EQ(Packed(packing, 2, 2, 96, broken).refused, 250) << bad;
    }
  }
}

TEST(PackedWeights, UnpackedNumbersAreNearAndPackToThemselves) {
  for (const Packing packing : kPackings) {
    const std::vector<float> numbers = normals(3 * 7 * 64, 9);
    const Packed first(packing, 3, 7, 64, numbers);
    std::vector<float> read(numbers.size());
    unpack_weight(first.weight, Tensor(read.data(), DType::F32, {3, 7, 64}));
    // Half a step of the levels (a whole one at the end of 4 bits), and half a bit of the scale.
    const double step = (packing == Packing::Q8_0 ? 1.0 / 254 : 1.0 / 8) + 0x1p-11;
    for (std::size_t block = 0; block < numbers.size(); block += 32) {
      float largest = 0;
      for (std::size_t i = 0; i < 32; ++i) {
        largest = std::max(largest, std::fabs(numbers[block + i]));
      }
      for (std::size_t i = 0; i < 32; ++i) {
        EXPECT_NEAR(read[block + i], numbers[block + i],
                    1.001 * step * static_cast<double>(largest));
      }
    }
    const Packed again(packing, 3, 7, 64, read);
    std::vector<float> twice(numbers.size());
    unpack_weight(again.weight, Tensor(twice.data(), DType::F32, {3, 7, 64}));
    for (std::size_t i = 0; i < read.size(); ++i) {
      EXPECT_NEAR(twice[i], read[i], 1e-3 * std::fabs(static_cast<double>(read[i])));
    }
  }
}

TEST(PackedProduct, RefusesWhatDoesNotGoTogether) {
  const Packed w(Packing::Q8_0, 2, 4, 64, normals(2 * 4 * 64, 1));
  EXPECT_THROW(multiply(w.weight, normals(64, 2), 1), Error);  // no offsets
  EXPECT_THROW(multiply(w.weight, normals(64, 2), 1, {0, 2, 2}),
               Error);                                                 // more rows than there are
  EXPECT_THROW(multiply(w.weight, normals(64, 2), 1, {0, 1}), Error);  // one expert too few
  EXPECT_THROW(multiply(w.weight, normals(64, 2), 1, {1, 0, 1}), Error);  // not rising
  EXPECT_NO_THROW(multiply(w.weight, normals(64, 2), 1, {0, 0, 1}));
}

}  // namespace
}  // namespace tessera::kernels
