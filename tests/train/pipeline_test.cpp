// SPDX-License-Identifier: MIT
// A pipeline of ranks inside one process against one rank that holds the whole model.
#include <gtest/gtest.h>
#include <omp.h>

#include <thread>

#include "core/base/error.h"
#include "core/base/transfer.h"
#include "core/train/trainer.h"
#include "distributed/threads/thread_ranks.h"
#include "tests/train/workspace.h"

namespace tessera {
namespace {

using tiny_run::Workspace;

/// What a rank saw of a run.
struct Seen {
  std::vector<double> losses, mtp_losses, balance_losses, norms;
  std::vector<std::vector<float>> max_vio;
  std::vector<std::int64_t> loads;  ///< of all steps
  std::vector<float> biases;        ///< after the last one
  std::vector<float> token_table;   ///< after the last one; empty where the rank has none
  double validation = 0;
  std::size_t keep_bytes = 0;
  std::string error;
};

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

  static RunSpec scheduled(PipelineSchedule schedule, std::int64_t ranks,
                           std::int64_t micro_batch) {
    RunSpec s = spec(ranks, micro_batch);
    s.parallel.schedule = schedule;
    return s;
  }

  static Seen train(const RunSpec& s, Communicator& ranks) {
    Seen seen;
    const auto dataset = data::Dataset::open(s.data.shards);
    const SpecialTokens specials = Tokenizer::load(s.tokenizer.path)->specials();
    Trainer trainer(s, pretraining_source(s, dataset, specials, ranks), specials, ranks);
    while (!trainer.finished()) {
      const StepReport report = trainer.step();
      seen.losses.push_back(report.loss);
      seen.mtp_losses.push_back(report.mtp_loss);
      seen.balance_losses.push_back(report.balance_loss);
      seen.norms.push_back(report.optimiser.grad_norm);
      seen.max_vio.push_back(report.max_vio);
      const Tensor& loads = trainer.loads();
      seen.loads.insert(seen.loads.end(), loads.data<std::int64_t>(),
                        loads.data<std::int64_t>() + loads.numel());
    }
    seen.biases = trainer.biases();
    seen.validation = trainer.validate("words", 6);
    for (const Parameter& p : trainer.model().parameters().all()) {
      if (p.name == "model.embed_tokens.weight") seen.token_table = host_values<float>(p.value);
    }
    seen.keep_bytes = trainer.step_memory().keep_bytes;
    return seen;
  }

  static std::vector<Seen> train_on(int count, const RunSpec& s) {
    ThreadRanks ranks(count);
    std::vector<Seen> all(static_cast<std::size_t>(count));
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        omp_set_num_threads(1);
        try {
          all[static_cast<std::size_t>(i)] = train(s, ranks.rank(i));
        } catch (const std::exception& error) {
          all[static_cast<std::size_t>(i)].error = error.what();
          ranks.rank(i).abort(error.what());
        }
      });
    }
    threads.clear();
    for (const Seen& seen : all) EXPECT_EQ(seen.error, "");
    return all;
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
  const Seen one = train_on(1, spec(1, 2))[0];
  ASSERT_EQ(one.losses.size(), 20u);
  for (const int stages : {2, 4}) {
    const std::vector<Seen> all = train_on(stages, spec(stages, 2));
    for (const Seen& seen : all) {
      expect_alike(seen, one);
      EXPECT_EQ(seen.losses, all[0].losses);  // every rank says the same
      EXPECT_EQ(seen.loads, all[0].loads);
      EXPECT_EQ(seen.biases, all[0].biases);
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
  const Seen one = train_on(1, spec(1, 1))[0];
  for (const auto& [schedule, ranks] :
       {std::pair{PipelineSchedule::Interleaved, 2}, std::pair{PipelineSchedule::DualPipe, 2},
        std::pair{PipelineSchedule::DualPipe, 4}, std::pair{PipelineSchedule::DualPipeV, 2}}) {
    SCOPED_TRACE(fmt::format("{} on {} ranks", name_of(schedule), ranks));
    for (const Seen& seen : train_on(ranks, scheduled(schedule, ranks, 1))) {
      expect_alike(seen, one);
      // A layer's load that is a rounding from the mean may move a bias the other way once.
      std::size_t moved = 0;
      for (std::size_t i = 0; i < one.biases.size(); ++i) {
        const float apart = std::abs(seen.biases[i] - one.biases[i]);
        EXPECT_LT(apart, 0.021f);
        moved += apart > 1e-6f ? 1 : 0;
      }
      EXPECT_LE(moved, one.biases.size() / 8);
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
    train(spec(2, 2), ranks.rank(0));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what_failed(), "a pipeline of 2 ranks does not divide 3 ranks");
  }
}

}  // namespace
}  // namespace tessera
