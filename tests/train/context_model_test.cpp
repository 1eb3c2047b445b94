// SPDX-License-Identifier: MIT
// The whole model where ranks share sequences, against one rank that has them whole: losses,
// gradients of every parameter and the balance loss, in F64, where two orders of summation differ
// by 1e-15.
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <numeric>
#include <thread>

#include "core/train/context_cut.h"
#include "distributed/threads/thread_ranks.h"
#include "tests/model/small_model.h"

namespace tessera {
namespace {

constexpr Precision kDouble{DType::F64, DType::F64};

/// A row of `length` tokens with documents that begin at `starts`.
TokenColumns random_row(std::int64_t vocabulary, std::int64_t length, int extra, std::uint64_t seed,
                        const std::vector<std::int32_t>& starts = {}) {
  const Random random(seed);
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < length + 1 + extra; ++i) {
    ids.push_back(static_cast<std::int32_t>(
        random.below(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(vocabulary))));
  }
  return packed_row(ids, length, extra, starts);
}

struct Work {
  ModelConfig config = test::small_config();
  Precision precision = kDouble;
  Recompute recompute{};
  bool weights_later = false;
  std::vector<TokenColumns> rows;
};

/// What a rank made of its part of the rows.
struct Made {
  std::vector<double> losses, mtp_losses;  ///< of each of its tokens
  std::vector<double> gradients, balance;
  std::vector<std::int64_t> loads;
  std::int64_t sent = 0;
  std::size_t keep = 0, scratch = 0;

  double loss() const { return std::accumulate(losses.begin(), losses.end(), 0.0); }
  double mtp_loss() const { return std::accumulate(mtp_losses.begin(), mtp_losses.end(), 0.0); }
};

std::vector<double> values_of(const Tensor& x) {
  if (!x) return {};
  if (x.dtype() == DType::F64) return {x.data<double>(), x.data<double>() + x.numel()};
  return {x.data<float>(), x.data<float>() + x.numel()};
}

TokenColumns columns_of(const Work& work, const ContextPlace& place) {
  const auto part = [&](const TokenColumns& row) {
    return place.ranks > 1 ? cut_row(row, place) : row;
  };
  TokenColumns columns = part(work.rows.front());
  for (std::size_t i = 1; i < work.rows.size(); ++i) columns.append(part(work.rows[i]));
  return columns;
}

/// Forward and backward of the rows as one micro-batch.
Made make(const Work& work, Communicator* ranks) {
  const ContextPlace place = ranks ? ContextPlace{ranks->size(), ranks->rank()} : ContextPlace{};
  const MicrobatchBuffer buffer(columns_of(work, place), Device::Cpu);
  Model model(work.config, work.precision, true, Device::Cpu);
  model.initialise(11);
  model.set_recompute(work.recompute);
  std::optional<ContextExchange> exchange;
  if (ranks) model.set_context(exchange.emplace(*ranks));
  Arena keep{std::size_t{1} << 27}, scratch{std::size_t{1} << 27}, again{std::size_t{1} << 26};
  Context context{.scratch = &scratch};
  model.parameters().refresh_operands(context);
  WeightWork later;
  Pass pass{context, keep, work.precision};
  pass.recompute = work.recompute;
  pass.again = &again;
  if (work.weights_later) pass.later = &later;
  ModelStash stash;
  const Objective objective{
      .loss_scale = 0.1, .mtp_scale = 0.05, .balance_alpha = 0.02, .balance_scale = 0.7};
  Made made;
  made.balance.resize(static_cast<std::size_t>(model.moe_blocks()));
  const Tensor balance(made.balance.data(), DType::F64, {std::ssize(made.balance)});
  model.parameters().zero_gradients(context);
  const Microbatch& batch = buffer.batch();
  Pass forward = pass;
  forward.later = nullptr;
  model.forward_loss(forward, batch, objective, stash);
  model.backward(pass, batch, objective, stash, balance);
  later.run(context);
  model.parameters().clear_old_gradients(context);
  made.losses = values_of(stash.head.losses);
  made.mtp_losses = values_of(stash.mtp.head.losses);
  made.gradients = values_of(model.parameters().flat_gradients());
  for (std::int64_t block = 0; block < model.moe_blocks(); ++block) {
    const Tensor& loads = model.moe_stash(stash, block).routed.loads;
    made.loads.insert(made.loads.end(), loads.data<std::int64_t>(),
                      loads.data<std::int64_t>() + loads.numel());
  }
  if (exchange) made.sent = exchange->bytes();
  made.keep = keep.peak_bytes();
  made.scratch = scratch.peak_bytes();
  return made;
}

std::vector<Made> make_on(int count, const Work& work) {
  ThreadRanks ranks(count);
  std::vector<Made> all(static_cast<std::size_t>(count));
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      omp_set_num_threads(1);
      try {
        all[static_cast<std::size_t>(i)] = make(work, &ranks.rank(i));
      } catch (const std::exception& error) {
        ADD_FAILURE() << "rank " << i << ": " << error.what();
        ranks.rank(i).abort(error.what());
      }
    });
  }
  threads.clear();
  return all;
}

template <class T>
void add_up(const std::vector<T>& more, std::vector<T>& to) {
  to.resize(std::max(to.size(), more.size()));
  for (std::size_t i = 0; i < more.size(); ++i) to[i] += more[i];
}

double norm_of(const std::vector<double>& x) {
  return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
}

/// The norm of the difference against that of b.
double distance(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return INFINITY;
  std::vector<double> difference(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
  return norm_of(difference) / std::max(norm_of(b), 1e-300);
}

/// All ranks together against one.
void expect_alike(const Work& work, int count, double tolerance) {
  const Made one = make(work, nullptr);
  const std::vector<Made> parts = make_on(count, work);
  Made all;
  double loss = 0, mtp_loss = 0;
  std::size_t tokens = 0;
  for (const Made& part : parts) {
    add_up(part.gradients, all.gradients);
    add_up(part.balance, all.balance);
    add_up(part.loads, all.loads);
    loss += part.loss();
    mtp_loss += part.mtp_loss();
    tokens += part.losses.size();
  }
  EXPECT_EQ(tokens, one.losses.size());
  EXPECT_EQ(all.loads, one.loads);
  EXPECT_NEAR(loss, one.loss(), tolerance * one.loss());
  EXPECT_NEAR(mtp_loss, one.mtp_loss(), tolerance * one.mtp_loss());
  EXPECT_LE(distance(all.gradients, one.gradients), tolerance);
  if (one.balance.empty()) return;
  EXPECT_LE(distance(all.balance, one.balance), tolerance);
}

std::vector<TokenColumns> long_rows(const ModelConfig& c) {
  const auto extra = static_cast<int>(c.num_nextn_predict_layers);
  return {random_row(c.vocab_size, 16, extra, 3, {5, 6}), random_row(c.vocab_size, 16, extra, 4)};
}

/// Documents of one token and more, all shorter than a piece of the longest one.
std::vector<TokenColumns> odd_rows(const ModelConfig& c) {
  std::vector<TokenColumns> rows;
  const auto extra = static_cast<int>(c.num_nextn_predict_layers);
  for (const std::int64_t length : {1, 3, 61, 2, 7}) {
    rows.push_back(random_row(c.vocab_size, length, extra, static_cast<std::uint64_t>(length)));
  }
  return rows;
}

TEST(ContextModel, HasTheGradientsOfOneRank) {
  Work work;
  work.rows = long_rows(work.config);
  for (const int count : {2, 3, 4}) {
    SCOPED_TRACE(count);
    expect_alike(work, count, 1e-13);
  }
}

TEST(ContextModel, TakesDocumentsOfAnyLength) {
  Work work;
  work.rows = odd_rows(work.config);
  for (const int count : {2, 4}) expect_alike(work, count, 1e-13);
}

/// Ranks without a single token take part in all calls.
TEST(ContextModel, TakesRanksWithoutTokens) {
  for (const std::int64_t mtp : {0, 1}) {
    Work work;
    work.config.num_nextn_predict_layers = mtp;
    work.rows = {random_row(work.config.vocab_size, 1, static_cast<int>(mtp), 2)};
    for (const int count : {2, 4}) {
      SCOPED_TRACE(fmt::format("{} ranks, MTP {}", count, mtp));
      expect_alike(work, count, 1e-13);
    }
  }
}

TEST(ContextModel, GoesWithEveryShapeOfTheModel) {
  for (const int shape : {0, 1, 2, 3}) {
    SCOPED_TRACE(shape);
    Work work;
    if (shape == 0) work.config.q_lora_rank = 0;
    if (shape == 1) work.config.n_routed_experts = 0;
    if (shape == 2) {
      work.config.num_nextn_predict_layers = 0;
      work.config.tie_word_embeddings = true;
    }
    if (shape == 3) work.config.yarn = {.factor = 4, .original_length = 16};
    work.rows = long_rows(work.config);
    expect_alike(work, 2, 1e-13);
  }
}

TEST(ContextModel, GoesWithRecomputationAndWeightsThatWait) {
  for (const char* word : {"norms", "swiglu", "up_projections", "blocks"}) {
    for (const bool later : {false, true}) {
      SCOPED_TRACE(fmt::format("{}{}", word, later ? ", weights later" : ""));
      Work work;
      work.rows = long_rows(work.config);
      work.recompute = recompute_of({word});
      work.weights_later = later;
      const std::vector<Made> again = make_on(2, work);
      Work kept = work;
      kept.recompute = {};
      const std::vector<Made> whole = make_on(2, kept);
      for (std::size_t rank = 0; rank < 2; ++rank) {
        EXPECT_EQ(again[rank].gradients, whole[rank].gradients);
        EXPECT_EQ(again[rank].losses, whole[rank].losses);
      }
      expect_alike(work, 2, 1e-13);
    }
  }
}

TEST(ContextModel, HasTheGradientsOfOneRankInFp32) {
  Work work;
  work.precision = Precision::of(Recipe::Fp32);
  work.rows = long_rows(work.config);
  expect_alike(work, 2, 1e-5);
}

/// The scales of narrow types are of the tokens that lie together, so that ranks round otherwise
/// than one rank does, but no worse: against FP32 both have errors of one size.
TEST(ContextModel, RoundsNoMoreThanOneRankInOtherRecipes) {
  for (const Recipe recipe : {Recipe::Bf16, Recipe::Tensorwise, Recipe::Blockwise}) {
    SCOPED_TRACE(name_of(recipe));
    Work work;
    work.config = test::small_config(recipe);
    work.config.n_routed_experts = 0;  // no picks that a rounding decides
    work.rows = long_rows(work.config);
    work.precision = Precision::of(Recipe::Fp32);
    const Made exact = make(work, nullptr);
    work.precision = Precision::of(recipe);
    const Made one = make(work, nullptr);
    std::vector<double> gradients;
    double loss = 0;
    for (const Made& part : make_on(2, work)) {
      add_up(part.gradients, gradients);
      loss += part.loss();
    }
    const double error = distance(one.gradients, exact.gradients);
    EXPECT_GT(error, 1e-4);
    EXPECT_LE(distance(gradients, exact.gradients), 1.5 * error);
    EXPECT_NEAR(loss, exact.loss(), 2e-2 * exact.loss());
  }
}

/// Queries see the same keys in the same order. NOTE: the last bits are not those of one rank, as
/// products sum in an order that depends on how many rows they have.
TEST(ContextModel, HasTheLossOfEveryToken) {
  Work work;
  work.precision = Precision::of(Recipe::Fp32);
  work.rows = long_rows(work.config);
  const Made one = make(work, nullptr);
  const std::vector<Made> parts = make_on(2, work);
  std::vector<double> joined;
  for (std::int64_t row = 0; row < 2; ++row) {
    const auto at = [&](std::size_t rank, std::int64_t piece) {
      const auto first = parts[rank].losses.begin() + row * 8 + piece * 4;
      joined.insert(joined.end(), first, first + 4);
    };
    at(0, 0);
    at(1, 0);
    at(1, 1);
    at(0, 1);
  }
  ASSERT_EQ(joined.size(), one.losses.size());
  for (std::size_t t = 0; t < joined.size(); ++t) {
    EXPECT_NEAR(joined[t], one.losses[t], 3e-6 * one.losses[t]) << t;
  }
}

/// Shares of 2 rows of 16 tokens on N ranks, in three blocks and MTP: forward, backward and the sum
/// of gradients send each share to N - 1 others, and blocks that are made again gather once more.
TEST(ContextModel, CountsTheBytesThatItSends) {
  for (const int count : {2, 4}) {
    Work work;
    work.rows = long_rows(work.config);
    const std::int64_t call = (count - 1) * (2 * 16 / count) * (6 + 4) * 8;
    for (const Made& part : make_on(count, work)) EXPECT_EQ(part.sent, 4 * 3 * call);
    work.recompute.blocks = true;
    for (const Made& part : make_on(count, work)) EXPECT_EQ(part.sent, 4 * 4 * call);
  }
}

TEST(ContextModel, SaysThatSequencesAreCutWhereItKnowsNoWay) {
  Work work;
  work.rows = long_rows(work.config);
  const MicrobatchBuffer buffer(columns_of(work, {2, 0}), Device::Cpu);
  Model model(work.config, kDouble, false, Device::Cpu);
  Arena keep{std::size_t{1} << 24}, scratch{std::size_t{1} << 24};
  Context context{.scratch = &scratch};
  Pass pass{context, keep, kDouble};
  ModelStash stash;
  EXPECT_THROW(model.forward(pass, buffer.batch().sequences, stash), Error);
}

}  // namespace
}  // namespace tessera
