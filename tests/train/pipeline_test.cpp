// SPDX-License-Identifier: MIT
// A pipeline of ranks inside one process against one rank that holds the whole model.
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/transfer.h"
#include "core/train/trainer.h"
#include "distributed/threads/thread_ranks.h"
#include "tests/train/seen_run.h"
#include "tests/train/workspace.h"

namespace tessera {
namespace {

using tiny_run::Seen, tiny_run::Workspace;

class Pipeline : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    workspace_ = new Workspace;
    workspace_->build();
  }
  static void TearDownTestSuite() { delete workspace_; }

  static RunSpec spec(std::int64_t stages, std::int64_t micro_batch) {
    RunSpec s = workspace_->spec();
    s.model.num_hidden_layers = 4;
    s.curriculum[0].steps = 20;
    s.parallel.pipeline = stages;
    s.parallel.micro_batch_sequences = micro_batch;
    return s;
  }

  /// In this order of sums every layout has the bits of one rank. In the quick one a token whose
  /// two best experts are a rounding apart may go another way, and from there on its losses too.
  static RunSpec canonical(RunSpec s) {
    s.parallel.sums = SumOrder::Canonical;
    return s;
  }

  static RunSpec scheduled(PipelineSchedule schedule, std::int64_t ranks,
                           std::int64_t micro_batch) {
    RunSpec s = spec(ranks, micro_batch);
    s.parallel.schedule = schedule;
    return s;
  }

  static std::vector<Seen> train_on(int count, const RunSpec& s) {
    return tiny_run::train_and_see_on(count, s);
  }

  static Workspace* workspace_;
};
Workspace* Pipeline::workspace_ = nullptr;

void expect_near(const std::vector<double>& a, const std::vector<double>& b, double relative) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i], b[i], relative * std::abs(b[i])) << "step " << i;
  }
}

/// Alike but for the rounding of sums, which a pipeline takes in another order.
void expect_alike(const Seen& many, const Seen& one) {
  expect_near(many.losses, one.losses, 2e-5);
  expect_near(many.mtp_losses, one.mtp_losses, 2e-5);
  expect_near(many.balance_losses, one.balance_losses, 1e-3);
  expect_near(many.norms, one.norms, 1e-3);
  EXPECT_NEAR(many.validation, one.validation, 2e-5 * one.validation);
  ASSERT_EQ(many.loads.size(), one.loads.size());
  std::int64_t moved = 0, tokens = 0;
  for (std::size_t i = 0; i < one.loads.size(); ++i) {
    moved += std::abs(many.loads[i] - one.loads[i]);
    tokens += one.loads[i];
  }
  // A token whose two best experts are a rounding apart may go to the other one.
  EXPECT_LE(moved, tokens / 10000);
  ASSERT_EQ(many.biases.size(), one.biases.size());
}

TEST_F(Pipeline, OfTwoAndFourStagesTrainsAsOneRankDoes) {
  const Seen one = train_on(1, canonical(spec(1, 2)))[0];
  ASSERT_EQ(one.losses.size(), 20u);
  for (const int stages : {2, 4}) {
    const std::vector<Seen> all = train_on(stages, canonical(spec(stages, 2)));
    for (const Seen& seen : all) {
      expect_alike(seen, one);
      EXPECT_EQ(seen.losses, one.losses);  // every rank says the same
      EXPECT_EQ(seen.loads, one.loads);
      EXPECT_EQ(seen.biases, one.biases);
    }
    // The first stage keeps more micro-batches than the last.
    EXPECT_GT(all.front().keep_bytes, all[1].keep_bytes / 2);
  }
}

TEST_F(Pipeline, WithTheBackwardInTwoHasTheSameBits) {
  const std::vector<Seen> whole = train_on(4, spec(4, 1));
  const std::vector<Seen> split = train_on(4, scheduled(PipelineSchedule::ZeroBubble, 4, 1));
  EXPECT_EQ(split[0].losses, whole[0].losses);
  EXPECT_EQ(split[0].norms, whole[0].norms);
  EXPECT_EQ(split[3].loads, whole[3].loads);
}

/// Several stages on a rank, and each stage on two ranks.
TEST_F(Pipeline, OfEachScheduleTrainsAsOneRankDoes) {
  const Seen one = train_on(1, canonical(spec(1, 1)))[0];
  for (const auto& [schedule, ranks] :
       {std::pair{PipelineSchedule::Interleaved, 2}, std::pair{PipelineSchedule::DualPipe, 2},
        std::pair{PipelineSchedule::DualPipe, 4}, std::pair{PipelineSchedule::DualPipeV, 2}}) {
    SCOPED_TRACE(fmt::format("{} on {} ranks", name_of(schedule), ranks));
    for (const Seen& seen : train_on(ranks, canonical(scheduled(schedule, ranks, 1)))) {
      expect_alike(seen, one);
      EXPECT_EQ(seen.losses, one.losses);
      EXPECT_EQ(seen.loads, one.loads);
      EXPECT_EQ(seen.biases, one.biases);
    }
  }
}

TEST_F(Pipeline, OfRanksThatShareStagesTrainsAsOneRankDoes) {
  const Seen one = train_on(1, spec(1, 4))[0];
  for (const Seen& seen : train_on(4, spec(2, 2))) expect_alike(seen, one);
}

/// The first and the last stage hold the token table: with MTP, and where the head is tied to it.
TEST_F(Pipeline, KeepsTheTokenTablesOfItsEndsAlike) {
  for (const bool tied : {false, true}) {
    const auto with_head = [&](std::int64_t stages) {
      RunSpec s = spec(stages, 2);
      s.model.tie_word_embeddings = tied;
      s.model.num_nextn_predict_layers = tied ? 0 : 1;
      return s;
    };
    const Seen one = train_on(1, with_head(1))[0];
    const std::vector<Seen> all = train_on(4, with_head(4));
    EXPECT_EQ(all[3].token_table, all[0].token_table);
    EXPECT_TRUE(all[1].token_table.empty());
    expect_near(all[0].losses, one.losses, 2e-5);
    expect_near(all[0].norms, one.norms, 1e-3);
  }
}

/// Documents of many lengths: a step's loss is the mean over its targets, however they are spread
/// over micro-batches and ranks.
TEST_F(Pipeline, WeighsTargetsAlikeInMicroBatchesOfManyLengths) {
  const auto documents = [](std::int64_t stages, std::int64_t micro_batch) {
    RunSpec s = spec(stages, micro_batch);
    s.data.packing = false;
    s.curriculum[0].sequence_length = 48;
    return s;
  };
  const Seen one = train_on(1, documents(1, 8))[0];
  for (const std::int64_t micro_batch : {1, 2}) {
    const Seen apart = train_on(1, documents(1, micro_batch))[0];
    expect_near(apart.losses, one.losses, 2e-5);
    expect_near(apart.mtp_losses, one.mtp_losses, 2e-5);
    expect_near(apart.norms, one.norms, 1e-3);
  }
  const Seen many = train_on(4, documents(2, 2))[0];
  expect_near(many.losses, one.losses, 2e-5);
  expect_near(many.norms, one.norms, 1e-3);
}

TEST_F(Pipeline, RefusesRanksThatStagesDoNotDivide) {
  ThreadRanks ranks(3);
  try {
    tiny_run::train_and_see(spec(2, 2), ranks.rank(0));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what_failed(), "a pipeline of 2 ranks does not divide 3 ranks");
  }
}

}  // namespace
}  // namespace tessera
