// SPDX-License-Identifier: MIT
// What backward makes again has the bits of what forward would have kept.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/base/error.h"
#include "core/base/transfer.h"
#include "tests/model/small_model.h"

namespace tessera {
namespace {

using test::small_config;
using test::SmallBatch;

constexpr std::size_t kArenaBytes = std::size_t{32} << 20;

std::string name_of_choice(const Recompute& recompute) {
  std::string name;
  for (const std::string& word : words_of(recompute)) name += (name.empty() ? "" : " ") + word;
  return name.empty() ? "none" : name;
}

/// Each of the sixteen choices.
std::vector<Recompute> all_choices() {
  std::vector<Recompute> all;
  for (int bits = 0; bits < 16; ++bits) {
    all.push_back({.norms = (bits & 1) != 0,
                   .swiglu = (bits & 2) != 0,
                   .up_projections = (bits & 4) != 0,
                   .blocks = (bits & 8) != 0});
  }
  return all;
}

/// What two micro-batches leave behind.
struct Trace {
  std::vector<float> losses, gradients;
  std::vector<double> balance;
  std::vector<std::int64_t> loads;
  std::size_t kept = 0;  ///< at the end of forward
  bool operator==(const Trace& other) const {
    const auto same = [](const auto& a, const auto& b) {
      return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(a[0])) == 0;
    };
    return same(losses, other.losses) && same(gradients, other.gradients) &&
           same(balance, other.balance) && loads == other.loads;
  }
};

/// Whoever reads what is free memory by now reads these.
void spoil_free_memory(Arena& arena) {
  Arena::Frame frame(arena);
  const Tensor over = arena.take(DType::U8, {std::int64_t{12} << 20});
  std::memset(over.raw(), 0x7f, over.bytes());
}

Trace trace_of(Recipe recipe, const Recompute& recompute, bool split) {
  const ModelConfig config = small_config(recipe);
  Model model(config, Precision::of(recipe), true, Device::Cpu);
  model.initialise(7);
  Arena scratch(kArenaBytes), again(kArenaBytes);
  Context context{.scratch = &scratch};
  model.parameters().refresh_operands(context);
  model.parameters().zero_gradients(context);
  const Objective objective{
      .loss_scale = 0.1, .mtp_scale = 0.03, .balance_alpha = 0.01, .balance_scale = 1};
  const ModelPart& part = model.parts().front();
  Trace trace;
  for (std::uint64_t seed : {3, 4}) {
    SmallBatch input(config.vocab_size, seed);
    Arena keep(kArenaBytes);
    Pass pass{context, keep, model.precision()};
    pass.recompute = recompute;
    pass.again = &again;
    const Tensor balance = keep.take(DType::F64, {model.moe_blocks()});
    ModelStash stash;
    model.forward_loss(pass, input.batch, objective, stash);
    trace.kept = keep.used_bytes();
    spoil_free_memory(scratch);
    spoil_free_memory(keep);
    WeightWork later;
    if (split) pass.later = &later;
    part.backward(pass, input.batch, model.rotary(input.batch.sequences), objective, stash, balance,
                  stash.head.dx);
    spoil_free_memory(scratch);
    spoil_free_memory(again);
    spoil_free_memory(keep);
    later.run(context);
    model.parameters().clear_old_gradients(context);
    const auto add = [](auto& to, const auto& values) {
      to.insert(to.end(), values.begin(), values.end());
    };
    add(trace.losses, host_values<float>(stash.head.losses));
    add(trace.losses, host_values<float>(stash.mtp.head.losses));
    add(trace.balance, host_values<double>(balance));
    for (std::int64_t i = 0; i < model.moe_blocks(); ++i) {
      add(trace.loads, host_values<std::int64_t>(model.moe_stash(stash, i).routed.loads));
    }
  }
  trace.gradients = host_values<float>(model.parameters().flat_gradients());
  return trace;
}

class RecomputeOf : public testing::TestWithParam<Recipe> {};

TEST_P(RecomputeOf, ChangesNoBitAndKeepsLess) {
  for (const bool split : {false, true}) {
    const Trace none = trace_of(GetParam(), {}, split);
    double sum = 0;
    for (const float g : none.gradients) sum += std::abs(static_cast<double>(g));
    ASSERT_GT(sum, 0.1);
    ASSERT_TRUE(std::isfinite(sum));
    for (const Recompute& choice : all_choices()) {
      SCOPED_TRACE(name_of_choice(choice) + (split ? ", backward in two" : ""));
      const Trace made = trace_of(GetParam(), choice, split);
      EXPECT_TRUE(made == none);
      if (choice == Recompute{}) continue;
      EXPECT_LT(made.kept, none.kept);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Recipes, RecomputeOf,
                         testing::Values(Recipe::Fp32, Recipe::Bf16, Recipe::Tensorwise,
                                         Recipe::Blockwise),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

/// Not the memory of a block: the input, and what the router decided.
TEST(RecomputeBlocks, KeepLittleMoreThanTheirInputs) {
  ModelConfig c = small_config();
  c.hidden_size = 256;
  c.q_lora_rank = 64;
  c.moe_intermediate_size = 128;
  c.intermediate_size = 512;
  c.max_position_embeddings = 512;
  c.num_nextn_predict_layers = 0;
  const auto kept = [&](std::int64_t layers) {
    c.num_hidden_layers = layers;
    const Model model(c, {}, true, Device::Cpu, true);
    Arena keep = Arena::measuring(), scratch = Arena::measuring();
    Context dry{.scratch = &scratch, .dry_run = true};
    Pass pass{dry, keep, model.precision()};
    pass.recompute.blocks = true;
    Microbatch batch;
    const auto ints = [&](std::int64_t count) { return scratch.take(DType::I32, {count}); };
    batch.sequences = {ints(2048), ints(2048), ints(5), 512};
    ModelStash stash;
    model.forward(pass, batch.sequences, stash);
    return static_cast<double>(keep.used_bytes());
  };
  const double input = 2048 * 256 * 4;
  const double each = kept(7) - kept(6);
  EXPECT_GE(each, input);
  EXPECT_LT(each, 1.2 * input);
}

TEST(RecomputeBlocks, NeedMemoryToBeMadeAgainIn) {
  Model model(small_config(), {}, true, Device::Cpu);
  Arena keep(kArenaBytes), scratch(kArenaBytes);
  Context context{.scratch = &scratch};
  model.parameters().zero_gradients(context);
  Pass pass{context, keep, model.precision()};
  pass.recompute.blocks = true;
  SmallBatch input(model.config().vocab_size);
  ModelStash stash;
  const Objective objective{.loss_scale = 0.1};
  model.forward_loss(pass, input.batch, objective, stash);
  try {
    model.backward(pass, input.batch, objective, stash, Tensor());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what_failed(), "backward has no memory to make a block again");
  }
}

TEST(RecomputeWords, AreThoseOfTheSwitches) {
  EXPECT_EQ(recompute_words(),
            (std::vector<std::string>{"norms", "swiglu", "up_projections", "blocks"}));
  const Recompute some = recompute_of({"blocks", "norms", "blocks"});
  EXPECT_EQ(some, (Recompute{.norms = true, .blocks = true}));
  EXPECT_EQ(words_of(some), (std::vector<std::string>{"norms", "blocks"}));
  EXPECT_EQ(words_of({}), std::vector<std::string>());
  EXPECT_THROW(recompute_of({"block"}), Error);
}

}  // namespace
}  // namespace tessera
