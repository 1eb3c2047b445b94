// SPDX-License-Identifier: MIT
#include "kernels/adamw/adamw.h"

#include "tests/kernels/kernel_fixture.h"

namespace tessera::kernels {
namespace {

constexpr AdamWConfig kConfig{.learning_rate = 0.1, .weight_decay = 0.1};

/// Steps 1, 2, 3 of one weight from 1 with gradients 0.5, -1, 0.25.
template <class T, class Moment>
std::vector<T> three_steps(double scale_value, double gradient_factor) {
  std::vector<T> weight{1}, path;
  std::vector<Moment> m(1), v(1);
  std::vector<double> scale{scale_value};
  AdamWConfig config = kConfig;
  Context context;
  for (double g : {0.5, -1.0, 0.25}) {
    std::vector<T> gradient{static_cast<T>(g * gradient_factor)};
    adamw(context, config, view(gradient), view(scale), view(weight), view(m), view(v), {});
    path.push_back(weight[0]);
    ++config.step;
  }
  return path;
}

// From the formulas of arXiv:1711.05101, algorithm 2, with beta 0.9 and 0.95, epsilon 1e-8. The
// first: m / (1 - beta1) = 0.5 and sqrt(v / (1 - beta2)) = 0.5, so w = 0.99 - 0.1 (1 - 2e-8).
const std::vector<double> kPath{0.890000002, 0.9174373965715928, 0.9219853370539607};

TEST(AdamW, FollowsTheSequenceWorkedOutByHand) {
  expect_near(three_steps<double, double>(1, 1), kPath, 1e-14);
  expect_near(three_steps<float, float>(1, 1), kPath, 2e-7);
}

TEST(AdamW, ScalesTheGradient) {
  expect_near(three_steps<double, double>(0.25, 4), kPath, 1e-14);
}

TEST(AdamW, MomentsInBFloat16StayCloseAndAreRoundedToNearestEven) {
  expect_near(three_steps<float, bf16>(1, 1), kPath, 2e-3);
  // m = 1.03 lies nearer to 132/128 than to 131/128, v = 5.3045 nearer to 170/32 than to 169/32:
  // cutting bits off would give the lower ones.
  std::vector<float> weight{0}, gradient{10.3f};
  std::vector<bf16> m(1), v(1);
  std::vector<double> scale{1};
  Context context;
  adamw(context, kConfig, view(gradient), view(scale), view(weight), view(m), view(v), {});
  EXPECT_EQ(static_cast<float>(m[0]), 132.f / 128);
  EXPECT_EQ(static_cast<float>(v[0]), 170.f / 32);
}

TEST(AdamW, DecayIsDecoupledFromTheGradient) {
  std::vector<double> weight{2}, gradient{0}, m(1), v(1), scale{1};
  Context context;
  adamw(context, kConfig, view(gradient), view(scale), view(weight), view(m), view(v), {});
  EXPECT_DOUBLE_EQ(weight[0], 2 * 0.99);
  AdamWConfig no_decay = kConfig;
  no_decay.weight_decay = 0;
  adamw(context, no_decay, view(gradient), view(scale), view(weight), view(m), view(v), {});
  EXPECT_DOUBLE_EQ(weight[0], 2 * 0.99);
}

TEST(AdamW, AScaleThatIsNotFiniteShows) {
  std::vector<double> weight{2}, gradient{1}, m(1), v(1), scale{kNan};
  Context context;
  adamw(context, kConfig, view(gradient), view(scale), view(weight), view(m), view(v), {});
  EXPECT_TRUE(std::isnan(weight[0]));
}

TEST(AdamW, RefusesUnequalSizesAndStepZero) {
  std::vector<float> weight(3), gradient(2), m(3), v(3);
  std::vector<double> scale{1};
  Context context;
  AdamWConfig config = kConfig;
  expect_error(
      [&] {
        adamw(context, config, view(gradient), view(scale), view(weight), view(m), view(v), {});
      },
      "gradient");
  gradient.resize(3);
  config.step = 0;
  expect_error(
      [&] {
        adamw(context, config, view(gradient), view(scale), view(weight), view(m), view(v), {});
      },
      "step 0");
}

double scale_of(double sum_value, double max_norm) {
  std::vector<double> sum{sum_value}, scale{-1};
  Context context;
  clip_scale(context, view(sum), max_norm, view(scale));
  return scale[0];
}

TEST(ClipScale, ClipsOnlyAboveTheBound) {
  EXPECT_DOUBLE_EQ(scale_of(16, 1), 0.25);
  EXPECT_EQ(scale_of(0.5, 1), 1);
  EXPECT_EQ(scale_of(0, 1), 1);
  EXPECT_EQ(scale_of(1e6, 0), 1);
}

TEST(ClipScale, NotFiniteStaysNotFinite) {
  for (double sum : {kInfinity, kNan}) EXPECT_FALSE(std::isfinite(scale_of(sum, 1)));
}

TEST(SumOfSquares, AddsInF64) {
  // 2^24 + 1 has no place in F32.
  std::vector<float> x{4096, 1};
  std::vector<double> sum{0.5};
  Context context;
  sum_of_squares(context, view(x), view(sum));
  EXPECT_EQ(sum[0], 0x1p24 + 1.5);
}

}  // namespace
}  // namespace tessera::kernels
