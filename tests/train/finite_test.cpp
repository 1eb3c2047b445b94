// SPDX-License-Identifier: MIT
#include "core/train/finite.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace tessera {
namespace {

TEST(Finite, NamesTheTensorThatIsSpoilt) {
  std::vector<float> good(3000, 1.f), bad(3000, 1.f);
  std::vector<bf16> moments(100, bf16(2.f));
  CheckpointContents contents;
  const auto view = [](auto& values, DType dtype) {
    return Tensor(values.data(), dtype, {static_cast<std::int64_t>(values.size())});
  };
  contents.weights = {{"a", view(good, DType::F32)}, {"b", view(bad, DType::F32)}};
  contents.optimiser = {{"m.a", view(moments, DType::BF16)}};
  good[7] = std::numeric_limits<float>::max();
  good[8] = -std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(first_not_finite(contents), "");
  moments[99] = bf16(-std::numeric_limits<float>::infinity());
  EXPECT_EQ(first_not_finite(contents), "m.a");
  for (const float value :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    bad[2999] = value;
    EXPECT_EQ(first_not_finite(contents), "b") << value;
  }
}

TEST(Finite, ReadsRowsOfALargerTensor) {
  std::vector<float> values(4 * 6, 1.f);
  const Tensor whole(values.data(), DType::F32, {4, 6});
  CheckpointContents contents;
  contents.weights = {{"left", whole.slice(1, 0, 3)}};
  values[2 * 6 + 3] = std::numeric_limits<float>::infinity();  // in the right half
  EXPECT_EQ(first_not_finite(contents), "");
  values[2 * 6 + 2] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(first_not_finite(contents), "left");
}

TEST(Finite, ReadsEveryFloatingPointTypeAndPassesIntegers) {
  std::vector<double> doubles{1.0, std::numeric_limits<double>::quiet_NaN()};
  std::vector<std::uint16_t> halves{0x7bff, 0x7c00};  // the largest number, and infinity
  std::vector<std::int64_t> integers{-1, std::numeric_limits<std::int64_t>::max()};
  const auto spoilt = [](const void* values, DType dtype) {
    CheckpointContents contents;
    contents.weights = {{"x", Tensor(const_cast<void*>(values), dtype, {2})}};
    return first_not_finite(contents) == "x";
  };
  EXPECT_TRUE(spoilt(doubles.data(), DType::F64));
  EXPECT_TRUE(spoilt(halves.data(), DType::F16));
  EXPECT_FALSE(spoilt(integers.data(), DType::I64));
}

}  // namespace
}  // namespace tessera
