// SPDX-License-Identifier: MIT
// Experts on other ranks, and sums in one order, against one rank that holds everything.
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"
#include "core/train/fork.h"
#include "core/train/trainer.h"
#include "distributed/threads/thread_ranks.h"
#include "tests/train/rank_runs.h"
#include "tests/train/seen_run.h"
#include "tests/train/workspace.h"

namespace tessera {
namespace {

using tiny_run::Seen, tiny_run::Workspace;

struct Shape {
  std::int64_t ranks = 1, pipeline = 1, expert = 1;
  PipelineSchedule schedule = PipelineSchedule::OneForwardOneBackward;
};

class Experts : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    workspace_ = new Workspace;
    workspace_->build();
  }
  static void TearDownTestSuite() { delete workspace_; }

  static RunSpec spec(std::int64_t steps) {
    RunSpec s = workspace_->spec();
    s.model.num_hidden_layers = 4;
    s.curriculum[0].steps = steps;
    s.curriculum[0].learning_rate = {{.kind = RateKind::Warmup, .steps = 4, .to = 3e-3},
                                     {.kind = RateKind::Cosine, .steps = steps - 4, .to = 3e-4}};
    s.parallel.micro_batch_sequences = 1;
    return s;
  }

  static std::vector<Seen> train_on(RunSpec s, const Shape& shape) {
    s.parallel.pipeline = shape.pipeline;
    s.parallel.expert = shape.expert;
    s.parallel.schedule = shape.schedule;
    return tiny_run::train_and_see_on(static_cast<int>(shape.ranks), s);
  }

  static Workspace* workspace_;
};
Workspace* Experts::workspace_ = nullptr;

void expect_near(const std::vector<double>& a, const std::vector<double>& b, std::size_t count,
                 double relative) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_NEAR(a[i], b[i], relative * std::abs(b[i])) << "step " << i;
  }
}

/// Alike but for the rounding of sums: to 1e-5 in the first ten steps, and then within what two
/// orders of summation differ by.
void expect_alike(const Seen& many, const Seen& one) {
  expect_near(many.losses, one.losses, 10, 1e-5);
  expect_near(many.losses, one.losses, one.losses.size(), 5e-5);
  expect_near(many.mtp_losses, one.mtp_losses, 10, 1e-5);
  expect_near(many.norms, one.norms, 10, 1e-3);
  ASSERT_EQ(many.loads.size(), one.loads.size());
  std::int64_t moved = 0, tokens = 0;
  for (std::size_t i = 0; i < one.loads.size(); ++i) {
    moved += std::abs(many.loads[i] - one.loads[i]);
    tokens += one.loads[i];
  }
  EXPECT_LE(moved, tokens / 10000);  // two experts that are a rounding apart
}

void expect_same(const Seen& many, const Seen& one) {
  EXPECT_EQ(many.losses, one.losses);
  EXPECT_EQ(many.mtp_losses, one.mtp_losses);
  EXPECT_EQ(many.balance_losses, one.balance_losses);
  EXPECT_EQ(many.norms, one.norms);
  EXPECT_EQ(many.loads, one.loads);
  EXPECT_EQ(many.biases, one.biases);
  EXPECT_EQ(many.validation, one.validation);
}

TEST_F(Experts, OnTwoAndFourRanksTrainAsOneRankDoes) {
  const Seen one = train_on(spec(20), {})[0];
  for (const Shape& shape : {Shape{.ranks = 2, .expert = 2}, Shape{.ranks = 4, .expert = 4},
                             Shape{.ranks = 4, .expert = 2}}) {
    const std::vector<Seen> all = train_on(spec(20), shape);
    for (const Seen& seen : all) {
      expect_alike(seen, one);
      EXPECT_EQ(seen.losses, all[0].losses);  // every rank says the same
      EXPECT_EQ(seen.biases, all[0].biases);
    }
  }
}

TEST_F(Experts, OfAPipelineTrainAsOneRankDoes) {
  const Seen one = train_on(spec(12), {})[0];
  for (const Seen& seen : train_on(spec(12), {.ranks = 4, .pipeline = 2, .expert = 2})) {
    expect_near(seen.losses, one.losses, 10, 1e-5);
  }
}

/// What is counted is what a rank sends, and no token is counted twice.
TEST_F(Experts, AreCountedStepByStep) {
  const RunSpec s = spec(6);
  const std::vector<Seen> all = train_on(s, {.ranks = 2, .expert = 2});
  for (std::size_t step = 0; step < all[0].exchanges.size(); ++step) {
    const ExchangeReport& e = all[0].exchanges[step];
    EXPECT_EQ(e.tokens, 8 * 32 * moe_layers(s.model));
    EXPECT_GE(e.token_ranks, e.tokens);
    EXPECT_LE(e.token_ranks, 2 * e.tokens);
    ASSERT_EQ(e.received.size(), 2u);
    EXPECT_EQ(e.received[0] + e.received[1], e.token_ranks);
    EXPECT_GT(e.bytes, 0);
    EXPECT_EQ(all[1].exchanges[step].bytes, e.bytes);
  }
}

/// The last bit, over fifty steps: losses, norms, loads and biases of one rank on every layout.
TEST_F(Experts, InCanonicalOrderAreThoseOfOneRankToTheLastBit) {
  RunSpec s = spec(50);
  s.parallel.sums = SumOrder::Canonical;
  const Seen one = train_on(s, {})[0];
  // Two orders of summation differ in their last bits, but in no more.
  const Seen quick = train_on(spec(50), {.ranks = 2, .expert = 2})[0];
  EXPECT_NE(quick.norms, one.norms);
  expect_alike(quick, one);
  for (const Shape& shape :
       {Shape{.ranks = 2}, Shape{.ranks = 4}, Shape{.ranks = 2, .expert = 2},
        Shape{.ranks = 4, .expert = 4}, Shape{.ranks = 4, .expert = 2},
        Shape{.ranks = 2, .pipeline = 2}, Shape{.ranks = 4, .pipeline = 4},
        Shape{.ranks = 4, .pipeline = 2, .expert = 2},
        Shape{.ranks = 4, .pipeline = 4, .schedule = PipelineSchedule::ZeroBubble},
        Shape{.ranks = 2, .pipeline = 2, .schedule = PipelineSchedule::Interleaved},
        Shape{.ranks = 2, .pipeline = 2, .schedule = PipelineSchedule::DualPipe},
        Shape{.ranks = 2, .pipeline = 2, .schedule = PipelineSchedule::DualPipeV}}) {
    SCOPED_TRACE(
        fmt::format("{} ranks, pipeline {}, expert {}", shape.ranks, shape.pipeline, shape.expert));
    for (const Seen& seen : train_on(s, shape)) expect_same(seen, one);
  }
}

/// Batches that ranks do not share in powers of two.
TEST_F(Experts, InCanonicalOrderOfUnevenTrees) {
  RunSpec s = spec(8);
  s.parallel.sums = SumOrder::Canonical;
  s.curriculum[0].batch_sequences = 12;
  const Seen one = train_on(s, {})[0];
  for (const std::int64_t ranks : {2, 3, 4}) {
    for (const Seen& seen : train_on(s, {.ranks = ranks})) expect_same(seen, one);
  }
}

/// Without MTP and with a head of its own the last stage has no token table to share.
TEST_F(Experts, OfAPipelineWhoseLastStageReadsNoTokenTable) {
  for (const SumOrder order : {SumOrder::Quick, SumOrder::Canonical}) {
    RunSpec s = spec(10);
    s.model.num_nextn_predict_layers = 0;
    s.parallel.sums = order;
    const Seen one = train_on(s, {})[0];
    for (const Seen& seen : train_on(s, {.ranks = 4, .pipeline = 2, .expert = 2})) {
      expect_near(seen.losses, one.losses, 10, order == SumOrder::Quick ? 1e-5 : 0);
    }
  }
}

/// A run whose experts are on two ranks goes on with them on four, and then on one, and has the
/// losses of one rank from its beginning to its end.
TEST_F(Experts, GoOnFromOneLayoutToAnotherToTheLastBit) {
  const auto of = [](std::int64_t expert) {
    RunSpec s = spec(12);
    s.parallel.sums = SumOrder::Canonical;
    s.parallel.expert = expert;
    s.checkpoint.keep = 0;
    s.validation.every_steps = 4;
    s.samples.prompts = {"the"};
    s.samples.every_steps = 4;
    s.samples.tokens = 4;
    return s;
  };
  const RunFolder one = workspace_->run(of(1));
  EXPECT_EQ(tiny_run::train_on_ranks(1, one), RunState::Finished);
  const auto expected = tiny_run::losses(one);
  RunFolder folder = workspace_->run(of(2));
  TrainRunOptions four_steps;
  four_steps.most_steps = 4;
  EXPECT_EQ(tiny_run::train_on_ranks(2, folder, four_steps), RunState::Stopped);
  std::map<std::int64_t, double> got = tiny_run::losses(folder);
  for (const std::int64_t expert : {4, 1}) {
    folder = fork_run(folder, *find_latest_checkpoint(folder.path()), of(expert),
                      workspace_->path / "runs");
    const RunState end = tiny_run::train_on_ranks(static_cast<int>(expert), folder,
                                                  expert == 4 ? four_steps : TrainRunOptions{});
    EXPECT_EQ(end, expert == 4 ? RunState::Stopped : RunState::Finished);
    for (const auto& [step, loss] : tiny_run::losses(folder)) got[step] = loss;
  }
  EXPECT_EQ(got, expected);
}

TEST_F(Experts, RefuseRanksThatDoNotShareThem) {
  RunSpec s = spec(4);
  s.parallel.expert = 2;
  ThreadRanks ranks(3);
  try {
    tiny_run::train_and_see(s, ranks.rank(0));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what_failed(), "2 does not divide the 3 ranks that hold each stage");
  }
}

}  // namespace
}  // namespace tessera
