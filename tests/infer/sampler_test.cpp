// SPDX-License-Identifier: MIT
#include "core/infer/sampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

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

TEST(Sampler, OptionsOutOfRangeAreNamed) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto refused = [](const SamplingOptions& options) -> std::string {
    try {
      options.validate();
    } catch (const Error& error) {
      return error.what_failed().substr(0, error.what_failed().find(' '));
    }
    return "";
  };
  for (const double value : {-1.0, 101.0, kInfinity, double(NAN)}) {
    EXPECT_EQ(refused({.temperature = value}), "temperature") << value;
  }
  for (const double value : {0.0, -0.1, 1.1, double(NAN)}) {
    EXPECT_EQ(refused({.top_p = value}), "top_p") << value;
  }
  EXPECT_EQ(refused({.min_p = 1.5}), "min_p");
  EXPECT_EQ(refused({.top_k = -1}), "top_k");
  for (const double value : {0.0, -2.0, 1e-300, 1e300, double(NAN)}) {
    EXPECT_EQ(refused({.repetition_penalty = value}), "repetition_penalty") << value;
  }
  EXPECT_EQ(refused({.temperature = 0, .top_k = 1 << 30, .top_p = 1, .min_p = 1}), "");
}

TEST(FieldSampler, ALogitThatIsNotFiniteIsAnErrorWhereverItStands) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    for (std::size_t at = 0; at < kLogits.size(); ++at) {
      std::vector<float> logits = kLogits;
      logits[at] = bad;
      for (const double temperature : {0.0, 0.8, 100.0}) {
        // The last one is a padding row, too.
        const SamplingOptions options{.temperature = temperature, .vocabulary = 3};
        try {
          sample(logits, options, 0, {}, 2);
          ADD_FAILURE() << bad << " at " << at << ", temperature " << temperature;
        } catch (const Error& error) {
          EXPECT_NE(error.what_failed().find("the logits are not finite"), std::string::npos);
          EXPECT_NE(error.what_failed().find(fmt::format("token {})", at)), std::string::npos);
        }
      }
    }
  }
}

TEST(Sampler, ADenormalTemperatureIsTheBest) {
  const Choice choice = sample(kLogits, {.temperature = 1e-320}, 7, {}, 4);
  EXPECT_EQ(choice.chosen.id, 0);
  for (const Candidate& one : choice.best) EXPECT_TRUE(std::isfinite(one.probability));
}

}  // namespace
}  // namespace tessera
