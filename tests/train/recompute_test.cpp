// SPDX-License-Identifier: MIT
// Runs that make again in backward what others keep: the same run in less memory.
#include <algorithm>
#include <cstring>

#include "core/base/transfer.h"
#include "core/train/fork.h"
#include "core/train/trainer.h"
#include "tests/train/rank_runs.h"
#include "tests/train/workspace.h"

namespace tessera {
namespace {

using tiny_run::losses, tiny_run::on_ranks, tiny_run::Workspace;
using Words = std::vector<std::string>;

/// What a rank saw of a run.
struct RecomputedRun {
  std::vector<double> losses, mtp_losses, balance_losses, norms;
  std::vector<std::vector<std::int64_t>> loads;  ///< of each step
  std::vector<float> biases, gradients;          ///< after the last one
  std::vector<ExchangeReport> exchanges;
  double validation = 0;
  StepMemory planned, used;
};

const std::vector<Words> kChoices = {{"norms"},
                                     {"swiglu"},
                                     {"up_projections"},
                                     {"blocks"},
                                     {"norms", "swiglu", "up_projections"},
                                     {"norms", "swiglu", "up_projections", "blocks"}};

class RecomputeRun : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    workspace_ = new Workspace;
    workspace_->build();
  }
  static void TearDownTestSuite() { delete workspace_; }

  static RunSpec spec(const Words& words, std::int64_t steps) {
    RunSpec s = workspace_->spec();
    s.model.q_lora_rank = 16;
    s.model.qk_rope_head_dim = 16;  // a multiple of 16, as FP8 wants it
    s.curriculum[0].steps = steps;
    s.curriculum[0].learning_rate = {{.to = 3e-3}};
    s.parallel.recompute = recompute_of(words);
    return s;
  }

  static RecomputedRun train(const RunSpec& s, Communicator& ranks) {
    RecomputedRun run;
    const auto dataset = data::Dataset::open(s.data.shards);
    const SpecialTokens specials = Tokenizer::load(s.tokenizer.path)->specials();
    Trainer trainer(s, pretraining_source(s, dataset, specials, ranks), specials, ranks);
    while (!trainer.finished()) {
      const StepReport report = trainer.step();
      run.losses.push_back(report.loss);
      run.mtp_losses.push_back(report.mtp_loss);
      run.balance_losses.push_back(report.balance_loss);
      run.norms.push_back(report.optimiser.grad_norm);
      run.exchanges.push_back(report.exchange);
      run.loads.push_back(host_values<std::int64_t>(trainer.loads()));
    }
    run.biases = trainer.biases();
    run.gradients = host_values<float>(trainer.model().parameters().flat_gradients());
    run.planned = trainer.step_memory();
    run.used = trainer.used_memory();
    run.validation = trainer.validate("words", 6);
    return run;
  }

  static std::vector<RecomputedRun> train_on(int count, const RunSpec& s) {
    std::vector<RecomputedRun> all(static_cast<std::size_t>(count));
    const auto errors = on_ranks(count, [&](Communicator& ranks) {
      all[static_cast<std::size_t>(ranks.rank())] = train(s, ranks);
    });
    for (const std::string& error : errors) EXPECT_EQ(error, "");
    return all;
  }

  static void expect_same(const RecomputedRun& made, const RecomputedRun& kept) {
    EXPECT_EQ(made.losses, kept.losses);
    EXPECT_EQ(made.mtp_losses, kept.mtp_losses);
    EXPECT_EQ(made.balance_losses, kept.balance_losses);
    EXPECT_EQ(made.norms, kept.norms);
    EXPECT_EQ(made.loads, kept.loads);
    EXPECT_EQ(made.biases, kept.biases);
    EXPECT_EQ(made.validation, kept.validation);
    ASSERT_EQ(made.gradients.size(), kept.gradients.size());
    EXPECT_EQ(std::memcmp(made.gradients.data(), kept.gradients.data(),
                          made.gradients.size() * sizeof(float)),
              0);
  }

  static Workspace* workspace_;
};
Workspace* RecomputeRun::workspace_ = nullptr;

class RecomputeRunOf : public RecomputeRun, public testing::WithParamInterface<Recipe> {};

TEST_P(RecomputeRunOf, HasTheBitsOfOneThatKeepsAllInLessMemory) {
  const auto of = [&](const Words& words) {
    RunSpec s = spec(words, 10);
    s.precision.recipe = GetParam();
    return train_on(1, s)[0];
  };
  const RecomputedRun none = of({});
  ASSERT_EQ(none.losses.size(), 10u);
  EXPECT_LT(none.losses.back(), none.losses.front());
  EXPECT_EQ(none.used.keep_bytes, none.planned.keep_bytes);
  EXPECT_EQ(none.planned.again_bytes, 0u);
  for (const Words& words : kChoices) {
    SCOPED_TRACE(fmt::format("{}", fmt::join(words, " ")));
    const RecomputedRun made = of(words);
    expect_same(made, none);
    EXPECT_LT(made.planned.keep_bytes, none.planned.keep_bytes);
    EXPECT_EQ(made.used.keep_bytes, made.planned.keep_bytes);
    EXPECT_EQ(made.used.again_bytes, made.planned.again_bytes);
    EXPECT_EQ(made.planned.again_bytes > 0, words.back() == "blocks");
  }
}

INSTANTIATE_TEST_SUITE_P(Recipes, RecomputeRunOf,
                         testing::Values(Recipe::Fp32, Recipe::Bf16, Recipe::Tensorwise,
                                         Recipe::Blockwise),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

/// Micro-batches in flight keep less each; one block at a time is made again for all of them.
TEST_F(RecomputeRun, OfAPipelineHasTheSameBitsUnderEachSchedule) {
  for (const PipelineSchedule schedule :
       {PipelineSchedule::OneForwardOneBackward, PipelineSchedule::Interleaved,
        PipelineSchedule::ZeroBubble, PipelineSchedule::DualPipe, PipelineSchedule::DualPipeV}) {
    const auto of = [&](const Words& words) {
      RunSpec s = spec(words, 4);
      s.model.num_hidden_layers = 4;
      s.parallel.pipeline = 2;
      s.parallel.micro_batch_sequences = 1;
      s.parallel.schedule = schedule;
      return train_on(2, s);
    };
    const std::vector<RecomputedRun> none = of({});
    for (const Words& words : {kChoices[3], kChoices[4], kChoices[5]}) {
      SCOPED_TRACE(fmt::format("{}: {}", name_of(schedule), fmt::join(words, " ")));
      const std::vector<RecomputedRun> made = of(words);
      for (std::size_t rank = 0; rank < 2; ++rank) {
        expect_same(made[rank], none[rank]);
        EXPECT_LT(made[rank].planned.keep_bytes, none[rank].planned.keep_bytes);
        EXPECT_LE(made[rank].used.keep_bytes, made[rank].planned.keep_bytes);
        EXPECT_LE(made[rank].used.again_bytes, made[rank].planned.again_bytes);
      }
    }
  }
}

/// Gradients of weights that wait, in every recipe.
TEST_F(RecomputeRun, WithTheBackwardInTwoHasTheSameBitsInEachRecipe) {
  for (const Recipe recipe : {Recipe::Bf16, Recipe::Tensorwise, Recipe::Blockwise}) {
    const auto of = [&](const Words& words) {
      RunSpec s = spec(words, 3);
      s.precision.recipe = recipe;
      s.parallel.pipeline = 2;
      s.parallel.micro_batch_sequences = 1;
      s.parallel.schedule = PipelineSchedule::ZeroBubble;
      return train_on(2, s);
    };
    const std::vector<RecomputedRun> none = of({});
    for (const Words& words : {kChoices[3], kChoices[5]}) {
      SCOPED_TRACE(fmt::format("{}: {}", name_of(recipe), fmt::join(words, " ")));
      const std::vector<RecomputedRun> made = of(words);
      for (std::size_t rank = 0; rank < 2; ++rank) expect_same(made[rank], none[rank]);
    }
  }
}

/// Tokens are counted once however often they travel; whole blocks send them to their experts once
/// more, and nothing comes back from that.
TEST_F(RecomputeRun, OfExpertsOnTwoRanksCountsTokensOnce) {
  for (const SumOrder sums : {SumOrder::Quick, SumOrder::Canonical}) {
    const auto of = [&](const Words& words) {
      RunSpec s = spec(words, 4);
      s.parallel.data = s.parallel.expert = 2;
      s.parallel.micro_batch_sequences = 2;
      s.parallel.sums = sums;
      return train_on(2, s);
    };
    const std::vector<RecomputedRun> none = of({});
    for (const Words& words : kChoices) {
      SCOPED_TRACE(fmt::format("{}", fmt::join(words, " ")));
      const std::vector<RecomputedRun> made = of(words);
      for (std::size_t rank = 0; rank < 2; ++rank) expect_same(made[rank], none[rank]);
      for (std::size_t step = 0; step < 4; ++step) {
        const ExchangeReport &a = made[0].exchanges[step], &b = none[0].exchanges[step];
        EXPECT_EQ(a.tokens, b.tokens);
        EXPECT_EQ(a.token_ranks, b.token_ranks);
        EXPECT_EQ(a.received, b.received);
        const std::int64_t more = a.bytes - b.bytes, row = 32 * 4;  // hidden size in FP32
        if (words.back() != "blocks") {
          EXPECT_EQ(more, 0);
          continue;
        }
        EXPECT_GT(more, 0);
        EXPECT_EQ(more % row, 0);
        EXPECT_LE(more / row, b.token_ranks);
      }
    }
  }
}

/// Shared moments, replicas, and canonical sums beside it.
TEST_F(RecomputeRun, OfReplicasHasTheSameBits) {
  for (const std::int64_t zero : {0, 1}) {
    const auto of = [&](const Words& words) {
      RunSpec s = spec(words, 3);
      s.parallel.data = 2;
      s.parallel.micro_batch_sequences = 2;
      s.parallel.zero = zero;
      return train_on(2, s);
    };
    const RecomputedRun none = of({})[0];
    expect_same(of(kChoices.back())[0], none);
  }
}

/// The key may change between a checkpoint and the run that goes on from it.
TEST_F(RecomputeRun, GoesOnFromACheckpointOfAnother) {
  const auto of = [&](const Words& words) { return spec(words, 10); };
  const RunFolder whole = workspace_->run(of({}));
  EXPECT_EQ(Workspace::train(whole), RunState::Finished);
  const auto expected = losses(whole);
  ASSERT_EQ(expected.size(), 10u);
  for (const auto& [first, then] : {std::pair<Words, Words>{{}, {"blocks"}},
                                    std::pair<Words, Words>{{"blocks", "norms"}, {"swiglu"}}}) {
    const RunFolder parent = workspace_->run(of(first));
    EXPECT_EQ(Workspace::train(parent, 5), RunState::Stopped);
    const RunFolder child = fork_run(parent, *find_latest_checkpoint(parent.path()), of(then),
                                     workspace_->path / "runs");
    EXPECT_EQ(Workspace::train(child), RunState::Finished);
    const auto got = losses(child);
    ASSERT_EQ(got.size(), 5u);
    for (const auto& [step, loss] : got) EXPECT_EQ(loss, expected.at(step)) << step;
  }
}

}  // namespace
}  // namespace tessera
