// SPDX-License-Identifier: MIT
#include "kernels/cross_entropy/cross_entropy.h"

#include "tests/kernels/kernel_fixture.h"

namespace tessera::kernels {
namespace {

/// Returns the losses of rows of three; `logits` become the gradient.
template <class T>
std::vector<T> losses(std::vector<T>& logits, std::vector<std::int32_t> targets, double scale,
                      const Tensor& weights = {}) {
  const auto rows = static_cast<std::int64_t>(targets.size());
  std::vector<T> loss(targets.size(), T(-1));
  Context context;
  cross_entropy(context, view(logits, {rows, 3}), view(targets), weights, scale, view(loss));
  return loss;
}

TEST(CrossEntropy, SmallExample) {
  std::vector<double> logits{std::log(1.0), std::log(2.0), std::log(5.0)};
  const std::vector<double> before = logits;
  expect_near(losses(logits, {2}, 0), {std::log(8.0 / 5)}, 1e-15);
  EXPECT_EQ(logits, before);
  expect_near(losses(logits, {2}, 0.5), {std::log(8.0 / 5)}, 1e-15);
  expect_near(logits, {0.5 / 8, 0.5 * 2 / 8, -0.5 * 3 / 8}, 1e-15);
}

TEST(CrossEntropy, AWeightMultipliesARowsLossAndGradient) {
  std::vector<double> logits{std::log(1.0), std::log(2.0), std::log(5.0), 0, 0, 0};
  std::vector<double> weights{-2, 0};
  expect_near(losses(logits, {2, 0}, 0.5, view(weights)), {-2 * std::log(8.0 / 5), 0}, 1e-15);
  expect_near(logits, {-1.0 / 8, -2.0 / 8, 3.0 / 8, 0, 0, 0}, 1e-15);
}

TEST(CrossEntropy, AWeightIsNeededForEveryRow) {
  std::vector<double> logits(6), weights{1};
  expect_error([&] { losses(logits, {0, 1}, 1, view(weights)); }, "expected weights (2)");
}

TEST(CrossEntropy, IgnoredRowsHaveNoLossAndNoGradient) {
  const auto nan = static_cast<float>(kNan);
  std::vector<float> logits{nan, 1, 2, 0, 0, 0};
  const std::vector<float> loss = losses(logits, {-1, 0}, 3);
  expect_near(loss, {0, std::log(3.0)}, 1e-6);
  expect_near(logits, {0, 0, 0, -2, 1, 1}, 1e-6);
}

TEST(CrossEntropy, HugeLogitsStayFinite) {
  std::vector<float> logits{1e30f, 0, -1e30f, 3e38f, 3e38f, -3e38f};
  const std::vector<float> loss = losses(logits, {0, 1}, 1);
  expect_near(loss, {0, std::log(2.0)}, 1e-6);
  expect_near(logits, {0, 0, 0, 0.5, -0.5, 0}, 1e-6);
}

TEST(CrossEntropy, AMaskedTokenHasNoProbability) {
  std::vector<double> logits{0, -kInfinity, 0};
  expect_near(losses(logits, {0}, 1), {std::log(2.0)}, 1e-15);
  expect_near(logits, {-0.5, 0, 0.5}, 1e-15);
}

TEST(CrossEntropy, NanShows) {
  std::vector<double> logits{0, kNan, 0};
  EXPECT_TRUE(std::isnan(losses(logits, {0}, 1)[0]));
}

TEST(CrossEntropy, ATargetOutsideIsAnErrorThatNamesTheRow) {
  std::vector<float> logits(6);
  expect_error([&] { losses(logits, {0, 3}, 1); }, "target 3 of row 1");
  expect_error([&] { losses(logits, {-2, 0}, 1); }, "target -2 of row 0");
}

}  // namespace
}  // namespace tessera::kernels
