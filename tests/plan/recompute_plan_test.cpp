// SPDX-License-Identifier: MIT
// What the plan says of each choice of recomputation.
#include "core/plan/recompute_plan.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/plan/plan.h"

namespace tessera {
namespace {

/// One dense layer of small sizes, so that products can be counted by hand.
ModelConfig one_layer() {
  ModelConfig c;
  c.hidden_size = 8;
  c.num_hidden_layers = 1;
  c.num_attention_heads = 2;
  c.q_lora_rank = 5;
  c.kv_lora_rank = 6;
  c.qk_nope_head_dim = 3;
  c.qk_rope_head_dim = 2;
  c.v_head_dim = 4;
  c.intermediate_size = 7;
  c.n_routed_experts = 0;
  return c;
}

double operations(const ModelConfig& c, Recipe recipe, const std::vector<std::string>& words) {
  return recompute_flops_per_token(c, Precision::of(recipe), recompute_of(words), 10);
}

TEST(PlanRecompute, CountsOperations) {
  const ModelConfig c = one_layer();
  EXPECT_EQ(operations(c, Recipe::Fp32, {}), 0);
  EXPECT_EQ(operations(c, Recipe::Fp32, {"norms"}), 4 * (2 * 8 + 5 + 6));
  EXPECT_EQ(operations(c, Recipe::Fp32, {"swiglu"}), 4 * 8 * 7);
  const double query = 2 * 5 * 2 * 5 + 3 * 2 * 2, keys = 2 * 6 * 2 * (3 + 4);
  EXPECT_EQ(operations(c, Recipe::Fp32, {"up_projections"}), query + keys);
  // Down-projections to the latents and the rotary key, o_proj, and the causal half of scores.
  const double down = 2 * 8 * (5 + 6 + 2 + 2 * 4), scores = 10 * 2 * (5 + 4);
  const double block = 108 + query + keys + down + scores + 224;
  EXPECT_EQ(operations(c, Recipe::Fp32, {"blocks"}), block);
  EXPECT_EQ(operations(c, Recipe::Fp32, {"blocks", "swiglu"}), block);  // made again once
  EXPECT_EQ(operations(c, Recipe::Fp32, {"blocks", "norms", "swiglu", "up_projections"}),
            block + 108 + query + keys);
}

/// What the recipe does anyway costs nothing more.
TEST(PlanRecompute, CountsWhatBlockwiseAdds) {
  const ModelConfig c = one_layer();
  EXPECT_EQ(operations(c, Recipe::Blockwise, {"norms"}), 0);
  EXPECT_EQ(operations(c, Recipe::Blockwise, {"up_projections"}), 2 * 5 * 2 * 5 + 3 * 2 * 2);
  EXPECT_EQ(operations(c, Recipe::Blockwise, {"swiglu"}), 224);
}

/// A query without a latent is kept; only experts that a token goes to count.
TEST(PlanRecompute, CountsTheModelThatThereIs) {
  ModelConfig c = one_layer();
  c.q_lora_rank = 0;
  EXPECT_EQ(operations(c, Recipe::Fp32, {"up_projections"}), 2 * 6 * 2 * (3 + 4));
  c.n_routed_experts = 4;
  c.num_experts_per_tok = 2;
  c.n_shared_experts = 1;
  c.moe_intermediate_size = 3;
  c.first_k_dense_replace = 0;
  EXPECT_EQ(operations(c, Recipe::Fp32, {"swiglu"}), 4 * 8 * 3 * 3);
}

/// Each choice saves what two plans differ by, whether it is chosen or not.
TEST(PlanRecompute, SavesWhatPlansDifferBy) {
  for (const char* recipe : {"fp32", "bf16", "blockwise"}) {
    for (const std::vector<std::string>& chosen :
         {std::vector<std::string>{}, {"norms"}, {"blocks"}}) {
      RunSpec spec = read_preset("demo", {std::string("precision.recipe=") + recipe}).spec;
      spec.parallel.recompute = recompute_of(chosen);
      const MemoryPlan plan = plan_memory(spec);
      ASSERT_EQ(plan.recompute.size(), 4u);
      for (const RecomputeChoice& choice : plan.recompute) {
        SCOPED_TRACE(fmt::format("{} {} with {}", recipe, choice.id, fmt::join(chosen, " ")));
        const auto total = [&](bool on) {
          RunSpec other = spec;
          other.parallel.recompute = with_choice(spec.parallel.recompute, choice.id, on);
          return static_cast<std::int64_t>(plan_memory(other).total_bytes);
        };
        EXPECT_EQ(choice.saved_bytes, total(false) - total(true));
        EXPECT_EQ(choice.chosen, recompute_switch(spec.parallel.recompute, choice.id));
        EXPECT_EQ(choice.share_of_step,
                  choice.flops_per_token /
                      training_flops_per_token(spec.model, spec.curriculum[0].sequence_length));
      }
      if (chosen.empty()) {
        EXPECT_GT(plan.recompute[1].saved_bytes, 0);
        EXPECT_GT(plan.recompute[3].saved_bytes, plan.recompute[1].saved_bytes);
        // Less than a forward, which is a third of a step.
        EXPECT_GT(plan.recompute[3].share_of_step, 0.1);
        EXPECT_LT(plan.recompute[3].share_of_step, 1.0 / 3);
      }
    }
  }
}

TEST(PlanRecompute, IsInThePlanAsData) {
  const SpecReading reading = read_preset("demo", {"parallel.recompute=[\"blocks\"]"});
  PlanOptions options;
  options.look_at_files = false;
  const Plan plan = make_plan(reading.spec, reading.problems, options);
  const nlohmann::json json = to_json(plan);
  const nlohmann::json& blocks = json.at("memory").at("recompute").at(3);
  EXPECT_EQ(blocks.at("id"), "blocks");
  EXPECT_EQ(blocks.at("chosen"), true);
  EXPECT_GT(blocks.at("saved_bytes"), 0);
  EXPECT_GT(blocks.at("flops_per_token"), 0);
  EXPECT_GT(plan.memory.bytes_of("again"), 0u);
}

/// Where the speed is others' or an estimate, a step takes as much longer as it has more work.
TEST(PlanRecompute, SlowsAnEstimatedStep) {
  const auto seconds = [](const std::vector<std::string>& words) {
    RunSpec spec = read_preset("demo", {"host.device=cuda"}).spec;
    spec.parallel.recompute = recompute_of(words);
    const SpeedPlan plan = plan_speed(spec, {});
    EXPECT_EQ(plan.basis, SpeedBasis::Published);
    return plan.step_seconds;
  };
  const RunSpec demo = read_preset("demo").spec;
  const std::int64_t length = demo.curriculum[0].sequence_length;
  const double share = recompute_flops_per_token(demo.model, {}, {.blocks = true}, length) /
                       training_flops_per_token(demo.model, length);
  EXPECT_NEAR(seconds({"blocks"}) / seconds({}), 1 + share, 1e-9);
}

/// Where no smaller micro-batch helps, whole blocks may.
TEST(PlanRecompute, IsAFixForTooLittleMemory) {
  const std::vector<std::string> one = {"parallel.micro_batch_sequences=1"};
  RunSpec fitting = read_preset("demo", one).spec;
  fitting.parallel.recompute = {.norms = true, .blocks = true};
  SpecReading reading = read_preset("demo", one);
  reading.spec.parallel.recompute.norms = true;
  PlanOptions options;
  options.look_at_files = false;
  options.memory_bytes = plan_memory(fitting).total_bytes;
  const Plan plan = make_plan(reading.spec, reading.problems, options);
  ASSERT_EQ(plan.problems.size(), 1u);
  const PlanProblem& problem = plan.problems.front();
  EXPECT_EQ(problem.problem.key, "parallel.recompute");
  ASSERT_TRUE(problem.fix);
  const RunSpec fixed = with_fix(reading.spec, *problem.fix);
  EXPECT_EQ(fixed.parallel.recompute, fitting.parallel.recompute);
  EXPECT_LE(plan_memory(fixed).total_bytes, *options.memory_bytes);
}

}  // namespace
}  // namespace tessera
