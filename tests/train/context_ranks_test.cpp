// SPDX-License-Identifier: MIT
// Runs whose sequences are shared by ranks, with ranks of data, experts and pipelines beside them,
// against one rank.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/base/transfer.h"
#include "core/checkpoint/checkpoint.h"
#include "core/train/fork.h"
#include "core/train/trainer.h"
#include "tests/train/rank_runs.h"
#include "tests/train/seen_run.h"
#include "tests/train/workspace.h"

namespace tessera {
namespace {

using tiny_run::losses, tiny_run::on_ranks, tiny_run::train_on_ranks, tiny_run::Seen,
    tiny_run::Workspace;

struct Shape {
  const char* name;
  std::int64_t context = 1, data = 1, pipeline = 1, expert = 1;
  PipelineSchedule schedule = PipelineSchedule::OneForwardOneBackward;
  int ranks() const { return static_cast<int>(context * data * pipeline); }
};
constexpr Shape kAlone{"one"};
constexpr Shape kPair{"CP2", 2};

class ContextRanks : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    workspace_ = new Workspace;
    workspace_->build();
  }
  static void TearDownTestSuite() { delete workspace_; }

  static RunSpec spec(std::int64_t steps, const Shape& shape = kAlone) {
    RunSpec s = workspace_->spec();
    s.model.num_hidden_layers = 4;
    s.curriculum[0].steps = steps;
    s.curriculum[0].learning_rate = {{.kind = RateKind::Warmup, .steps = 4, .to = 3e-3},
                                     {.kind = RateKind::Cosine, .steps = steps - 4, .to = 3e-4}};
    s.parallel.micro_batch_sequences = 2;
    s.parallel.context = shape.context;
    s.parallel.data = shape.data;
    s.parallel.pipeline = shape.pipeline;
    s.parallel.expert = shape.expert;
    s.parallel.schedule = shape.schedule;
    return s;
  }

  static std::vector<Seen> train_on(const RunSpec& s) {
    const auto& p = s.parallel;
    return tiny_run::train_and_see_on(static_cast<int>(p.context * p.data * p.pipeline), s, 7);
  }

  static Workspace* workspace_;
};
Workspace* ContextRanks::workspace_ = nullptr;

/// The largest relative difference of the first `count` numbers.
double apart(const std::vector<double>& a, const std::vector<double>& b, std::size_t count) {
  if (a.size() != b.size() || a.size() < count) return INFINITY;
  double most = 0;
  for (std::size_t i = 0; i < count; ++i) {
    most = std::max(most, std::abs(a[i] - b[i]) / std::abs(b[i]));
  }
  return most;
}

/// Assignments of tokens to experts that went another way, as far as loads tell.
double flipped_share(const Seen& a, const Seen& b) {
  if (a.loads.size() != b.loads.size()) return INFINITY;
  std::int64_t moved = 0, all = 0;
  for (std::size_t i = 0; i < a.loads.size(); ++i) {
    moved += std::abs(a.loads[i] - b.loads[i]);
    all += b.loads[i];
  }
  return static_cast<double>(moved) / 2 / static_cast<double>(all);
}

TEST_F(ContextRanks, TrainAsOneRankDoes) {
  const Seen one = train_on(spec(20))[0];
  for (const Shape& shape :
       {kPair, Shape{"CP4", 4}, Shape{"CP2xDP2", 2, 2}, Shape{"CP2xEP2", 2, 1, 1, 2},
        Shape{"CP2xDP2xEP4", 2, 2, 1, 4}, Shape{"CP2xPP2", 2, 1, 2},
        Shape{"CP2xPP2 zb1p", 2, 1, 2, 1, PipelineSchedule::ZeroBubble},
        Shape{"CP2xPP2 dualpipe", 2, 1, 2, 1, PipelineSchedule::DualPipe}}) {
    SCOPED_TRACE(shape.name);
    const std::vector<Seen> all = train_on(spec(20, shape));
    for (const Seen& seen : all) {
      EXPECT_LE(apart(seen.losses, one.losses, 10), 1e-5);
      EXPECT_LE(apart(seen.mtp_losses, one.mtp_losses, 10), 1e-5);
      EXPECT_LE(apart(seen.balance_losses, one.balance_losses, 10), 1e-4);
      EXPECT_LE(apart(seen.norms, one.norms, 10), 1e-3);
      EXPECT_LE(flipped_share(seen, one), 1e-4);
      EXPECT_NEAR(seen.validation, one.validation, 1e-4 * one.validation);
      EXPECT_EQ(seen.losses, all[0].losses);  // every rank says the same
      EXPECT_EQ(seen.biases, all[0].biases);
      EXPECT_EQ(seen.validation, all[0].validation);
    }
  }
}

/// A model with such weights, for forward passes.
std::unique_ptr<Model> model_of(const RunSpec& s, const Seen& seen, Context& context) {
  auto model = std::make_unique<Model>(s.model, Precision{}, true, Device::Cpu);
  copy_from_host(seen.weights.data(), model->parameters().flat_values());
  const std::int64_t experts = s.model.n_routed_experts;
  for (std::int64_t block = 0; block < model->moe_blocks(); ++block) {
    copy_from_host(seen.biases.data() + block * experts, model->moe_block(block).bias());
  }
  model->parameters().refresh_operands(context);
  return model;
}

/// Which experts the routers of a model pick for some rows, and how near a tie it was.
struct Picked {
  std::vector<std::vector<std::int32_t>> picks;  ///< of each token and layer, sorted
  std::vector<double> margins;                   ///< from the last pick to the best other expert
};

Picked picked_by(const RunSpec& s, const Seen& seen, const StepRows& rows) {
  Arena keep{std::size_t{1} << 28}, scratch{std::size_t{1} << 28};
  Context context{.scratch = &scratch};
  const auto model = model_of(s, seen, context);
  Picked picked;
  for (const TokenColumns& row : rows) {
    keep.reset();
    const MicrobatchBuffer buffer(row, Device::Cpu);
    Pass pass{context, keep, model->precision()};
    ModelStash stash;
    model->forward_loss(pass, buffer.batch(), {}, stash);
    for (std::int64_t block = 0; block < model->moe_blocks(); ++block) {
      const MoeStash& moe = model->moe_stash(stash, block);
      const float* bias = model->moe_block(block).bias().data<float>();
      for (std::int64_t t = 0; t < moe.scores.size(0); ++t) {
        const std::int32_t* first = moe.routed.picks[t].data<std::int32_t>();
        std::vector<std::int32_t> picks(first, first + moe.routed.picks.size(1));
        std::sort(picks.begin(), picks.end());
        double least = INFINITY, best = -INFINITY;
        for (std::int32_t e = 0; e < moe.scores.size(1); ++e) {
          const double score = moe.scores[t].data<float>()[e] + bias[e];
          const bool is_picked = std::binary_search(picks.begin(), picks.end(), e);
          (is_picked ? least : best) = is_picked ? std::min(least, score) : std::max(best, score);
        }
        picked.picks.push_back(picks);
        picked.margins.push_back(least - best);
      }
    }
  }
  return picked;
}

/// After fifty steps losses differ by no more than those of one rank in two orders of summation,
/// which is measured here. What of the assignments the weights of both would make otherwise is
/// listed: each is a near tie.
TEST_F(ContextRanks, StayWithinTwoOrdersOfSummationOverFiftySteps) {
  const Seen one = train_on(spec(50))[0];
  double orders = 0;
  for (const std::int64_t micro_batch : {1, 2, 4, 8}) {
    RunSpec other = spec(50);
    other.parallel.micro_batch_sequences = micro_batch;
    if (micro_batch == 2) other.parallel.sums = SumOrder::Canonical;
    orders = std::max(orders, apart(train_on(other)[0].losses, one.losses, 50));
  }
  EXPECT_GT(orders, 0);
  SingleProcess alone;
  const RunSpec s = spec(50);
  const SpecialTokens specials = Tokenizer::load(s.tokenizer.path)->specials();
  const StepRows rows = pretraining_source(s, data::Dataset::open(s.data.shards), specials, alone)
                            ->held_out("words", 64, 32);
  const Picked by_one = picked_by(s, one, rows);
  for (const Shape& shape : {kPair, Shape{"CP4", 4}}) {
    const Seen seen = train_on(spec(50, shape))[0];
    const double here = apart(seen.losses, one.losses, 50);
    std::printf("%s: losses of 50 steps %.2g apart, two orders on one rank %.2g, loads %.2g\n",
                shape.name, here, orders, flipped_share(seen, one));
    EXPECT_LE(apart(seen.losses, one.losses, 10), 1e-5);
    EXPECT_LE(here, 2 * orders);
    EXPECT_LE(flipped_share(seen, one), 1e-4);
    const Picked by_many = picked_by(s, seen, rows);
    ASSERT_EQ(by_many.picks.size(), by_one.picks.size());
    std::size_t flips = 0;
    for (std::size_t i = 0; i < by_one.picks.size(); ++i) {
      if (by_many.picks[i] == by_one.picks[i]) continue;
      ++flips;
      std::printf("%s: assignment %zu flipped, %.2g from a tie\n", shape.name, i,
                  by_one.margins[i]);
      EXPECT_LE(by_one.margins[i], 1e-5);
    }
    EXPECT_LE(static_cast<double>(flips), std::max(1e-4 * double(by_one.picks.size()), 1.0));
  }
}

/// Documents of many lengths, many of them shorter than a piece, some leaving ranks without tokens.
TEST_F(ContextRanks, TakeOneDocumentASequence) {
  const auto documents = [](const Shape& shape) {
    RunSpec s = spec(10, shape);
    s.data.packing = false;
    s.curriculum[0].sequence_length = 48;
    return s;
  };
  const Seen one = train_on(documents(kAlone))[0];
  for (const Shape& shape : {kPair, Shape{"CP4", 4}, Shape{"CP2xPP2", 2, 1, 2}}) {
    SCOPED_TRACE(shape.name);
    const Seen seen = train_on(documents(shape))[0];
    EXPECT_LE(apart(seen.losses, one.losses, 10), 1e-5);
    EXPECT_LE(apart(seen.mtp_losses, one.mtp_losses, 10), 1e-5);
    EXPECT_NEAR(seen.validation, one.validation, 1e-5 * one.validation);
  }
}

/// Documents of a token and more, so that ranks are without a token in some micro-batches.
class OddSource : public StepSource {
 public:
  OddSource(const RunSpec& spec, const Communicator& ranks)
      : vocabulary_(spec.model.vocab_size),
        replicas_(mesh_of(spec, ranks).data),
        replica_(place_of(mesh_of(spec, ranks), ranks.rank()).data) {}

  StepRows next(const CurriculumStep& at) override {
    StepRows rows;
    const std::int64_t each = at.batch_sequences / replicas_;
    const std::int64_t first = steps_++ * at.batch_sequences + replica_ * each;
    for (std::int64_t i = 0; i < each; ++i) rows.push_back(row(first + i, at.sequence_length));
    return rows;
  }
  StepRows held_out(const std::string&, std::int64_t sequences,
                    std::int64_t length) const override {
    StepRows rows;
    for (std::int64_t i = 0; i < sequences; ++i) rows.push_back(row(1000 + i, length));
    return rows;
  }
  nlohmann::json state() const override { return {{"steps", steps_}}; }
  void restore(const nlohmann::json& state, const CurriculumStep&) override {
    steps_ = state.at("steps");
  }
  std::int64_t vocab_size() const override { return vocabulary_; }
  std::vector<std::filesystem::path> files() const override { return {}; }

 private:
  TokenColumns row(std::int64_t number, std::int64_t length) const {
    constexpr std::int64_t kTokens[] = {1, 2, 1, 1, 32, 3, 7, 31, 5, 1, 16};
    const Random random(static_cast<std::uint64_t>(number), 3);
    std::vector<std::int32_t> ids;
    for (std::int64_t i = 0; i < length + 2; ++i) {
      ids.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(i), 50)));
    }
    return document_row(ids, length, 1, kTokens[number % std::ssize(kTokens)]);
  }

  std::int64_t vocabulary_, replicas_, replica_, steps_ = 0;
};

TEST_F(ContextRanks, TakeDocumentsThatLeaveRanksWithoutTokens) {
  const auto losses_of = [](const Shape& shape) {
    RunSpec s = spec(11, shape);
    s.parallel.micro_batch_sequences = 1;
    std::vector<double> all;
    const auto errors = on_ranks(shape.ranks(), [&](Communicator& ranks) {
      Trainer trainer(s, std::make_unique<OddSource>(s, ranks), {}, ranks);
      std::vector<double> losses;
      while (!trainer.finished()) {
        const StepReport report = trainer.step();
        losses.insert(losses.end(), {report.loss, report.mtp_loss, report.balance_loss,
                                     report.optimiser.grad_norm});
      }
      losses.push_back(trainer.validate("any", 13));
      if (ranks.rank() == 0) all = losses;
    });
    for (const std::string& error : errors) EXPECT_EQ(error, "");
    return all;
  };
  const std::vector<double> one = losses_of(kAlone);
  for (const Shape& shape : {kPair, Shape{"CP4", 4}, Shape{"CP2xDP2", 2, 2},
                             Shape{"CP2xEP2", 2, 1, 1, 2}, Shape{"CP2xPP2", 2, 1, 2}}) {
    SCOPED_TRACE(shape.name);
    EXPECT_LE(apart(losses_of(shape), one, one.size()), 1e-5);
  }
}

TEST_F(ContextRanks, TakePackedDocumentsWithMasksAndYarn) {
  const auto other = [](const Shape& shape) {
    RunSpec s = spec(10, shape);
    s.data.document_mask = true;
    s.curriculum[0].sequence_length = 64;
    s.curriculum[0].yarn_factor = 4;
    s.model.yarn.original_length = 16;
    return s;
  };
  const Seen one = train_on(other(kAlone))[0];
  const Seen seen = train_on(other(kPair))[0];
  EXPECT_LE(apart(seen.losses, one.losses, 10), 1e-5);
  EXPECT_NEAR(seen.validation, one.validation, 1e-5 * one.validation);
}

/// Replicated or shared out moments, kept or recomputed activations: the same bits.
TEST_F(ContextRanks, HaveTheSameBitsUnderZeroAndRecomputation) {
  const std::vector<Seen> all = train_on(spec(6, kPair));
  RunSpec replicated = spec(6, kPair);
  replicated.parallel.zero = 0;
  EXPECT_EQ(train_on(replicated)[0].losses, all[0].losses);
  for (const char* word : {"norms", "swiglu", "up_projections", "blocks"}) {
    RunSpec again = spec(6, kPair);
    again.parallel.recompute = recompute_of({word});
    const std::vector<Seen> seen = train_on(again);
    EXPECT_EQ(seen[1].losses, all[1].losses) << word;
    EXPECT_EQ(seen[1].weights, all[1].weights) << word;
  }
  EXPECT_EQ(train_on(spec(6, kPair))[0].norms, all[0].norms);
}

/// A run goes on from one rank to two that share sequences, and from these to one.
TEST_F(ContextRanks, GoOnFromAnyLayoutsCheckpoint) {
  const RunFolder one = workspace_->run(spec(12));
  EXPECT_EQ(train_on_ranks(1, one), RunState::Finished);
  const auto expected = losses(one);
  TrainRunOptions four_steps;
  four_steps.most_steps = 4;
  const Shape ways[][3] = {{kAlone, kPair, kAlone},
                           {kPair, kAlone, Shape{"CP4", 4}},
                           {kPair, Shape{"CP2xPP2", 2, 1, 2}, Shape{"CP2xEP2", 2, 1, 1, 2}}};
  for (const auto& way : ways) {
    std::optional<RunFolder> folder;
    std::map<std::int64_t, double> got;
    for (const Shape& shape : way) {
      SCOPED_TRACE(shape.name);
      RunSpec s = spec(12, shape);
      s.checkpoint.keep = 0;
      folder = folder ? fork_run(*folder, *find_latest_checkpoint(folder->path()), s,
                                 workspace_->path / "runs")
                      : workspace_->run(s);
      train_on_ranks(shape.ranks(), *folder, four_steps);
      for (const auto& [step, loss] : losses(*folder)) got[step] = loss;
    }
    ASSERT_EQ(got.size(), 12u);
    for (const auto& [step, loss] : got) EXPECT_NEAR(loss, expected.at(step), 1e-5 * loss) << step;
  }
}

/// Stopped and gone on with the losses of a run that was left alone, to the last bit; samples and
/// validation on the way.
TEST_F(ContextRanks, StopAndGoOnToTheLastBit) {
  RunSpec s = spec(10, kPair);
  s.samples.every_steps = 4;
  s.samples.tokens = 6;
  s.samples.prompts = {"the river"};
  s.validation.every_steps = 3;
  s.validation.sequences = 5;
  const RunFolder whole = workspace_->run(s), parts = workspace_->run(s);
  EXPECT_EQ(train_on_ranks(2, whole), RunState::Finished);
  TrainRunOptions some;
  some.most_steps = 4;
  EXPECT_EQ(train_on_ranks(2, parts, some), RunState::Stopped);
  EXPECT_EQ(train_on_ranks(2, parts), RunState::Finished);
  EXPECT_EQ(losses(parts), losses(whole));
}

TEST_F(ContextRanks, AreRefusedWithBothNumbers) {
  const auto error_of = [](int count, const RunSpec& s) {
    return on_ranks(count, [&](Communicator& ranks) { tiny_run::train_and_see(s, ranks); })[0];
  };
  EXPECT_NE(error_of(3, spec(4, kPair)).find("2 does not divide the 3 ranks that hold each stage"),
            std::string::npos);
  RunSpec ordered = spec(4, kPair);
  ordered.parallel.sums = SumOrder::Canonical;
  EXPECT_NE(error_of(2, ordered).find("does not go with parallel.context = 2"), std::string::npos);
}

}  // namespace
}  // namespace tessera
