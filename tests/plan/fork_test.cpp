// SPDX-License-Identifier: MIT
// What a fork cannot change is told before there is a run.
#include <gtest/gtest.h>

#include <algorithm>

#include "core/plan/plan.h"

namespace tessera {
namespace {

std::vector<PlanProblem> problems_with(const std::vector<std::string>& overrides,
                                       const std::vector<std::string>& of_parent = {}) {
  const ForkOf from{.parent = read_preset("demo", of_parent).spec, .folder = "/no/such/run"};
  return check_fork(read_preset("demo", overrides).spec, from);
}

/// The problem of a key; null where there is none.
const PlanProblem* find(const std::vector<PlanProblem>& all, const std::string& key) {
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const PlanProblem& p) { return p.problem.key == key; });
  return found == all.end() ? nullptr : &*found;
}

struct Changed {
  const char* name;
  std::string setting;  ///< KEY=VALUE
  bool refused;
};
class ForkShapes : public testing::TestWithParam<Changed> {};

TEST_P(ForkShapes, AreThoseOfTheCheckpoint) {
  const std::string key = GetParam().setting.substr(0, GetParam().setting.find('='));
  const auto all = problems_with({GetParam().setting});
  const PlanProblem* problem = find(all, key);
  ASSERT_EQ(problem != nullptr, GetParam().refused);
  if (!problem) return;
  EXPECT_EQ(problem->problem.severity, Severity::Error);
  ASSERT_TRUE(problem->fix);
  const RunSpec mended = with_fix(read_preset("demo", {GetParam().setting}).spec, *problem->fix);
  const ForkOf from{.parent = read_preset("demo").spec, .folder = "/no/such/run"};
  EXPECT_EQ(find(check_fork(mended, from), key), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Keys, ForkShapes,
                         testing::Values(Changed{"layers", "model.num_hidden_layers=5", true},
                                         Changed{"width", "model.hidden_size=256", true},
                                         Changed{"rows", "model.vocab_size=4160", true},
                                         Changed{"experts", "model.n_routed_experts=32", true},
                                         Changed{"shared", "model.n_shared_experts=2", true},
                                         Changed{"dense", "model.first_k_dense_replace=2", true},
                                         Changed{"mtp", "model.num_nextn_predict_layers=0", true},
                                         Changed{"tied", "model.tie_word_embeddings=true", true},
                                         Changed{"seed", "run.seed=2", true},
                                         // These are read from the spec alone.
                                         Changed{"top_k", "model.num_experts_per_tok=2", false},
                                         Changed{"theta", "model.rope_theta=50000.0", false},
                                         Changed{"clip", "optimiser.clip=0.5", false},
                                         Changed{"recipe", "precision.recipe=bf16", false},
                                         Changed{"micro", "parallel.micro_batch_sequences=4",
                                                 false},
                                         Changed{"weight", "data.sources[0].weight=1", false}),
                         [](const auto& instance) { return instance.param.name; });

TEST(Fork, NamesEachKeyThatIsAtFault) {
  const auto all = problems_with({"model.hidden_size=256", "model.vocab_size=4160"});
  EXPECT_TRUE(find(all, "model.hidden_size"));
  EXPECT_TRUE(find(all, "model.vocab_size"));
}

TEST(Fork, TellsWhatHasNoEffect) {
  for (const char* setting :
       {"tokenizer.vocab_size=2048", "data.held_out_fraction=0.5", "data.filters.min_letters=0.3",
        "data.sources[0].paths=[\"x\"]", "checkpoint.start_from=x"}) {
    const auto all = problems_with({setting});
    const std::string key = std::string(setting).substr(0, std::string(setting).find('='));
    const PlanProblem* problem = find(all, key);
    ASSERT_TRUE(problem) << setting;
    EXPECT_EQ(problem->problem.severity, Severity::Warning) << setting;
  }
  // Shards of one's own are built from them.
  EXPECT_FALSE(find(problems_with({"data.held_out_fraction=0.5", "data.shards=/mine"}),
                    "data.held_out_fraction"));
}

TEST(Fork, KeepsTheSourcesOfItsParent) {
  const auto renamed = problems_with({"data.sources[0].name=other"});
  EXPECT_TRUE(find(renamed, "data.sources[0].name"));
  EXPECT_TRUE(find(renamed, "data.sources"));
}

TEST(Fork, NeedsACheckpoint) {
  EXPECT_TRUE(find(problems_with({}), "run"));
  const ForkOf from{.parent = read_preset("demo").spec, .folder = "/no/such/run"};
  EXPECT_EQ(steps_before_fork(from), 0);
}

}  // namespace
}  // namespace tessera
