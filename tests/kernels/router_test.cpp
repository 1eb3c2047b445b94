// SPDX-License-Identifier: MIT
#include "kernels/router/router.h"

#include "tests/kernels/kernel_fixture.h"

namespace tessera::kernels {
namespace {

using Doubles = std::vector<double>;
using Picks = std::vector<std::int32_t>;

/// Six experts in three groups; routed as `config` says.
struct Routed {
  explicit Routed(RouterConfig config, Doubles affinities, std::vector<float> bias)
      : scores(6),
        picks(static_cast<std::size_t>(config.top_k)),
        weights(static_cast<std::size_t>(config.top_k)) {
    Doubles logits;
    for (double s : affinities) logits.push_back(std::log(s / (1 - s)));
    Context context;
    router_forward(context, view(logits, {1, 6}), view(bias), config, view(scores, {1, 6}),
                   view(picks, {1, config.top_k}), view(weights, {1, config.top_k}));
  }
  Doubles scores;
  Picks picks;
  Doubles weights;
};

const Doubles kAffinities{0.9, 0.1, 0.6, 0.5, 0.3, 0.2};
const std::vector<float> kNoBias(6, 0.f);
constexpr RouterConfig kConfig{.groups = 3, .kept_groups = 2, .top_k = 2, .scale = 2.5f};

TEST(Router, PicksFromTheBestGroupsAndNormalises) {
  // Groups sum to 1.0, 1.1, 0.5: the last is dropped.
  const Routed routed(kConfig, kAffinities, kNoBias);
  EXPECT_EQ(routed.picks, (Picks{0, 2}));
  expect_near(routed.scores, kAffinities, 1e-12);
  expect_near(routed.weights, {2.5 * 0.9 / 1.5, 2.5 * 0.6 / 1.5}, 1e-12);
}

TEST(Router, TheBiasDecidesSelectionOnly) {
  // With it the last group has 1.5 and the first, with the best expert of all, is dropped.
  const Routed routed(kConfig, kAffinities, {0, 0, 0, 0, 0.5f, 0.5f});
  EXPECT_EQ(routed.picks, (Picks{4, 5}));
  expect_near(routed.scores, kAffinities, 1e-12);
  expect_near(routed.weights, {2.5 * 0.3 / 0.5, 2.5 * 0.2 / 0.5}, 1e-12);
}

TEST(Router, TheTwoMaskingConventionsDifferBelowZero) {
  // All s + b are negative, so the reference picks the least negative of the groups it keeps, while
  // 0 in place of minus infinity lets the experts of the dropped group win.
  const std::vector<float> bias(6, -1.f);
  EXPECT_EQ(Routed(kConfig, kAffinities, bias).picks, (Picks{0, 2}));
  RouterConfig transformers = kConfig;
  transformers.transformers_masking = true;
  const Routed routed(transformers, kAffinities, bias);
  EXPECT_EQ(routed.picks, (Picks{4, 5}));
  expect_near(routed.weights, {1.5, 1.0}, 1e-12);
}

TEST(Router, TheTwoConventionsAgreeAboveZero) {
  RouterConfig transformers = kConfig;
  transformers.transformers_masking = true;
  EXPECT_EQ(Routed(transformers, kAffinities, kNoBias).picks, (Picks{0, 2}));
}

TEST(Router, AGroupIsWorthItsTopTwoOrItsBest) {
  RouterConfig config = kConfig;
  config.kept_groups = 1;
  EXPECT_EQ(Routed(config, kAffinities, kNoBias).picks, (Picks{2, 3}));
  config.group_score = GroupScore::Max;
  EXPECT_EQ(Routed(config, kAffinities, kNoBias).picks, (Picks{0, 1}));
}

TEST(Router, TiesGoToTheLowerIndex) {
  const Doubles equal(6, 0.5);
  EXPECT_EQ(Routed(kConfig, equal, kNoBias).picks, (Picks{0, 1}));
  RouterConfig all{.top_k = 6};
  EXPECT_EQ(Routed(all, equal, kNoBias).picks, (Picks{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(Routed(all, {0.5, 0.7, 0.5, 0.7, 0.2, 0.7}, kNoBias).picks, (Picks{1, 3, 5, 0, 2, 4}));
}

TEST(Router, SoftmaxWithoutNormalising) {
  RouterConfig config{.scoring = Scoring::Softmax, .top_k = 1, .normalise = false, .scale = 16.f};
  Doubles logits{std::log(1.0), std::log(2.0), std::log(5.0)}, scores(3), weights(1);
  std::vector<float> bias(3);
  Picks picks(1);
  Context context;
  router_forward(context, view(logits, {1, 3}), view(bias), config, view(scores, {1, 3}),
                 view(picks, {1, 1}), view(weights, {1, 1}));
  EXPECT_EQ(picks, Picks{2});
  expect_near(scores, {0.125, 0.25, 0.625}, 1e-12);
  expect_near(weights, {10.0}, 1e-12);
}

/// Routes two tokens of three experts in F32.
Picks route_floats(std::vector<float> logits, std::vector<float> bias,
                   std::vector<float>* weights_out = nullptr) {
  std::vector<float> scores(6), weights(2);
  Picks picks(2);
  Context context;
  router_forward(context, view(logits, {2, 3}), view(bias), RouterConfig{}, view(scores, {2, 3}),
                 view(picks, {2, 1}), view(weights, {2, 1}));
  if (weights_out) *weights_out = weights;
  return picks;
}

TEST(Router, NotFiniteIsAnErrorThatNamesTheToken) {
  const auto infinity = static_cast<float>(kInfinity), nan = static_cast<float>(kNan);
  for (float bad : {nan, infinity, -infinity}) {
    expect_error([&] { route_floats({0, 1, 2, 0, bad, 1}, {0, 0, 0}); }, "token 1");
    expect_error([&] { route_floats({0, 1, 2, 0, 1, 1}, {0, bad, 0}); }, "bias");
  }
}

TEST(Router, UnderflowGivesZeroWeightsNotNan) {
  std::vector<float> weights;
  EXPECT_EQ(route_floats({-200, -300, -400, 1, 2, 3}, {0, 0, 0}, &weights), (Picks{0, 2}));
  expect_near(weights, {0.0, 1.0}, 0);
}

TEST(Router, RefusesImpossibleSettings) {
  const auto route = [](RouterConfig config) { return Routed(config, kAffinities, kNoBias); };
  expect_error([&] { route({.groups = 4}); }, "equal groups");
  expect_error([&] { route({.groups = 3, .kept_groups = 4}); }, "keep 4 of 3");
  expect_error([&] { route({.groups = 3, .kept_groups = 1, .top_k = 3}); }, "choose 3 of 2");
}

TEST(Router, BackwardReachesPickedExpertsOnly) {
  // Without normalising: d_logit = scale dw s (1 - s) for the pick, 0 elsewhere.
  const RouterConfig config{.top_k = 1, .normalise = false, .scale = 2.f};
  Doubles scores{0.5, 0.75, 0.25}, d_weights{3.0}, d_logits(3, kNan);
  Picks picks{1};
  Context context;
  router_backward(context, view(d_weights, {1, 1}), {}, view(scores, {1, 3}), view(picks, {1, 1}),
                  config, view(d_logits, {1, 3}));
  expect_near(d_logits, {0.0, 2 * 3 * 0.75 * 0.25, 0.0}, 1e-15);
}

}  // namespace
}  // namespace tessera::kernels
