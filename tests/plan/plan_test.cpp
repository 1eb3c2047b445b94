// SPDX-License-Identifier: MIT
#include "core/plan/plan.h"
#include "core/base/call_record.h"

#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "core/config/paths.h"
#include "core/spec/curriculum.h"

namespace tessera {
namespace {

RunSpec preset(const std::string& name, const std::vector<std::string>& overrides = {}) {
  return read_preset(name, overrides).spec;
}

Plan plan_of(const SpecReading& reading, PlanOptions options = {}) {
  options.look_at_files = false;
  return make_plan(reading.spec, reading.problems, options);
}

const PlanProblem* problem_of(const Plan& plan, const std::string& key) {
  for (const PlanProblem& p : plan.problems) {
    if (p.problem.key == key) return &p;
  }
  return nullptr;
}

// ---- Parameters ---------------------------------------------------------------------------------

TEST(PlanParameters, OfDeepSeekV3AreThePublishedOnes) {
  const ParameterPlan p = plan_parameters(preset("v3").model);
  EXPECT_NEAR(static_cast<double>(p.total), 671.03e9, 0.01e9);
  EXPECT_NEAR(static_cast<double>(p.active), 37.55e9, 0.05e9);  // "37 B" with embedding and head
  EXPECT_NEAR(static_cast<double>(p.mtp), 11.5e9, 0.15e9);
}

class PlanParametersOf : public testing::TestWithParam<PresetInfo> {};

/// The groups are of the model that the trainer makes; the formula is another way to count.
TEST_P(PlanParametersOf, GroupsAddUpToTheFormula) {
  const ModelConfig model = preset(GetParam().name).model;
  const ParameterPlan plan = plan_parameters(model);
  const ParameterCount count = count_parameters(model);
  EXPECT_EQ(plan.total, count.total);
  EXPECT_EQ(plan.active, count.active);
  EXPECT_EQ(plan.mtp, count.mtp);
}

INSTANTIATE_TEST_SUITE_P(Presets, PlanParametersOf, testing::ValuesIn(list_presets()),
                         [](const auto& instance) {
                           std::string name = instance.param.name;
                           for (char& c : name) c = std::isalnum(c) ? c : '_';
                           return name;
                         });

// ---- Memory -------------------------------------------------------------------------------------

TEST(PlanMemory, OfOneRankIsExactAndSumsUp) {
  const MemoryPlan plan = plan_memory(preset("demo"));
  EXPECT_TRUE(plan.exact);
  std::size_t sum = 0;
  for (const MemoryTerm& term : plan.terms) sum += term.bytes;
  EXPECT_EQ(sum, plan.total_bytes);
  EXPECT_EQ(plan.bytes_of("weights"), plan.bytes_of("gradients"));
  EXPECT_GT(plan.bytes_of("stash"), plan.bytes_of("batch"));
}

TEST(PlanMemory, HalvesItsMomentsInBf16) {
  const std::size_t f32 = plan_memory(preset("demo")).bytes_of("moments");
  const std::size_t bf16 =
      plan_memory(preset("demo", {"optimiser.moments=bf16"})).bytes_of("moments");
  EXPECT_EQ(f32, 2 * bf16);
}

TEST(PlanMemory, OfStagesIsThatOfTheLargest) {
  const RunSpec spec = preset("length-extension-demo");
  const MemoryPlan both = plan_memory(spec);
  RunSpec last = spec;
  last.curriculum.erase(last.curriculum.begin());
  EXPECT_EQ(both.stage, 1);
  EXPECT_EQ(both.bytes_of("stash"), plan_memory(last).bytes_of("stash"));
}

/// Splitting into parts and back must say the same as the whole.
TEST(PlanMemory, OfPartsAddsUpToTheWhole) {
  const RunSpec whole = preset("small-20m");
  const MemoryPlan one = plan_memory(whole);
  RunSpec two = whole;
  two.parallel.pipeline = 2;
  two.curriculum[0].batch_sequences = two.parallel.micro_batch_sequences;  // one micro-batch
  const MemoryPlan half = plan_memory(two);
  EXPECT_FALSE(half.exact);
  EXPECT_LT(half.bytes_of("stash"), one.bytes_of("stash"));
  EXPECT_GT(2 * half.bytes_of("stash"), one.bytes_of("stash") * 9 / 10);
  EXPECT_LT(half.bytes_of("weights"), one.bytes_of("weights"));
}

/// Idle time over idle and busy time, of steps that are cut out of a long one as well.
TEST(PlanSpeed, CountsWhatAPipelineWaits) {
  const auto share = [](PipelineSchedule schedule, std::int64_t ranks, std::int64_t micro_batches) {
    return pipeline_idle_share({schedule, ranks}, micro_batches);
  };
  EXPECT_EQ(share(PipelineSchedule::DualPipe, 1, 8), 0);
  EXPECT_NEAR(share(PipelineSchedule::OneForwardOneBackward, 4, 12), 9.0 / (9 + 36), 1e-12);
  EXPECT_NEAR(share(PipelineSchedule::ZeroBubble, 4, 1000), 3.0 / (3 + 3000), 1e-12);
  EXPECT_NEAR(share(PipelineSchedule::DualPipe, 8, 20), 6.0 / (6 + 60), 1e-12);
  EXPECT_NEAR(share(PipelineSchedule::DualPipeV, 8, 60), 14.0 / (14 + 360), 1e-12);
}

TEST(PlanMemory, OfExpertsIsSharedOverRanks) {
  RunSpec spec = preset("small-20m");
  const std::size_t alone = plan_memory(spec).bytes_of("weights");
  spec.parallel.expert = 4;
  const std::size_t shared = plan_memory(spec).bytes_of("weights");
  const ModelConfig& m = spec.model;
  const std::int64_t layers = m.num_hidden_layers - m.first_k_dense_replace + 1;  // and MTP
  const std::int64_t experts =
      layers * m.n_routed_experts * 3 * m.moe_intermediate_size * m.hidden_size;
  // Padding between parameters is all that the two ways of counting may differ in.
  EXPECT_NEAR(static_cast<double>(alone - shared), 0.75 * 4.0 * static_cast<double>(experts), 1e5);
}

TEST(PlanMemory, OfTheLargestModelNeedsNoMemoryAndLittleTime) {
  const auto start = std::chrono::steady_clock::now();
  const Plan plan = plan_of(read_preset("v3"));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(plan.counted);
  // On one rank the weights alone would be 2.7 TB.
  const MemoryPlan alone =
      plan_memory(preset("v3", {"parallel.data=1", "parallel.pipeline=1", "parallel.expert=1"}));
  EXPECT_NEAR(static_cast<double>(alone.bytes_of("weights")), 4 * (671.03e9 + 11.61e9), 1e9);
  // 16 parts of the layers, experts over 32 ranks.
  EXPECT_LT(plan.memory.bytes_of("weights"), alone.bytes_of("weights") / 100);
  // The second part keeps 15 micro-batches of its 4 layers: nearly what one rank would keep of one.
  EXPECT_EQ(plan.memory.part, 1);
  EXPECT_NEAR(static_cast<double>(plan.memory.bytes_of("stash")),
              60.0 / 61.0 * static_cast<double>(alone.bytes_of("stash")),
              0.03 * static_cast<double>(alone.bytes_of("stash")));
  RecordProperty("seconds", std::to_string(seconds.count()));
  std::printf("a plan of v3 took %.0f ms\n", 1e3 * seconds.count());
}

TEST(PlanMemory, OfAbsurdSizesIsRefusedAndDoesNotOverflow) {
  const Plan plan = plan_of(
      read_preset("demo", {"model.n_routed_experts=65536", "model.n_group=1", "model.topk_group=1",
                           "model.moe_intermediate_size=16777216", "model.hidden_size=1048576"}));
  EXPECT_FALSE(plan.counted);
  EXPECT_FALSE(plan.ok());
}

TEST(PlanMemory, ThatIsMissingIsAProblemWithAFix) {
  PlanOptions options;
  options.memory_bytes =
      plan_memory(preset("demo", {"parallel.micro_batch_sequences=2"})).total_bytes;
  const Plan plan = plan_of(read_preset("demo"), options);
  EXPECT_FALSE(plan.ok());
  const PlanProblem* problem = problem_of(plan, "parallel.micro_batch_sequences");
  ASSERT_TRUE(problem && problem->fix) << plan.problems.front().problem.text();
  const RunSpec fixed = with_fix(preset("demo"), *problem->fix);
  EXPECT_EQ(fixed.parallel.micro_batch_sequences, 2);
  EXPECT_LE(plan_memory(fixed).total_bytes, *options.memory_bytes);
}

// ---- Cache, speed, cost -------------------------------------------------------------------------

TEST(PlanCache, OfDeepSeekV3) {
  const CachePlan cache = plan_cache(preset("v3").model);
  EXPECT_EQ(cache.latent, 61 * 576);
  EXPECT_EQ(cache.multi_head, 61 * 128 * 256);
  EXPECT_NEAR(cache.share_of_multi_head(), 0.0176, 1e-4);
  EXPECT_NEAR(cache.share_of_grouped(), 0.28125, 1e-5);
}

/// 2,664 thousand hours for 14.8 T tokens and 119 thousand for the longer context (report, table
/// 1).
TEST(PlanSpeed, OfDeepSeekV3ComesOutAtItsPublishedCost) {
  const Plan plan = plan_of(read_preset("v3"));
  EXPECT_EQ(plan.speed.basis, SpeedBasis::Published);
  ASSERT_EQ(plan.speed.stages.size(), 6u);
  double pretraining = 0;
  for (std::size_t i = 0; i < 4; ++i) pretraining += plan.speed.stages[i].seconds;
  const double hours = pretraining / 3600 * static_cast<double>(plan.speed.ranks);
  EXPECT_NEAR(hours, 2.664e6, 0.06e6);
  EXPECT_NEAR(plan.speed.cost, 2 * plan.speed.device_hours, 1);
  EXPECT_GT(plan.speed.device_hours, hours);
}

Measurement demo_measurement() {
  const RunSpec spec = preset("demo");
  Measurement m;
  m.name = "demo";
  m.host = host_name();
  m.date = "2026-11-24";
  m.model = model_fingerprint(spec.model);
  m.recipe = "fp32";
  m.sequence_length = 256;
  m.tokens_per_second = 10'000;
  m.flops_per_token = training_flops_per_token(spec.model, 256);
  m.product_flops = 10'000 * m.flops_per_token / 0.4;
  return m;
}

TEST(PlanSpeed, OfAMeasuredModelIsTheMeasurement) {
  PlanOptions options;
  options.speed.measurements = {demo_measurement()};
  const Plan plan = plan_of(read_preset("demo"), options);
  EXPECT_EQ(plan.speed.basis, SpeedBasis::Measured);
  EXPECT_NEAR(plan.speed.tokens_per_second, 10'000, 1e-6);
  EXPECT_NEAR(plan.speed.step_seconds, 8 * 256 / 10'000.0, 1e-9);
  EXPECT_NEAR(plan.speed.seconds, 850 * 8 * 256 / 10'000.0, 1e-6);
  EXPECT_NEAR(plan.speed.cost, plan.speed.seconds / 3600 * 2, 1e-9);
}

/// Ranks on processors share the cores: what was measured on four of them is the machine's speed,
/// for one rank and for two.
TEST(PlanSpeed, OfRanksOnProcessorsIsTheMachines) {
  PlanOptions options;
  options.speed.measurements = {demo_measurement()};
  options.speed.measurements[0].ranks = 4;
  for (const char* ranks : {"1", "2"}) {
    const Plan plan =
        plan_of(read_preset("demo", {std::string("parallel.data=") + ranks}), options);
    EXPECT_NEAR(plan.speed.tokens_per_second, 10'000, 1e-6);
    EXPECT_EQ(plan.speed.devices, 1);
    EXPECT_NEAR(plan.speed.device_hours, plan.speed.seconds / 3600, 1e-12);
    EXPECT_NE(plan.speed.source.find("on 4 ranks"), std::string::npos) << plan.speed.source;
  }
}

/// GPUs are added up, and a speed that was measured on two of them is twice that of one.
TEST(PlanSpeed, OfRanksOnGpusIsThatOfAllGpus) {
  PlanOptions options;
  options.speed.measurements = {demo_measurement()};
  options.speed.measurements[0].device = Device::Cuda;
  options.speed.measurements[0].ranks = 2;
  for (const std::int64_t ranks : {1, 2, 4}) {
    const Plan plan =
        plan_of(read_preset("demo", {"host.device=cuda", "parallel.data=" + std::to_string(ranks),
                                     "parallel.micro_batch_sequences=2"}),
                options);
    EXPECT_NEAR(plan.speed.tokens_per_second, 5'000.0 * static_cast<double>(ranks), 1e-6);
    EXPECT_NEAR(plan.speed.device_hours, plan.speed.seconds / 3600 * static_cast<double>(ranks),
                1e-9);
  }
}

TEST(PlanSpeed, OfAnotherModelIsAnEstimateAtTheSameShareOfProducts) {
  PlanOptions options;
  options.speed.measurements = {demo_measurement()};
  const Plan plan = plan_of(read_preset("small-20m"), options);
  EXPECT_EQ(plan.speed.basis, SpeedBasis::Estimate);
  EXPECT_NEAR(plan.speed.flops_per_device, 0.4 * demo_measurement().product_flops, 1);
  EXPECT_NE(plan.speed.source.find("40 %"), std::string::npos) << plan.speed.source;
}

TEST(PlanSpeed, OfAnotherMachineDoesNotCount) {
  PlanOptions options;
  options.speed.measurements = {demo_measurement()};
  options.speed.measurements[0].host = "elsewhere";
  EXPECT_EQ(plan_of(read_preset("demo"), options).speed.basis, SpeedBasis::None);
}

/// What a fork still has to do: steps that its parent made cost nothing.
TEST(PlanSpeed, OfAForkCountsTheStepsThatAreLeft) {
  const RunSpec spec = read_preset("length-extension-demo").spec;
  const Curriculum schedule(spec);
  ASSERT_GE(schedule.stages(), 2);
  SpeedOptions options;
  options.tokens_per_second = 1000;
  const SpeedPlan whole = plan_speed(spec, options);
  options.first_step = schedule.first_step(1) - 10;
  const SpeedPlan left = plan_speed(spec, options);
  EXPECT_EQ(left.steps, whole.steps - options.first_step);
  EXPECT_EQ(left.tokens, whole.tokens - schedule.at_step(options.first_step).tokens);
  ASSERT_EQ(left.stages.size(), whole.stages.size());
  EXPECT_EQ(left.stages[0].steps, 10);
  EXPECT_EQ(left.stages[0].first_token, 0);
  EXPECT_EQ(left.stages[1].first_token, left.stages[0].tokens);
  EXPECT_EQ(left.stages[1].steps, whole.stages[1].steps);
  EXPECT_LT(left.cost, whole.cost);
  options.first_step = schedule.first_step(1);
  EXPECT_EQ(plan_speed(spec, options).stages.size(), whole.stages.size() - 1);
  options.first_step = whole.steps;  // nothing is left: the problem is told elsewhere
  EXPECT_EQ(plan_speed(spec, options).steps, whole.steps);
}

TEST(PlanSpeed, GivenByTheUserWins) {
  PlanOptions options;
  options.speed.measurements = {demo_measurement()};
  options.speed.tokens_per_second = 123;
  const Plan plan = plan_of(read_preset("demo"), options);
  EXPECT_EQ(plan.speed.basis, SpeedBasis::Given);
  EXPECT_NEAR(plan.speed.tokens_per_second, 123, 1e-9);
}

// ---- Problems -----------------------------------------------------------------------------------

TEST(PlanProblems, OfThePresetsForThisMachineAreNone) {
  for (const char* name : {"demo", "small-20m", "length-extension-demo"}) {
    const SpecReading reading = read_preset(name);
    RunSpec spec = reading.spec;
    make_paths_absolute(spec, resources_folder());
    const Plan plan = make_plan(spec, reading.problems, {});
    for (const PlanProblem& p : plan.problems) ADD_FAILURE() << name << ": " << p.problem.text();
  }
}

TEST(PlanProblems, TellOfFilesThatAreNotThere) {
  SpecReading reading = read_preset("demo", {"tokenizer.path=/nowhere/tokenizer.model",
                                             "data.sources[1].paths=[\"/nowhere/code\"]"});
  const Plan plan = make_plan(reading.spec, reading.problems, {});
  EXPECT_TRUE(problem_of(plan, "tokenizer.path"));
  ASSERT_TRUE(problem_of(plan, "data.sources[1].paths"));
  EXPECT_EQ(problem_of(plan, "data.sources[1].paths")->problem.message,
            "/nowhere/code does not exist");
}

TEST(PlanProblems, TellOfSizesThatFp8DoesNotTake) {
  for (const std::string recipe : {"tensorwise", "blockwise"}) {
    const std::vector<std::string> fits = {"precision.recipe=" + recipe};
    EXPECT_FALSE(problem_of(plan_of(read_preset("demo", fits)), "precision.recipe"));
    const std::vector<std::string> odd = {"precision.recipe=" + recipe, "model.kv_lora_rank=24"};
    const Plan plan = plan_of(read_preset("demo", odd));
    const PlanProblem* problem = problem_of(plan, "precision.recipe");
    ASSERT_TRUE(problem);
    ASSERT_TRUE(problem->fix);
    EXPECT_TRUE(plan_of({with_fix(preset("demo", odd), *problem->fix), {}, {}}).ok());
  }
}

TEST(PlanSources, FollowTheMixturesOfTheStages) {
  const SpecReading reading = read_spec_text(
      "preset = \"demo\"\n[[data.sources]]\nname = \"a\"\npaths = [\"/a\"]\n[[data.sources]]\n"
      "name = \"b\"\npaths = [\"/b\"]\n[[curriculum]]\nsteps = 10\nsequence_length = 64\n"
      "batch_sequences = 8\nlearning_rate = 1e-3\nmixture = { a = 1 }\n[[curriculum]]\nsteps = 30\n"
      "sequence_length = 64\nbatch_sequences = 8\nmixture = { a = 1, b = 3 }\n",
      "x");
  const Plan plan = plan_of(reading);
  ASSERT_EQ(plan.sources.size(), 2u);
  EXPECT_EQ(plan.sources[0].name, "a");
  EXPECT_NEAR(plan.sources[0].tokens, 64 * 8 * (10 + 30 / 4.0), 1e-6);
  EXPECT_NEAR(plan.sources[1].tokens, 64 * 8 * 30 * 0.75, 1e-6);
  EXPECT_EQ(to_json(plan).at("sources").size(), 2u);
}

TEST(PlanJson, HoldsWhatIsPrinted) {
  const nlohmann::json json =
      to_json(plan_of(read_preset("demo", {"curriculum[0].batch_sequences=9"})));
  EXPECT_FALSE(json.at("ok"));
  EXPECT_EQ(json.at("problems").at(0).at("key"), "curriculum[0].batch_sequences");
  EXPECT_EQ(json.at("problems").at(0).at("fix").at("set").at("parallel.micro_batch_sequences"),
            "3");
  EXPECT_GT(json.at("parameters").at("total"), 0);
  EXPECT_GT(json.at("memory").at("total_bytes"), 0);
}

}  // namespace
}  // namespace tessera
