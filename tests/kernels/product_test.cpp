// SPDX-License-Identifier: MIT
// The cases compare F32 and BF16 with F64 on the CPU; these compare F64, and every path of F32,
// with loops that show the definition.
#include "kernels/product/product.h"

#include "core/base/random.h"
#include "core/base/threads.h"
#include "kernels/grouped_product/grouped_product.h"
#include "kernels/product/gemm.h"
#include "kernels/product/rows_alone.h"
#include "tests/kernels/kernel_fixture.h"

namespace tessera::kernels {
namespace {

constexpr Transpose kTransposes[] = {Transpose::None, Transpose::B, Transpose::A};

struct Sizes {
  std::int64_t m, n, k;
};

/// A random matrix of which element (row, col) lies at row * stride + col.
template <class T>
struct Matrix {
  Matrix(std::int64_t row_count, std::int64_t col_count, std::uint64_t stream, std::int64_t pad)
      : rows(row_count), cols(col_count), stride(col_count + pad) {
    const Random random(1, stream);
    for (std::int64_t i = 0; i < rows * stride; ++i) {
      values.push_back(T(static_cast<float>(random.normal(static_cast<std::uint64_t>(i)))));
    }
    values.push_back(T(0));  // so that there is an address when there are no elements
  }
  Tensor tensor() { return Tensor(values.data(), dtype_of<T>(), {rows, stride}).slice(1, 0, cols); }
  double at(std::int64_t row, std::int64_t col) const {
    const T value = values[static_cast<std::size_t>(row * stride + col)];
    if constexpr (std::is_same_v<T, bf16>) {
      return static_cast<float>(value);
    } else {
      return value;
    }
  }
  std::int64_t rows, cols, stride;
  std::vector<T> values;
};

/// Relative error of one product against the definition.
template <class In, class Out>
double product_error(Transpose transpose, const Sizes& s, float beta, std::int64_t pad) {
  const bool a_t = transpose == Transpose::A, b_t = transpose == Transpose::B;
  Matrix<In> a(a_t ? s.k : s.m, a_t ? s.m : s.k, 1, pad),
      b(b_t ? s.n : s.k, b_t ? s.k : s.n, 2, pad);
  Matrix<Out> c(s.m, s.n, 3, pad);
  const Matrix<Out> before = c;
  Context context;
  product(context, a.tensor(), b.tensor(), transpose, beta, c.tensor());
  double difference = 0, size = 1e-30;
  for (std::int64_t i = 0; i < s.m; ++i) {
    for (std::int64_t j = 0; j < s.n; ++j) {
      double sum = beta != 0 ? before.at(i, j) : 0.0;
      for (std::int64_t p = 0; p < s.k; ++p) {
        sum += (a_t ? a.at(p, i) : a.at(i, p)) * (b_t ? b.at(j, p) : b.at(p, j));
      }
      difference += (c.at(i, j) - sum) * (c.at(i, j) - sum);
      size += sum * sum;
    }
  }
  return std::sqrt(difference / size);
}

template <class In, class Out>
void expect_products(double tolerance) {
  // Edges of register tiles and blocks, few rows, and strides that pick each path.
  const Sizes sizes[] = {{1, 1, 1},      {2, 40, 33},     {4, 9, 17}, {6, 16, 5},
                         {13, 33, 300},  {7, 100, 1},     {3, 2, 0},  {100, 130, 70},
                         {128, 512, 60}, {110, 1050, 270}};
  for (Transpose transpose : kTransposes) {
    for (const Sizes& s : sizes) {
      for (float beta : {0.0f, 1.0f}) {
        for (std::int64_t pad : {0, 3}) {
          EXPECT_LT((product_error<In, Out>(transpose, s, beta, pad)), tolerance)
              << s.m << " x " << s.n << " x " << s.k << " transpose " << static_cast<int>(transpose)
              << " beta " << beta << " pad " << pad;
        }
      }
    }
  }
}

TEST(Product, MatchesItsDefinitionInF64) {
  expect_products<double, double>(1e-14);
}
TEST(Product, MatchesItsDefinitionInF32) {
  expect_products<float, float>(1e-6);
}
TEST(Product, MatchesItsDefinitionInBf16) {
  expect_products<bf16, float>(1e-6);
}

TEST(Product, WithoutTermsClearsOrKeeps) {
  std::vector<float> none(1), c{kNan, kNan};
  Context context;
  const Tensor a(none.data(), DType::F32, {2, 0}), b(none.data(), DType::F32, {0, 1});
  product(context, a, b, Transpose::None, 0, view(c, {2, 1}));
  expect_near(c, {0, 0}, 0);
  c = {5, 6};
  product(context, a, b, Transpose::None, 1, view(c, {2, 1}));
  expect_near(c, {5, 6}, 0);
}

TEST(Product, HasTheSameValuesInsideAParallelRegion) {
  Matrix<float> a(64, 80, 1, 0), b(48, 80, 2, 0);
  std::vector<std::vector<float>> results(5, std::vector<float>(64 * 48));
  const auto multiply = [&](std::int64_t i) {
    Context context;
    product(context, a.tensor(), b.tensor(), Transpose::B, 0,
            view(results[static_cast<std::size_t>(i)], {64, 48}));
  };
  multiply(0);
  parallel_tasks(4, [&](std::int64_t i) { multiply(i + 1); });
  for (std::size_t i = 1; i < results.size(); ++i) {
    expect_near(results[i], {results[0].begin(), results[0].end()}, 1e-5);
  }
}

TEST(Product, MatchesItsDefinitionWithRowsAlone) {
  const RowsAlone alone;
  expect_products<double, double>(1e-14);
  expect_products<float, float>(1e-6);
  expect_products<bf16, float>(1e-6);
}

/// Each row of a product over `rows` rows against a product of this row alone, to the last bit.
template <class In, class Out>
void expect_rows_alone(Transpose transpose, std::int64_t rows, std::int64_t cols,
                       std::int64_t depth) {
  const bool b_t = transpose == Transpose::B;
  Matrix<In> a(rows, depth, 1, 0), b(b_t ? cols : depth, b_t ? depth : cols, 2, 0);
  Matrix<Out> all(rows, cols, 3, 0), one(rows, cols, 3, 0);
  Context context;
  const RowsAlone alone;
  product(context, a.tensor(), b.tensor(), transpose, 1, all.tensor());
  for (std::int64_t row = 0; row < rows; ++row) {
    const OneThread serial;
    product(context, a.tensor().slice(0, row, row + 1), b.tensor(), transpose, 1,
            one.tensor().slice(0, row, row + 1));
  }
  for (std::size_t i = 0; i < all.values.size(); ++i) {
    ASSERT_EQ(all.values[i], one.values[i])
        << rows << " x " << cols << " x " << depth << " at " << i;
  }
}

TEST(Product, RowsAloneDoNotDependOnOtherRows) {
  for (const Transpose transpose : {Transpose::B, Transpose::None}) {
    for (const std::int64_t rows : {1, 2, 3, 4, 5, 47, 100}) {
      for (const std::int64_t depth : {1, 8, 33, 264}) {
        expect_rows_alone<float, float>(transpose, rows, 70, depth);
        expect_rows_alone<bf16, float>(transpose, rows, 37, depth);
        expect_rows_alone<double, double>(transpose, rows, 9, depth);
      }
    }
  }
}

TEST(Product, RowsAloneEndsWithItsScope) {
  EXPECT_FALSE(RowsAlone::on());
  {
    const RowsAlone alone;
    const RowsAlone not_here(false);
    EXPECT_FALSE(RowsAlone::on());
  }
  EXPECT_FALSE(RowsAlone::on());
}

TEST(Product, RowsAloneHoldsForGroups) {
  constexpr std::int64_t kRows = 150, kExperts = 3, kWidth = 20, kDepth = 70;
  Matrix<float> x(kRows, kDepth, 1, 0), w(kExperts * kWidth, kDepth, 2, 0);
  Matrix<float> all(kRows, kWidth, 3, 0), one(1, kWidth, 3, 0);
  const Tensor weights(w.values.data(), DType::F32, {kExperts, kWidth, kDepth});
  std::vector<std::int32_t> offsets{0, 1, 1, 150};
  Context context;
  const RowsAlone alone;
  grouped_product(context, x.tensor(), weights, Tensor(offsets.data(), DType::I32, {4}),
                  all.tensor());
  for (std::int64_t row = 0; row < kRows; ++row) {
    std::vector<std::int32_t> single{0, row < 1 ? 1 : 0, row < 1 ? 1 : 0, 1};
    grouped_product(context, x.tensor().slice(0, row, row + 1), weights,
                    Tensor(single.data(), DType::I32, {4}), one.tensor());
    for (std::int64_t col = 0; col < kWidth; ++col) {
      ASSERT_EQ(all.at(row, col), one.at(0, col)) << row << ", " << col;
    }
  }
}

TEST(Product, RefusesWhatDoesNotFit) {
  std::vector<float> x(12), y(12), z(16);
  std::vector<std::int32_t> integers(12);
  Context context;
  const auto multiply = [&](const Tensor& a, const Tensor& b, float beta) {
    return [&context, &z, a, b, beta] {
      product(context, a, b, Transpose::B, beta, view(z, {4, 4}));
    };
  };
  expect_error(multiply(view(x, {4, 3}), view(y, {3, 4}), 0), "do not go together");
  expect_error(multiply(view(x, {4, 3}), view(y, {4, 3}), 0.5), "beta");
  expect_error(multiply(view(x, {4, 3}), view(integers, {4, 3}), 0), "do not go together");
  expect_error(multiply(view(x, {3, 4}).transpose(0, 1), view(y, {4, 3}), 0), "contiguous");
}

TEST(Product, MeasuresItsRate) {
  EXPECT_GT(measure_product_flops(DType::F32), 1e6);
  EXPECT_TRUE(has_native_product(DType::F32));
  EXPECT_FALSE(has_native_product(DType::I32));
}

}  // namespace
}  // namespace tessera::kernels
