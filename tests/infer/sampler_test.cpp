// SPDX-License-Identifier: MIT
#include "core/infer/sampler.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"

namespace tessera {
namespace {

// Probabilities 0.5, 0.25, 0.125, 0.125 at temperature 1.
const std::vector<float> kLogits{0.f, -std::log(2.f), -std::log(4.f), -std::log(4.f)};

std::vector<int> draws(const SamplingOptions& options, int count = 4000) {
  std::vector<int> seen(kLogits.size());
  for (int i = 0; i < count; ++i) {
    ++seen[static_cast<std::size_t>(
        sample(kLogits, options, static_cast<std::uint64_t>(i)).chosen.id)];
  }
  return seen;
}

TEST(Sampler, FollowsTheProbabilities) {
  const std::vector<int> seen = draws({.temperature = 1, .top_p = 1});
  EXPECT_NEAR(seen[0], 2000, 150);  // about 4.7 standard deviations
  EXPECT_NEAR(seen[1], 1000, 130);
  EXPECT_NEAR(seen[2], 500, 100);
}

TEST(Sampler, TemperatureZeroIsTheBest) {
  EXPECT_EQ(sample(kLogits, {.temperature = 0}, 7).chosen.id, 0);
}

TEST(Sampler, LimitsKeepTheLikelyOnes) {
  EXPECT_EQ(draws({.temperature = 1, .top_k = 2, .top_p = 1})[2], 0);
  EXPECT_EQ(draws({.temperature = 1, .top_p = 0.7})[2], 0);
  EXPECT_GT(draws({.temperature = 1, .top_p = 0.8})[2], 0);
  EXPECT_EQ(draws({.temperature = 1, .top_p = 1, .min_p = 0.4})[2], 0);
}

TEST(Sampler, PaddingRowsAreNeverChosen) {
  const std::vector<float> logits{0.f, 1.f, 50.f};
  EXPECT_EQ(sample(logits, {.temperature = 0, .vocabulary = 2}, 0).chosen.id, 1);
}

TEST(Sampler, RepetitionPenalty) {
  const std::vector<float> logits{2.f, 1.9f};
  const std::vector<std::int32_t> seen{0};
  EXPECT_EQ(sample(logits, {.temperature = 0, .repetition_penalty = 1.2}, 0, seen).chosen.id, 1);
}

TEST(Sampler, AlternativesComeWithProbabilities) {
  const Choice choice = sample(kLogits, {.temperature = 1}, 0, {}, 3);
  ASSERT_EQ(choice.best.size(), 3u);
  EXPECT_NEAR(choice.best[0].probability, 0.5, 1e-6);
  EXPECT_EQ(choice.best[2].id, 2);  // the lower id of two equals
}

TEST(Sampler, BadOptionsAndLogits) {
  EXPECT_THROW(SamplingOptions{.temperature = -1}.validate(), Error);
  EXPECT_THROW(SamplingOptions{.top_p = 0}.validate(), Error);
  const std::vector<float> nan{NAN, NAN};
  EXPECT_THROW(sample(nan, {}, 0), Error);
}

}  // namespace
}  // namespace tessera
