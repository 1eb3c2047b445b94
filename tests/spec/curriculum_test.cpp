// SPDX-License-Identifier: MIT
#include "core/spec/curriculum.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace tessera {
namespace {

RunSpec with_stages(std::vector<CurriculumStage> stages) {
  RunSpec spec;
  spec.curriculum = std::move(stages);
  return spec;
}

CurriculumStage stage_of_steps(std::int64_t steps) {
  CurriculumStage stage;
  stage.steps = steps;
  stage.sequence_length = 10;
  stage.batch_sequences = 4;
  return stage;
}

TEST(Curriculum, WarmupConstantCosineTail) {
  CurriculumStage stage = stage_of_steps(20);
  stage.learning_rate = {{.kind = RateKind::Warmup, .steps = 4, .to = 1e-3},
                         {.kind = RateKind::Constant, .steps = 4, .to = 1e-3},
                         {.kind = RateKind::Cosine, .steps = 8, .to = 1e-4},
                         {.kind = RateKind::Constant, .to = 5e-5}};
  const Curriculum curriculum(with_stages({stage}));
  const auto rate = [&](int step) { return curriculum.at_step(step).learning_rate; };
  EXPECT_DOUBLE_EQ(rate(0), 0.25e-3);  // never 0: no step is wasted
  EXPECT_DOUBLE_EQ(rate(1), 0.50e-3);
  EXPECT_DOUBLE_EQ(rate(3), 1e-3);
  EXPECT_DOUBLE_EQ(rate(7), 1e-3);
  EXPECT_NEAR(rate(8), 1e-4 + 9e-4 * 0.5 * (1 + 0.92387953251128674), 1e-15);  // cos(pi / 8)
  EXPECT_NEAR(rate(11), 5.5e-4, 1e-15);                                        // half way
  EXPECT_NEAR(rate(15), 1e-4, 1e-15);
  EXPECT_DOUBLE_EQ(rate(16), 5e-5);
  EXPECT_DOUBLE_EQ(rate(19), 5e-5);
  EXPECT_DOUBLE_EQ(rate(1000), 5e-5);
  EXPECT_EQ(curriculum.total_steps(), 20);
  EXPECT_EQ(curriculum.total_tokens(), 20 * 40);
}

TEST(Curriculum, PiecesInTokensAndFromGivenRates) {
  CurriculumStage stage = stage_of_steps(0);
  stage.tokens = 405;  // eleven steps of 40
  stage.learning_rate = {{.kind = RateKind::Warmup, .tokens = 160, .from = 0.2, .to = 1.0},
                         {.kind = RateKind::Cosine, .to = 0.0}};
  const Curriculum curriculum(with_stages({stage}));
  EXPECT_EQ(curriculum.total_steps(), 11);
  EXPECT_EQ(curriculum.total_tokens(), 440);
  EXPECT_NEAR(curriculum.at_step(0).learning_rate, 0.4, 1e-15);
  EXPECT_NEAR(curriculum.at_step(3).learning_rate, 1.0, 1e-15);
  EXPECT_NEAR(curriculum.at_step(10).learning_rate, 0.0, 1e-15);
}

TEST(Curriculum, AStageWithoutPiecesKeepsTheRateAndAPieceCutOffKeepsItsSlope) {
  CurriculumStage first = stage_of_steps(5), second = stage_of_steps(5), third = stage_of_steps(2);
  first.learning_rate = {{.kind = RateKind::Warmup, .steps = 10, .to = 1.0}};
  third.learning_rate = {{.kind = RateKind::Warmup, .steps = 2, .to = 0.7}};
  const Curriculum curriculum(with_stages({first, second, third}));
  EXPECT_NEAR(curriculum.at_step(4).learning_rate, 0.5, 1e-15);
  EXPECT_NEAR(curriculum.at_step(10).learning_rate, 0.6, 1e-15);  // from 0.5, where it stood
  EXPECT_NEAR(curriculum.at_step(11).learning_rate, 0.7, 1e-15);
}

TEST(Curriculum, BatchRampByHand) {
  CurriculumStage stage = stage_of_steps(40);
  stage.batch_ramp_from = 2;
  stage.batch_sequences = 6;
  stage.batch_ramp_tokens = 1000;
  const Curriculum curriculum(with_stages({stage}));
  // 2 until token 250: 13 steps of 20. 3 from 260 to 500: 8 of 30. 4 to 750: 7 of 40. 5 from 780 to
  // 1000: 5 of 50. Then 6.
  const auto batch = [&](int step) { return curriculum.at_step(step).batch_sequences; };
  EXPECT_EQ(batch(0), 2);
  EXPECT_EQ(batch(12), 2);
  EXPECT_EQ(batch(13), 3);
  EXPECT_EQ(curriculum.at_step(13).tokens, 260);
  EXPECT_EQ(batch(20), 3);
  EXPECT_EQ(batch(21), 4);
  EXPECT_EQ(curriculum.at_step(21).tokens, 500);
  EXPECT_EQ(batch(28), 5);
  EXPECT_EQ(batch(33), 6);
  EXPECT_EQ(curriculum.at_step(33).tokens, 1030);
}

TEST(Curriculum, RampAgreesWithItsFormulaAtEveryStep) {
  for (const std::int64_t multiple : {1, 3, 8}) {
    CurriculumStage stage = stage_of_steps(500);
    stage.batch_ramp_from = 5;
    stage.batch_sequences = 48;
    stage.batch_ramp_tokens = 77'777;
    RunSpec spec = with_stages({stage});
    spec.parallel.micro_batch_sequences = multiple;
    const Curriculum curriculum(spec);
    std::int64_t tokens = 0;
    for (std::int64_t step = 0; step < 500; ++step) {
      const CurriculumStep at = curriculum.at_step(step);
      ASSERT_EQ(at.tokens, tokens);
      ASSERT_EQ(at.batch_sequences, batch_at(stage, tokens, batch_unit(spec.parallel)));
      ASSERT_EQ(at.batch_sequences % multiple, 0);
      ASSERT_EQ(curriculum.at_tokens(tokens).step, step);
      ASSERT_EQ(curriculum.at_tokens(tokens + at.step_tokens() - 1).step, step);
      tokens += at.step_tokens();
    }
    EXPECT_EQ(curriculum.total_tokens(), tokens);
  }
}

/// An order of work that takes micro-batches in fours, or needs eight of them, has batches to suit.
TEST(Curriculum, RampGivesWhatTheScheduleTakes) {
  CurriculumStage stage = stage_of_steps(60);
  stage.batch_ramp_from = 2;
  stage.batch_sequences = 64;
  stage.batch_ramp_tokens = 20'000;
  RunSpec spec = with_stages({stage});
  spec.parallel.pipeline = 4;
  spec.parallel.data = 2;
  for (const PipelineSchedule schedule :
       {PipelineSchedule::Interleaved, PipelineSchedule::DualPipe, PipelineSchedule::DualPipeV}) {
    spec.parallel.schedule = schedule;
    const PipelineShape shape = pipeline_shape(spec.parallel);
    const Curriculum curriculum(spec);
    for (std::int64_t step = 0; step < 60; ++step) {
      const std::int64_t batch = curriculum.at_step(step).batch_sequences;
      ASSERT_EQ(batch % 2, 0);
      ASSERT_EQ(shape.refusal(batch / 2), "") << "step " << step;
    }
    EXPECT_EQ(curriculum.at_step(59).batch_sequences, 64);
    EXPECT_EQ(curriculum.at_step(0).batch_sequences, 2 * shape.fewest_micro_batches());
  }
}

TEST(Curriculum, StagesFollowEachOther) {
  CurriculumStage first = stage_of_steps(3), second = stage_of_steps(2);
  first.learning_rate = {{.to = 0.1}};
  first.bias_speed = 0.25;
  second.sequence_length = 100;
  second.bias_rule = BiasRule::Utilisation;
  second.mtp_lambda = 0.125;
  second.balance_alpha = 0.5;
  second.yarn_factor = 40;
  const Curriculum curriculum(with_stages({first, second}));
  EXPECT_EQ(curriculum.first_step(1), 3);
  EXPECT_EQ(curriculum.first_step(2), 5);
  const CurriculumStep a = curriculum.at_step(2), b = curriculum.at_step(3);
  EXPECT_EQ(a.stage, 0);
  EXPECT_EQ(a.bias_speed, 0.25);
  EXPECT_EQ(a.yarn_factor, 1);
  EXPECT_EQ(b.stage, 1);
  EXPECT_EQ(b.step_in_stage, 0);
  EXPECT_EQ(b.tokens, 120);
  EXPECT_EQ(b.step_tokens(), 400);
  EXPECT_EQ(b.bias_rule, BiasRule::Utilisation);
  EXPECT_EQ(b.mtp_lambda, 0.125);
  EXPECT_EQ(b.balance_alpha, 0.5);
  EXPECT_EQ(b.yarn_factor, 40);
}

TEST(Curriculum, TheReportsTraining) {
  const Curriculum curriculum(read_preset("v3").spec);
  const double T = 1e12, B = 1e9;
  const auto at = [&](double tokens) { return curriculum.at_tokens(std::int64_t(tokens)); };
  EXPECT_EQ(at(0).batch_sequences, 3072);
  EXPECT_NEAR(static_cast<double>(at(234.5 * B).batch_sequences), 9216, 32);
  EXPECT_EQ(at(470 * B).batch_sequences, 15'360);
  EXPECT_DOUBLE_EQ(curriculum.at_step(0).learning_rate, 2.2e-4 / 2000);
  EXPECT_DOUBLE_EQ(curriculum.at_step(1999).learning_rate, 2.2e-4);
  EXPECT_DOUBLE_EQ(at(9.99 * T).learning_rate, 2.2e-4);
  EXPECT_NEAR(at(12.15 * T).learning_rate, 1.21e-4, 1e-7);  // the middle of the cosine
  EXPECT_DOUBLE_EQ(at(14.4 * T).learning_rate, 2.2e-5);
  EXPECT_DOUBLE_EQ(at(14.7 * T).learning_rate, 7.3e-6);
  EXPECT_EQ(at(9.9 * T).mtp_lambda, 0.3);
  EXPECT_EQ(at(10.1 * T).mtp_lambda, 0.1);
  EXPECT_EQ(at(14.2 * T).bias_speed, 0.001);
  EXPECT_EQ(at(14.4 * T).bias_speed, 0);
  const CurriculumStep last = curriculum.at_step(curriculum.total_steps() - 1);
  EXPECT_EQ(last.sequence_length, 131'072);
  EXPECT_EQ(last.batch_sequences, 480);
  EXPECT_EQ(last.yarn_factor, 40);
}

TEST(Curriculum, MixturesOfStagesAndOfTheWholeRun) {
  RunSpec spec;
  spec.data.sources = {{.name = "z", .paths = {}, .weight = 3},
                       {.name = "a", .paths = {}, .weight = 1},
                       {.name = "off", .paths = {}, .weight = 0}};
  CurriculumStage stage;
  stage.steps = 10;
  stage.sequence_length = 64;
  stage.batch_sequences = 2;
  stage.learning_rate = {RatePiece{.to = 1e-3}};
  spec.curriculum = {stage};
  EXPECT_EQ(stage_mixture(spec, stage), (Mixture{{"z", 3}, {"a", 1}}));
  EXPECT_EQ(run_mixture(spec), (Mixture{{"z", 3}, {"a", 1}}));
  spec.curriculum.push_back(stage);
  spec.curriculum[1].steps = 30;
  spec.curriculum[1].mixture = {{"a", 1}, {"off", 1}, {"z", 0}};
  EXPECT_EQ(stage_mixture(spec, spec.curriculum[1]), (Mixture{{"a", 1}, {"off", 1}}));
  // A quarter of the tokens at 3 : 1, three quarters at 1 : 1.
  EXPECT_EQ(run_mixture(spec), (Mixture{{"z", 0.1875}, {"a", 0.4375}, {"off", 0.375}}));
  spec.data.sources.clear();  // the names are those of the shards
  EXPECT_EQ(stage_mixture(spec, spec.curriculum[1]), (Mixture{{"a", 1}, {"off", 1}}));
  EXPECT_EQ(stage_mixture(spec, stage), Mixture());
}

TEST(Curriculum, RefusesWhatCannotBe) {
  EXPECT_THROW(Curriculum(with_stages({})), Error);
  EXPECT_THROW(Curriculum(with_stages({stage_of_steps(0)})), Error);
  CurriculumStage endless = stage_of_steps(1'000'000'000'000);
  endless.sequence_length = 1 << 24;
  endless.batch_sequences = 1 << 20;
  EXPECT_THROW(Curriculum(with_stages({endless})), Error);
}

}  // namespace
}  // namespace tessera
