// SPDX-License-Identifier: MIT
// The precision recipes through the whole model: losses and gradients near those of FP32, each as
// near as its number of bits allows and no nearer; planned memory; what is kept for backward.
#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"
#include "kernels/quantise/quantise.h"
#include "tests/model/small_model.h"

namespace tessera {
namespace {

/// Sizes that FP8 takes, more than one tile wide where that is cheap.
ModelConfig config() {
  ModelConfig c = test::small_config();
  c.vocab_size = 64;
  c.hidden_size = 144;
  c.q_lora_rank = 32;
  c.kv_lora_rank = 32;
  c.qk_nope_head_dim = 16;
  c.qk_rope_head_dim = 16;
  c.v_head_dim = 16;
  c.intermediate_size = 160;
  c.moe_intermediate_size = 48;
  c.initializer_range = 0.08;
  return c;
}

struct Trial {
  Model model;
  test::SmallBatch input;
  Arena keep{std::size_t{1} << 28}, scratch{std::size_t{1} << 28};
  Context context{.scratch = &scratch};
  Objective objective{
      .loss_scale = 1.0 / 18, .mtp_scale = 0.3 / 16, .balance_alpha = 1e-3, .balance_scale = 1.0};
  double loss = 0;

  explicit Trial(Recipe recipe, const ModelConfig& c = config())
      : Trial(Precision::of(recipe), c) {}
  explicit Trial(const Precision& precision, const ModelConfig& c = config())
      : model(c, precision, true, Device::Cpu), input(c.vocab_size) {
    model.initialise(11);
    model.parameters().refresh_operands(context);
  }

  Pass pass() { return {context, keep, model.precision()}; }

  void step() {
    Arena::Frame frame(keep);
    Pass p = pass();
    ModelStash stash;
    const Tensor losses = keep.take(DType::F64, {model.moe_blocks()});
    model.parameters().zero_gradients(context);
    model.forward_loss(p, input.batch, objective, stash);
    model.backward(p, input.batch, objective, stash, losses);
    loss = 0;
    for (std::int64_t t = 0; t < stash.head.losses.numel(); ++t) {
      loss += objective.loss_scale * double(stash.head.losses.data<float>()[t]);
    }
  }
};

/// ||a - b|| / ||b|| over the gradients of one parameter.
double distance(const Parameter& a, const Parameter& b) {
  double difference = 0, size = 0;
  for (std::int64_t i = 0; i < b.grad.numel(); ++i) {
    const double x = a.grad.data<float>()[i], y = b.grad.data<float>()[i];
    difference += (x - y) * (x - y);
    size += y * y;
  }
  return size > 0 ? std::sqrt(difference / size) : std::sqrt(difference);
}

/// The largest and the root mean square distance over all parameters with a gradient of note.
struct Distance {
  double most = 0, mean = 0;
  std::string where;
};
Distance distance(const Trial& run, const Trial& reference) {
  Distance d;
  int count = 0;
  auto ours = run.model.parameters().all().begin();
  for (const Parameter& p : reference.model.parameters().all()) {
    const Parameter& mine = *ours++;
    if (!p.trained) continue;
    const double one = distance(mine, p);
    d.mean += one * one;
    ++count;
    if (one > d.most) {
      d.most = one;
      d.where = p.name;
    }
  }
  d.mean = std::sqrt(d.mean / count);
  return d;
}

struct Bounds {
  Recipe recipe;
  double loss, least, mean, most;
};

class RecipeOfModel : public testing::TestWithParam<Bounds> {};

/// E4M3 has 3 bits behind the point: a product of two rounded operands is off by about 4 %, and
/// errors of layers add up like random walks. All experts are picked, so that no pick differs.
TEST_P(RecipeOfModel, LossAndGradientsAreNear) {
  const Bounds& bounds = GetParam();
  ModelConfig c = config();
  c.n_routed_experts = c.num_experts_per_tok = 4;
  c.n_group = c.topk_group = 1;
  Trial reference(Recipe::Fp32, c), run(bounds.recipe, c);
  reference.step();
  run.step();
  EXPECT_NEAR(run.loss, reference.loss, bounds.loss * reference.loss);
  const Distance d = distance(run, reference);
  RecordProperty("mean", std::to_string(d.mean));
  EXPECT_LE(d.mean, bounds.mean) << "most " << d.most << " in " << d.where;
  EXPECT_LE(d.most, bounds.most) << d.where;
  EXPECT_GE(d.mean, bounds.least) << "the recipe is not in use";
}

INSTANTIATE_TEST_SUITE_P(All, RecipeOfModel,
                         testing::Values(Bounds{Recipe::Bf16, 1e-3, 1e-3, 0.02, 0.06},
                                         Bounds{Recipe::Tensorwise, 1e-2, 0.02, 0.25, 0.5},
                                         Bounds{Recipe::Blockwise, 1e-2, 0.02, 0.25, 0.5}),
                         [](const auto& p) { return std::string(name_of(p.param.recipe)); });

class RecipeMemory : public testing::TestWithParam<Recipe> {};

TEST_P(RecipeMemory, DryRunIsExact) {
  Trial run(GetParam());
  Arena keep = Arena::measuring(), scratch = Arena::measuring();
  Context dry{.scratch = &scratch, .dry_run = true};
  Pass pass{dry, keep, run.model.precision()};
  ModelStash stash;
  const Tensor losses = keep.take(DType::F64, {run.model.moe_blocks()});
  run.model.forward_loss(pass, run.input.batch, run.objective, stash);
  run.model.backward(pass, run.input.batch, run.objective, stash, losses);
  run.step();
  EXPECT_EQ(keep.peak_bytes(), run.keep.peak_bytes());
  EXPECT_EQ(scratch.peak_bytes(), run.scratch.peak_bytes());
}

TEST_P(RecipeMemory, TheSameStepTwiceGivesTheSameBits) {
  Trial one(GetParam()), two(GetParam());
  one.step();
  one.step();
  two.step();
  EXPECT_EQ(one.loss, two.loss);
  EXPECT_EQ(distance(one, two).most, 0.0);
}

INSTANTIATE_TEST_SUITE_P(All, RecipeMemory,
                         testing::Values(Recipe::Fp32, Recipe::Bf16, Recipe::Tensorwise,
                                         Recipe::Blockwise),
                         [](const auto& p) { return std::string(name_of(p.param)); });

/// Forward is the same, and what backward has computed before it comes to attention. The rounding
/// to 12 bits is 8 times finer than E4M3's, which follows it, so gradients are as near those of
/// FP32 as without it.
TEST(RecipeKeeps, AttentionInTwelveBits) {
  ModelConfig c = config();
  c.n_routed_experts = c.num_experts_per_tok = 4;  // all are picked, so that no pick differs
  c.n_group = c.topk_group = 1;
  c.v_head_dim = 128 / c.num_attention_heads;  // whole tiles of 128, which is what saves memory
  Precision whole = Precision::of(Recipe::Blockwise);
  ASSERT_TRUE(whole.packs_attention);
  whole.packs_attention = false;
  Trial packed(Recipe::Blockwise, c), plain(whole, c), exact(Recipe::Fp32, c);
  for (Trial* run : {&packed, &plain, &exact}) run->step();
  EXPECT_EQ(packed.loss, plain.loss);
  EXPECT_LT(packed.keep.peak_bytes(), plain.keep.peak_bytes());
  EXPECT_GT(distance(packed, plain).most, 0) << "nothing is packed";
  EXPECT_LE(distance(packed, exact).mean, 1.1 * distance(plain, exact).mean);
  for (const char* name : {"lm_head.weight", "model.norm.weight"}) {
    EXPECT_EQ(distance(packed.model.parameters().find(name), plain.model.parameters().find(name)),
              0)
        << name;
  }
}

/// Weights are quantised from the master weights, each block by its largest.
TEST(RecipeWeights, AreTheMasterWeightsQuantised) {
  Trial run(Recipe::Blockwise);
  const Parameter& p = run.model.parameters().find("model.layers.1.mlp.experts.gate_up_proj");
  EXPECT_FALSE(p.operand);
  ASSERT_TRUE(p.fp8.values_t);
  const std::int64_t n = p.shape[1], k = p.shape[2], e = 3;
  float largest = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < 128; ++j) {
      largest = std::max(largest, std::fabs(p.value[e].data<float>()[i * k + j]));
    }
  }
  const float scale = p.fp8.scales[e].data<float>()[0];
  EXPECT_EQ(scale, std::max(largest, 1e-4f) / 448.0f);
  for (std::int64_t i = 0; i < n; ++i) {
    const f8e4m3 value = p.fp8.values[e].data<f8e4m3>()[i * k];
    EXPECT_EQ(value.bits, f8e4m3(p.value[e].data<float>()[i * k] * (448.0f / largest)).bits);
    EXPECT_EQ(value.bits, p.fp8.values_t[e].data<f8e4m3>()[i].bits);
  }
}

/// The norm, the gate, the table and the head stay as they are.
TEST(RecipeWeights, OnlyLinearLayersAreQuantised) {
  for (const Recipe recipe : {Recipe::Tensorwise, Recipe::Blockwise}) {
    const Trial run(recipe);
    for (const Parameter& p : run.model.parameters().all()) {
      const bool is_linear = p.name.find("_proj") != std::string::npos;
      EXPECT_EQ(bool(p.fp8.values), is_linear) << p.name;
      EXPECT_EQ(bool(p.fp8.values_t), is_linear && recipe == Recipe::Blockwise) << p.name;
    }
  }
}

TEST(RecipeWeights, OddSizesAreRefused) {
  ModelConfig c = config();
  c.kv_lora_rank = 24;
  try {
    Trial run(Recipe::Blockwise, c);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("multiples of 16"), std::string::npos);
  }
}

/// With several tiles of tokens: no tile has tokens of two experts, whatever they pick.
TEST(RecipeKeeps, LessThanBf16) {
  const auto kept = [](Recipe recipe) {
    ModelConfig c = config();
    c.hidden_size = 256;
    c.moe_intermediate_size = 128;
    c.intermediate_size = 512;
    c.max_position_embeddings = 512;
    const Model model(c, Precision::of(recipe), true, Device::Cpu, true);
    Arena keep = Arena::measuring(), scratch = Arena::measuring();
    Context dry{.scratch = &scratch, .dry_run = true};
    Pass pass{dry, keep, model.precision()};
    Microbatch batch;
    const auto ints = [&](std::int64_t count) { return keep.take(DType::I32, {count}); };
    batch.sequences = {ints(2048), ints(2048), ints(5), 512};
    batch.targets = ints(2048);
    ModelStash stash;
    model.forward(pass, batch.sequences, stash);
    return keep.used_bytes();
  };
  EXPECT_LT(double(kept(Recipe::Blockwise)), 0.6 * double(kept(Recipe::Bf16)));
}

}  // namespace
}  // namespace tessera
