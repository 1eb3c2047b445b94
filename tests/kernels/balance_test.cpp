// SPDX-License-Identifier: MIT
#include "kernels/balance/balance.h"
#include "kernels/balance/balance_parts.h"

#include "tests/kernels/kernel_fixture.h"

namespace tessera::kernels {
namespace {

using Counts = std::vector<std::int64_t>;

std::vector<float> updated(Counts counts, BiasUpdate rule, float speed = 0.5f) {
  std::vector<float> bias(counts.size(), 1.f);
  Context context;
  bias_update(context, view(counts), speed, rule, view(bias));
  return bias;
}

TEST(BiasUpdate, FallsAboveTheMeanAndRisesBelow) {
  EXPECT_EQ(updated({4, 0, 2}, BiasUpdate::Sign), (std::vector<float>{0.5f, 1.5f, 1.f}));
}

TEST(BiasUpdate, StaysAtTheMeanExactly) {
  EXPECT_EQ(updated({7, 7, 7}, BiasUpdate::Sign), std::vector<float>(3, 1.f));
  EXPECT_EQ(updated({0, 0}, BiasUpdate::Sign), std::vector<float>(2, 1.f));
  EXPECT_EQ(updated({9}, BiasUpdate::Sign), std::vector<float>(1, 1.f));
}

TEST(BiasUpdate, CountsBeyond32BitsKeepTheirSign) {
  // F32, BF16 and even F64 means would lose the one token that decides here.
  const std::int64_t mean = std::int64_t{1} << 40;
  EXPECT_EQ(updated({mean, mean + 1, mean - 1}, BiasUpdate::Sign),
            (std::vector<float>{1.f, 0.5f, 1.5f}));
  const std::int64_t huge = std::int64_t{1} << 62;
  EXPECT_EQ(updated({huge, huge + 1, huge - 1, huge}, BiasUpdate::Sign),
            (std::vector<float>{1.f, 0.5f, 1.5f, 1.f}));
}

TEST(BiasUpdate, AMeanThatIsNoIntegerHasNoExpertAtIt) {
  EXPECT_EQ(updated({1, 1, 2}, BiasUpdate::Sign), (std::vector<float>{1.5f, 1.5f, 0.5f}));
}

TEST(BiasUpdate, UtilisationIsInProportion) {
  expect_near(updated({4, 0, 2, 2}, BiasUpdate::Utilisation, 0.1f), {0.9, 1.1, 1.0, 1.0}, 1e-7);
  expect_near(updated({0, 0}, BiasUpdate::Utilisation), {1.0, 1.0}, 0);
}

struct Balanced {
  Balanced(std::vector<double> scores, std::int64_t experts, std::vector<std::int32_t> starts,
           int top_k, double alpha)
      : loss(1, kNan), d_scores(scores.size(), kNan) {
    const std::int64_t tokens = static_cast<std::int64_t>(scores.size()) / experts;
    Context context;
    sequence_balance(context, view(scores, {tokens, experts}), view(starts), top_k, alpha, 1.0,
                     view(loss), view(d_scores, {tokens, experts}));
  }
  std::vector<double> loss, d_scores;
};

TEST(SequenceBalance, EvenLoadCostsAlphaAndHasNoGradient) {
  const Balanced b({0.6, 0.2, 0.3, 0.9}, 2, {0, 2}, 1, 0.01);
  expect_near(b.loss, {0.01}, 1e-15);
  expect_near(b.d_scores, {0, 0, 0, 0}, 1e-15);
}

TEST(SequenceBalance, BothTokensToOneExpert) {
  // f = (2, 0), p = (0.75, 0.25) for both tokens: loss = alpha 1.5, and the gradient of token t is
  // alpha / 2 (f_j - 1.5) / sum s.
  const Balanced b({0.6, 0.2, 0.9, 0.3}, 2, {0, 2}, 1, 0.01);
  expect_near(b.loss, {0.015}, 1e-15);
  expect_near(b.d_scores,
              {0.005 * 0.5 / 0.8, -0.005 * 1.5 / 0.8, 0.005 * 0.5 / 1.2, -0.005 * 1.5 / 1.2},
              1e-15);
}

TEST(SequenceBalance, SequencesCountApartAndEmptyOnesNotAtAll) {
  // Each token alone in its sequence: f = (2, 0) and p = (0.75, 0.25), or the mirror image.
  const Balanced b({0.6, 0.2, 0.3, 0.9}, 2, {0, 1, 1, 2}, 1, 0.01);
  expect_near(b.loss, {0.015}, 1e-15);
  EXPECT_GT(b.d_scores[0], 0);
  EXPECT_LT(b.d_scores[1], 0);
}

TEST(SequenceBalance, NoTokensCostNothing) {
  EXPECT_EQ(Balanced({}, 4, {0, 0}, 2, 0.01).loss[0], 0);
}

TEST(SequenceBalance, RefusesStartsThatDoNotCoverTheTokens) {
  expect_error([] { Balanced({0.5, 0.5, 0.5, 0.5}, 2, {0, 1}, 1, 1); }, "expected 0 to 2");
  expect_error([] { Balanced({0.5, 0.5, 0.5, 0.5}, 2, {0, 3, 2}, 1, 1); }, "starts fall");
}

/// Two sequences and an empty one, whose tokens two ranks have in turn.
TEST(SequenceBalance, PartsAddUpToWholeSequences) {
  constexpr std::int64_t kExperts = 3;
  const std::vector<double> scores{0.6, 0.2, 0.4, 0.3, 0.9, 0.1, 0.5, 0.6, 0.2, 0.1, 0.2,
                                   0.8, 0.7, 0.1, 0.3, 0.2, 0.4, 0.6, 0.9, 0.8, 0.1};
  const Balanced whole(scores, kExperts, {0, 3, 3, 7}, 2, 0.01);
  std::vector<std::int32_t> lengths{3, 0, 4}, starts[] = {{0, 2, 2, 4}, {0, 1, 1, 3}};
  std::vector<double> parts[2], gradients;
  for (std::int64_t t = 0; t < 7; ++t) {
    parts[t % 2].insert(parts[t % 2].end(), scores.begin() + t * kExperts,
                        scores.begin() + (t + 1) * kExperts);
  }
  Context context;
  Counts counts[2] = {Counts(3 * kExperts, -1), Counts(3 * kExperts, -1)}, sum(3 * kExperts);
  for (int rank = 0; rank < 2; ++rank) {
    const auto rows = static_cast<std::int64_t>(parts[rank].size()) / kExperts;
    sequence_picks(context, view(parts[rank], {rows, kExperts}), view(starts[rank]), 2,
                   view(counts[rank], {3, kExperts}));
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += counts[rank][i];
  }
  EXPECT_EQ(sum[0] + sum[1] + sum[2], 2 * 3);
  EXPECT_EQ(sum[6] + sum[7] + sum[8], 2 * 4);
  double loss = 0;
  std::vector<double> d_scores[2];
  for (int rank = 0; rank < 2; ++rank) {
    const auto rows = static_cast<std::int64_t>(parts[rank].size()) / kExperts;
    std::vector<double> part(1, kNan);
    d_scores[rank].assign(parts[rank].size(), kNan);
    sequence_balance_part(context, view(parts[rank], {rows, kExperts}), view(starts[rank]),
                          view(lengths), view(sum, {3, kExperts}), 2, 0.01, 1.0, view(part),
                          view(d_scores[rank], {rows, kExperts}));
    loss += part[0];
  }
  EXPECT_NEAR(loss, whole.loss[0], 1e-16);
  for (std::int64_t t = 0; t < 7; ++t) {
    for (std::int64_t e = 0; e < kExperts; ++e) {
      gradients.push_back(d_scores[t % 2][static_cast<std::size_t>(t / 2 * kExperts + e)]);
    }
  }
  expect_near(gradients, whole.d_scores, 1e-16);
}

}  // namespace
}  // namespace tessera::kernels
