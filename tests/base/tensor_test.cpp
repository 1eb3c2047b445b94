// SPDX-License-Identifier: MIT
#include "core/base/tensor.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "core/base/error.h"

namespace tessera {
namespace {

class TensorTest : public ::testing::Test {
 protected:
  TensorTest() : values_(24) { std::iota(values_.begin(), values_.end(), 0.f); }
  Tensor view(std::initializer_list<std::int64_t> shape) {
    return Tensor(values_.data(), DType::F32, shape);
  }
  static float first(const Tensor& tensor) { return *tensor.data<float>(); }

  std::vector<float> values_;
};

TEST_F(TensorTest, IsRowMajor) {
  const Tensor t = view({2, 3, 4});
  EXPECT_EQ(t.rank(), 3);
  EXPECT_EQ(t.numel(), 24);
  EXPECT_EQ(t.bytes(), 96u);
  EXPECT_EQ(t.stride(0), 12);
  EXPECT_EQ(t.stride(1), 4);
  EXPECT_EQ(t.stride(-1), 1);
  EXPECT_EQ(t.size(-2), 3);
  EXPECT_TRUE(t.is_contiguous());
  EXPECT_EQ(t.describe(), "F32(2, 3, 4)");
}

TEST_F(TensorTest, AbsentIsFalse) {
  const Tensor absent;
  EXPECT_FALSE(absent);
  EXPECT_EQ(absent.numel(), 0);
  EXPECT_EQ(absent.describe(), "absent");
  EXPECT_TRUE(view({24}));
}

TEST_F(TensorTest, SlicesShareMemory) {
  const Tensor t = view({4, 6});
  const Tensor columns = t.slice(1, 2, 5);
  EXPECT_EQ(columns.size(1), 3);
  EXPECT_EQ(columns.stride(0), 6);
  EXPECT_EQ(first(columns), 2.f);
  EXPECT_FALSE(columns.is_contiguous());
  EXPECT_EQ(first(t.slice(0, 3, 4)), 18.f);
  EXPECT_EQ(first(t.slice(-1, 5, 6)), 5.f);
  EXPECT_EQ(t.slice(0, 2, 2).numel(), 0);
  EXPECT_THROW(t.slice(0, 3, 5), Error);
  EXPECT_THROW(t.slice(0, 2, 1), Error);
  EXPECT_THROW(t.slice(2, 0, 1), Error);
}

TEST_F(TensorTest, AnIndexDropsTheFirstDimension) {
  const Tensor row = view({2, 3, 4})[1];
  EXPECT_EQ(row.rank(), 2);
  EXPECT_EQ(row.size(0), 3);
  EXPECT_EQ(row.stride(0), 4);
  EXPECT_EQ(first(row), 12.f);
  EXPECT_EQ(first(row[2]), 20.f);
  EXPECT_THROW(view({24})[0], Error);
  EXPECT_THROW(view({2, 12})[2], Error);
}

TEST_F(TensorTest, ReshapeWantsContiguousAndEqualSize) {
  EXPECT_EQ(view({2, 12}).reshape({3, 8}).size(1), 8);
  EXPECT_THROW(view({2, 12}).reshape({5, 5}), Error);
  EXPECT_THROW(view({2, 12}).slice(1, 0, 6).reshape({12}), Error);
}

TEST_F(TensorTest, SplitLastKeepsOuterStrides) {
  const Tensor wide = view({2, 12}).slice(1, 0, 6);
  const Tensor heads = wide.split_last(3, 2);
  EXPECT_EQ(heads.rank(), 3);
  EXPECT_EQ(heads.stride(0), 12);
  EXPECT_EQ(heads.stride(1), 2);
  EXPECT_EQ(heads.size(2), 2);
  EXPECT_EQ(first(heads[1]), 12.f);
  EXPECT_THROW(wide.split_last(2, 2), Error);
}

TEST_F(TensorTest, TransposeExchangesStrides) {
  const Tensor t = view({4, 6}).transpose(0, 1);
  EXPECT_EQ(t.size(0), 6);
  EXPECT_EQ(t.stride(0), 1);
  EXPECT_EQ(first(t[2]), 2.f);
  EXPECT_FALSE(t.is_contiguous());
}

TEST_F(TensorTest, DataChecksTheType) {
  EXPECT_THROW(view({24}).data<double>(), Error);
  EXPECT_THROW(view({24}).data<bf16>(), Error);
}

TEST_F(TensorTest, RefusesBadShapes) {
  EXPECT_THROW(view({}), Error);
  EXPECT_THROW(view({1, 1, 1, 1, 1}), Error);
  EXPECT_THROW(view({2, -1}), Error);
}

TEST_F(TensorTest, DimensionsOfOneDoNotBreakContiguity) {
  EXPECT_TRUE(view({4, 6}).slice(0, 1, 2).is_contiguous());
  EXPECT_TRUE(view({1, 24}).slice(1, 3, 9).is_contiguous());
}

}  // namespace
}  // namespace tessera
