// SPDX-License-Identifier: MIT
// The plan and the trainer must never disagree.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "core/base/log.h"
#include "core/plan/plan.h"
#include "core/train/prepare.h"
#include "core/train/trainer.h"
#include "distributed/single/single_process.h"
#include "tests/train/rank_runs.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

class PlanAndTrainer : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    log::set_console_level(log::Level::Error);
    std::string name = (fs::temp_directory_path() / "tessera-agree-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    std::ofstream text(folder_ / "text.txt");
    std::uint64_t seed = 1;
    for (int line = 0; line < 4000; ++line) {
      for (int word = 0; word < 12; ++word) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        text << "word" << (seed >> 33) % 97 << ' ';
      }
      text << '\n';
    }
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  RunSpec spec(const std::string& recipe, const std::vector<std::string>& recompute) const {
    SpecReading reading = read_preset(
        "demo", {"model.vocab_size=512", "tokenizer.vocab_size=512", "model.hidden_size=32",
                 "model.num_hidden_layers=3", "model.q_lora_rank=16", "data.filters.on=false",
                 "data.filters.deduplicate=false", "data.filters.deduplicate_near=false",
                 "precision.recipe=" + recipe, "curriculum[0].sequence_length=64",
                 "curriculum[0].batch_sequences=4", "curriculum[0].steps=2",
                 "curriculum[0].balance_alpha=1e-3", "parallel.micro_batch_sequences=2"});
    reading.spec.parallel.recompute = recompute_of(recompute);
    reading.spec.data.sources = {{.name = "words", .paths = {(folder_ / "text.txt").string()}}};
    reading.spec.curriculum[0].learning_rate = {RatePiece{.to = 1e-3}};
    CurriculumStage longer = reading.spec.curriculum[0];
    longer.sequence_length = 128;
    reading.spec.curriculum.push_back(longer);
    return reading.spec;
  }

  std::size_t expect_agreement(const RunSpec& spec) const;

  fs::path folder_;
};

TEST_P(PlanAndTrainer, AgreeOnMemory) {
  std::size_t most = 0;
  for (const std::vector<std::string>& recompute :
       {std::vector<std::string>{}, {"norms"}, {"swiglu"}, {"up_projections"}, {"blocks"}}) {
    SCOPED_TRACE(fmt::format("{}", fmt::join(recompute, " ")));
    const std::size_t kept = expect_agreement(this->spec(GetParam(), recompute));
    if (recompute.empty()) {
      most = kept;
    } else {
      EXPECT_LT(kept, most);
    }
  }
}

/// Returns what is kept for backward.
std::size_t PlanAndTrainer::expect_agreement(const RunSpec& spec) const {
  EXPECT_TRUE(check_spec(spec).empty());
  PrepareOptions options;
  options.tokenizer_file = folder_ / "data" / "tokenizer.model";
  options.shards = folder_ / "data";
  const PreparedData data = prepare_data(spec, options);
  SingleProcess ranks;
  const SpecialTokens specials = data.tokenizer->specials();
  Trainer trainer(spec, pretraining_source(spec, data.dataset, specials, ranks), specials, ranks);
  const MemoryPlan plan = plan_memory(spec);
  EXPECT_TRUE(plan.exact);
  EXPECT_EQ(plan.stage, 1);
  while (!trainer.finished()) trainer.step();  // into the second, larger stage

  EXPECT_EQ(plan.bytes_of("stash"), trainer.step_memory().keep_bytes);
  EXPECT_EQ(plan.bytes_of("again"), trainer.step_memory().again_bytes);
  EXPECT_EQ(plan.bytes_of("scratch"), trainer.step_memory().scratch_bytes);
  // And what a step really touched.
  EXPECT_EQ(plan.bytes_of("stash"), trainer.used_memory().keep_bytes);
  EXPECT_EQ(plan.bytes_of("again"), trainer.used_memory().again_bytes);
  const ParameterSet& parameters = trainer.model().parameters();
  EXPECT_EQ(plan.bytes_of("weights"), parameters.value_bytes());
  EXPECT_EQ(plan.bytes_of("gradients"), parameters.gradient_bytes());
  EXPECT_EQ(plan.bytes_of("operands"), parameters.operand_bytes());
  EXPECT_EQ(plan.bytes_of("weights") + plan.bytes_of("operands") + plan.bytes_of("gradients") +
                plan.bytes_of("moments") + plan.bytes_of("stash") + plan.bytes_of("again") +
                plan.bytes_of("scratch"),
            trainer.memory_bytes());
  return plan.bytes_of("stash");
}

/// Ranks that share sequences: memory of the one that needs most, which is the first, and bytes.
TEST_P(PlanAndTrainer, AgreeWhereSequencesAreShared) {
  for (const std::vector<std::string>& recompute :
       {std::vector<std::string>{}, {"up_projections"}, {"blocks"}}) {
    SCOPED_TRACE(fmt::format("{}", fmt::join(recompute, " ")));
    RunSpec spec = this->spec(GetParam(), recompute);
    spec.parallel.context = 2;
    EXPECT_TRUE(check_spec(spec).empty());
    PrepareOptions options;
    options.tokenizer_file = folder_ / "data" / "tokenizer.model";
    options.shards = folder_ / "data";
    const PreparedData data = prepare_data(spec, options);
    const SpecialTokens specials = data.tokenizer->specials();
    const MemoryPlan plan = plan_memory(spec);
    std::vector<StepMemory> planned(2), used(2);
    std::int64_t sent = 0;
    const auto errors = tiny_run::on_ranks(2, [&](Communicator& ranks) {
      Trainer trainer(spec, pretraining_source(spec, data.dataset, specials, ranks), specials,
                      ranks);
      std::int64_t bytes = 0;
      while (!trainer.finished()) bytes = trainer.step().exchange.context_bytes;
      const auto rank = static_cast<std::size_t>(ranks.rank());
      planned[rank] = trainer.step_memory();
      used[rank] = trainer.used_memory();
      if (rank == 0) sent = bytes;
    });
    for (const std::string& error : errors) EXPECT_EQ(error, "");
    EXPECT_EQ(plan.bytes_of("stash"), planned[0].keep_bytes);
    EXPECT_EQ(plan.bytes_of("again"), planned[0].again_bytes);
    EXPECT_EQ(plan.bytes_of("scratch"), planned[0].scratch_bytes);
    EXPECT_LE(planned[1].scratch_bytes, planned[0].scratch_bytes);
    for (const std::size_t rank : {0, 1}) {
      EXPECT_EQ(planned[rank].keep_bytes, used[rank].keep_bytes) << rank;
      EXPECT_EQ(planned[rank].again_bytes, used[rank].again_bytes) << rank;
      EXPECT_LE(used[rank].scratch_bytes, planned[rank].scratch_bytes) << rank;
    }
    EXPECT_TRUE(plan.exact);
    EXPECT_GT(sent, 0);
    EXPECT_EQ(plan.context_bytes, sent);
    EXPECT_EQ(context_bytes(spec, spec.curriculum[1]), sent);
    // Half the tokens, so about half of what one rank keeps, but for rows that pad experts' tokens.
    spec.parallel.context = 1;
    EXPECT_LT(plan.bytes_of("stash"), plan_memory(spec).bytes_of("stash") * 3 / 4);
    EXPECT_EQ(plan_memory(spec).context_bytes, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Recipes, PlanAndTrainer,
                         testing::Values("fp32", "bf16", "tensorwise", "blockwise"),
                         [](const auto& instance) { return std::string(instance.param); });

}  // namespace
}  // namespace tessera
