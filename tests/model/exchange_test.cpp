// SPDX-License-Identifier: MIT
// Tokens to experts on other ranks and back, over ranks as threads, against what one rank makes.
#include <gtest/gtest.h>
#include <omp.h>

#include <functional>
#include <random>
#include <set>
#include <thread>

#include "core/base/transfer.h"
#include "core/model/expert_exchange_ranks.h"
#include "distributed/threads/thread_ranks.h"
#include "kernels/router/router.h"

namespace tessera {
namespace {

constexpr std::int64_t kWidth = 8, kPicks = 3, kExperts = 16;
using Picks = std::vector<std::int32_t>;

void on_ranks(int count, const std::function<void(int, Communicator&)>& work) {
  ThreadRanks ranks(count);
  std::vector<std::string> errors(static_cast<std::size_t>(count));
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        omp_set_num_threads(1);
        try {
          work(i, ranks.rank(i));
        } catch (const std::exception& error) {
          errors[static_cast<std::size_t>(i)] = error.what();
          ranks.rank(i).abort(error.what());
        }
      });
    }
  }
  for (const std::string& error : errors) EXPECT_EQ(error, "");
}

/// Distinct random experts for each token.
Picks random_picks(std::int64_t tokens, std::int64_t experts, std::int64_t k, unsigned seed) {
  std::mt19937 random(seed);
  Picks picks;
  for (std::int64_t t = 0; t < tokens; ++t) {
    std::set<std::int32_t> of_token;
    while (std::ssize(of_token) < k) {
      const auto expert = static_cast<std::int32_t>(random() % static_cast<unsigned>(experts));
      if (of_token.insert(expert).second) picks.push_back(expert);
    }
  }
  return picks;
}

/// Everything of one rank's pass through experts that multiply by their number plus one.
struct Visit {
  explicit Visit(std::int64_t token_count, unsigned seed)
      : tokens(token_count),
        picks(random_picks(tokens, kExperts, kPicks, seed)),
        x(static_cast<std::size_t>(tokens * kWidth)),
        weights(picks.size()),
        y(x.size()),
        d_weights(picks.size()) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 13) - 6;
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i % 4) + 1;
  }

  void run(const ExpertExchange& exchange, std::int64_t first) {
    Pass pass{context, keep, {}};
    RoutedTokens r;
    r.picks = Tensor(picks.data(), DType::I32, {tokens, kPicks});
    r.weights = Tensor(weights.data(), DType::F32, {tokens, kPicks});
    exchange.plan(pass, kExperts, r);
    loads = host_values<std::int64_t>(r.loads);
    const Tensor h(x.data(), DType::F32, {tokens, kWidth});
    exchange.send(pass, h, r);
    const Tensor rows = exchange.dispatch(pass, {h, {}}, r).plain;
    const auto* offsets = r.permutation.offsets.data<std::int32_t>();
    const std::int64_t used = offsets[r.permutation.offsets.size(0) - 1];
    const auto values = [&](const Operand& operand) {
      return host_values<float>(operand.plain.slice(0, 0, used));
    };
    const auto again = values(exchange.dispatch_again(pass, h, r));
    const auto gradient = values(exchange.dispatch_gradient(pass, h, r));
    same_again = again == values({rows, {}}) && gradient == again;
    const std::int64_t count = rows.size(0);
    const Tensor d_rows = scratch.take(DType::F32, {count});
    const std::int64_t held = exchange.held(kExperts);
    for (std::int64_t group = 0; group + 1 < r.permutation.offsets.size(0); ++group) {
      const auto factor = static_cast<float>(first + group % held + 1);
      for (std::int64_t row = offsets[group]; row < offsets[group + 1]; ++row) {
        d_rows.data<float>()[row] = factor;
        for (std::int64_t c = 0; c < kWidth; ++c) {
          rows.data<float>()[row * kWidth + c] *= factor * r.row_weights.data<float>()[row];
        }
      }
    }
    exchange.combine(pass, rows, r, Tensor(y.data(), DType::F32, {tokens, kWidth}));
    exchange.weights_backward(pass, d_rows, r,
                              Tensor(d_weights.data(), DType::F32, {tokens, kPicks}));
  }

  std::int64_t tokens;
  Picks picks;
  std::vector<float> x, weights, y, d_weights;
  std::vector<std::int64_t> loads;
  bool same_again = false;
  Arena keep{std::size_t{16} << 20}, scratch{std::size_t{16} << 20};
  Context context{.scratch = &scratch};
};

/// What one rank sends to the experts of others, from its picks alone.
std::int64_t bytes_there(const Picks& picks, int own, int ranks) {
  const std::int64_t each = kExperts / ranks;
  std::int64_t copies = 0;  // to other ranks
  for (std::size_t t = 0; t < picks.size(); t += kPicks) {
    std::set<std::int64_t> to;
    for (std::size_t i = 0; i < kPicks; ++i) {
      const std::int64_t rank = picks[t + i] / each;
      if (rank != own) to.insert(rank);
    }
    copies += std::ssize(to);
  }
  const std::int64_t row = kWidth * 4;
  // Picks and weights, then the row of dispatch and that of its gradient.
  return copies * (2 * kPicks * 4 + 2 * row);
}

/// The same for what comes back from this rank to the others: of the tokens that they sent.
std::int64_t bytes_back(const std::vector<Picks>& all, int own, int ranks, CombineOrder order) {
  const std::int64_t each = kExperts / ranks;
  std::int64_t copies = 0, slots = 0;
  for (int from = 0; from < ranks; ++from) {
    if (from == own) continue;
    const Picks& picks = all[static_cast<std::size_t>(from)];
    for (std::size_t t = 0; t < picks.size(); t += kPicks) {
      std::int64_t here = 0;
      for (std::size_t i = 0; i < kPicks; ++i) here += picks[t + i] / each == own;
      slots += here;
      copies += here > 0;
    }
  }
  const std::int64_t rows = order == CombineOrder::BySlot ? slots : copies;
  return rows * kWidth * 4 + slots * 4;  // rows, and the gradients of weights
}

class Exchange : public testing::TestWithParam<std::tuple<int, CombineOrder>> {};

TEST_P(Exchange, BringsTokensToTheirExpertsAndBack) {
  const auto [count, order] = GetParam();
  // Ranks differ in their tokens; one has none at all.
  const auto tokens_of = [](int rank) { return rank == 1 ? 0 : 37 + 5 * rank; };
  std::vector<Picks> all;
  for (int rank = 0; rank < count; ++rank) {
    all.push_back(Visit(tokens_of(rank), static_cast<unsigned>(rank)).picks);
  }
  on_ranks(count, [&, order = order, count = count](int rank, Communicator& group) {
    Visit alone(tokens_of(rank), static_cast<unsigned>(rank));
    alone.run(local_exchange(), 0);
    Visit visit(tokens_of(rank), static_cast<unsigned>(rank));
    const std::int64_t each = kExperts / count;
    const RanksExchange exchange(group, {rank * each, (rank + 1) * each}, order);
    visit.run(exchange, rank * each);
    EXPECT_TRUE(visit.same_again);
    EXPECT_EQ(visit.y, alone.y);  // whole numbers: exact in any order
    EXPECT_EQ(visit.d_weights, alone.d_weights);
    EXPECT_EQ(visit.loads, alone.loads);
    EXPECT_EQ(exchange.counts().tokens, tokens_of(rank));
    EXPECT_EQ(exchange.counts().bytes,
              bytes_there(all[static_cast<std::size_t>(rank)], rank, count) +
                  bytes_back(all, rank, count, order));
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, Exchange,
                         testing::Combine(testing::Values(1, 2, 4),
                                          testing::Values(CombineOrder::ByRank,
                                                          CombineOrder::BySlot)));

/// Sums of F32 that are not exact: with rows that come back one by one they are those of one rank
/// to the last bit.
TEST(ExchangeOrder, BySlotAddsAsOneRankDoes) {
  on_ranks(4, [](int rank, Communicator& group) {
    Visit alone(50, static_cast<unsigned>(rank)), visit(50, static_cast<unsigned>(rank));
    for (std::size_t i = 0; i < alone.x.size(); ++i) {
      alone.x[i] = visit.x[i] = 1.f / static_cast<float>(3 + i % 101);
    }
    alone.run(local_exchange(), 0);
    visit.run(RanksExchange(group, {rank * 4, rank * 4 + 4}, CombineOrder::BySlot), rank * 4);
    EXPECT_EQ(visit.y, alone.y);
  });
}

double choose(std::int64_t n, std::int64_t k) {
  double value = 1;
  for (std::int64_t i = 0; i < k; ++i) {
    value *= static_cast<double>(n - i) / static_cast<double>(i + 1);
  }
  return value;
}

/// Copies of a token that the exchange counts, for picks that our router makes of random logits.
double ranks_per_token(int ranks, const kernels::RouterConfig& config, std::int64_t experts) {
  constexpr std::int64_t kTokens = 4000;
  std::vector<double> found(static_cast<std::size_t>(ranks));
  on_ranks(ranks, [&](int rank, Communicator& group) {
    Arena keep(std::size_t{64} << 20), scratch(std::size_t{64} << 20);
    Context context{.scratch = &scratch};
    Pass pass{context, keep, {}};
    std::mt19937 random(static_cast<unsigned>(rank) + 100);
    std::normal_distribution<float> normal;
    const Tensor logits = scratch.take(DType::F32, {kTokens, experts});
    const Tensor scores = scratch.take(DType::F32, {kTokens, experts});
    const Tensor bias = scratch.take(DType::F32, {experts});
    std::fill_n(bias.data<float>(), experts, 0.f);
    for (std::int64_t i = 0; i < logits.numel(); ++i) logits.data<float>()[i] = normal(random);
    RoutedTokens r;
    r.picks = scratch.take(DType::I32, {kTokens, config.top_k});
    r.weights = scratch.take(DType::F32, {kTokens, config.top_k});
    kernels::router_forward(context, logits, bias, config, scores, r.picks, r.weights);
    const std::int64_t each = experts / ranks;
    const RanksExchange exchange(group, {rank * each, (rank + 1) * each}, CombineOrder::ByRank);
    exchange.plan(pass, experts, r);
    found[static_cast<std::size_t>(rank)] = static_cast<double>(exchange.counts().token_ranks) /
                                            static_cast<double>(exchange.counts().tokens);
  });
  double sum = 0;
  for (const double of_rank : found) sum += of_rank;
  return sum / ranks;
}

kernels::RouterConfig router(int k, int groups, int kept) {
  kernels::RouterConfig config;
  config.top_k = k;
  config.groups = groups;
  config.kept_groups = kept;
  return config;
}

/// A token goes to a rank once: N (1 - C(E - E/N, k) / C(E, k)) ranks for free routing, fewer where
/// groups are limited. The published table of both.
TEST(ExchangeCopies, AreThoseOfTheClosedFormAndFewerWhereGroupsAreLimited) {
  struct Row {
    std::int64_t experts;
    int groups, k, kept;
    double free, limited;
  };
  for (const Row& row :
       {Row{256, 8, 8, 4, 5.30, 3.97}, Row{160, 8, 6, 3, 4.48, 2.99}, Row{64, 8, 6, 3, 4.54, 2.99},
        Row{64, 8, 6, 4, 4.53, 3.86}, Row{64, 4, 8, 2, 3.66, 2.00}, Row{32, 4, 4, 2, 2.82, 1.99}}) {
    const auto n = static_cast<double>(row.groups);
    const double formula = n * (1 - choose(row.experts - row.experts / row.groups, row.k) /
                                        choose(row.experts, row.k));
    const double free = ranks_per_token(row.groups, router(row.k, 1, 1), row.experts);
    const double limited =
        ranks_per_token(row.groups, router(row.k, row.groups, row.kept), row.experts);
    EXPECT_NEAR(free, formula, 0.005 * formula);  // 16,000 tokens and more: 4 standard errors
    EXPECT_NEAR(free, row.free, 0.01 * row.free);
    EXPECT_NEAR(limited, row.limited, 0.01 * row.limited);
    EXPECT_LT(limited, free);
  }
}

}  // namespace
}  // namespace tessera
