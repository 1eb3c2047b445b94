// SPDX-License-Identifier: MIT
// What ranks send in a step, by formulas that can be done by hand.
#include "core/plan/link_plan.h"

#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/model/model.h"
#include "core/placement/token_reach.h"
#include "core/spec/spec.h"
#include "core/train/shards.h"

namespace tessera {
namespace {

RunSpec small() {
  RunSpec spec;
  spec.model.vocab_size = 64;
  spec.model.hidden_size = 32;
  spec.model.num_hidden_layers = 4;
  spec.model.first_k_dense_replace = 1;
  spec.model.n_routed_experts = 8;
  spec.model.num_experts_per_tok = 2;
  spec.model.n_group = spec.model.topk_group = 1;
  spec.model.num_nextn_predict_layers = 0;
  spec.curriculum.resize(2);
  spec.curriculum[0].batch_sequences = 8;
  spec.curriculum[0].sequence_length = 16;
  spec.curriculum[1].batch_sequences = 8;
  spec.curriculum[1].sequence_length = 64;  // the longer steps count
  spec.parallel.micro_batch_sequences = 1;
  return spec;
}

double trained(const RunSpec& spec) {
  const ModelConfig config = run_model(spec);
  const Model model(config, {}, true, Device::Cpu, true);
  double all = 0;
  for (const Bucket& b : buckets_of(model.parameters(), {})) all += double(b.end - b.from);
  return all;
}

TEST(LinkPlan, GradientsAndWeightsGoOnceAroundEach) {
  RunSpec spec = small();
  spec.parallel.data = 4;
  const LinkPlan plan = plan_links(spec);
  EXPECT_EQ(plan.pipeline_bytes, 0);
  EXPECT_EQ(plan.expert_bytes, 0);
  const double formula = 2 * 4 * trained(spec) * 3 / 4;
  EXPECT_NEAR(plan.weight_bytes, formula, 4 * 3 * 16 * 2);  // rests are not cut
}

TEST(LinkPlan, APipelineSendsEachMicroBatchOverEachBorder) {
  RunSpec spec = small();
  spec.parallel.pipeline = 2;
  const double one = 64 * 32 * 4;  // one sequence of the long stage, FP32
  EXPECT_EQ(plan_links(spec).pipeline_bytes, 8 * one);
  spec.parallel.pipeline = 4;  // those in the middle send both ways
  const LinkPlan four = plan_links(spec);
  EXPECT_EQ(four.pipeline_bytes, 16 * one);
  ASSERT_EQ(four.places.size(), 4u);
  EXPECT_EQ(four.places[3].stages.back().first, 3);
}

TEST(LinkPlan, TokensGoToTheRanksOfTheirExperts) {
  RunSpec spec = small();
  spec.parallel.data = spec.parallel.expert = 4;
  const LinkPlan plan = plan_links(spec);
  const double reach = expected_reach({8, 4, 2});
  EXPECT_EQ(plan.ranks_per_token, reach);
  const double tokens = 8 * 64 / 4, layers = 3;
  EXPECT_DOUBLE_EQ(plan.expert_bytes, 4 * tokens * reach * 3 / 4 * 32 * 4 * layers);
}

TEST(LinkPlan, AMeshThatDoesNotFitIsRefused) {
  RunSpec spec = small();
  spec.parallel.pipeline = 8;
  EXPECT_THROW(plan_links(spec), Error);
}

}  // namespace
}  // namespace tessera
