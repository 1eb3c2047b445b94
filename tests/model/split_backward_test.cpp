// SPDX-License-Identifier: MIT
// Backward in two: gradients of inputs first, those of weights later, with the same bits.
#include <gtest/gtest.h>

#include <cstring>

#include "core/base/transfer.h"
#include "tests/model/small_model.h"

namespace tessera {
namespace {

using test::small_config;
using test::SmallBatch;

class SplitBackward : public testing::TestWithParam<Recipe> {};

/// All gradients after two micro-batches.
std::vector<float> gradients(Recipe recipe, bool split) {
  const ModelConfig config = small_config(recipe);
  Model model(config, Precision::of(recipe), true, Device::Cpu);
  model.initialise(7);
  Arena scratch(std::size_t{32} << 20);
  Context context{.scratch = &scratch};
  model.parameters().refresh_operands(context);
  model.parameters().zero_gradients(context);
  const Objective objective{
      .loss_scale = 0.1, .mtp_scale = 0.03, .balance_alpha = 0.01, .balance_scale = 1};
  const ModelPart& part = model.parts().front();
  for (std::uint64_t seed : {3, 4}) {
    SmallBatch input(config.vocab_size, seed);
    Arena keep(std::size_t{32} << 20);
    Pass pass{context, keep, model.precision()};
    const Tensor balance = keep.take(DType::F64, {model.moe_blocks()});
    ModelStash stash;
    model.forward_loss(pass, input.batch, objective, stash);
    WeightWork later;
    if (split) pass.later = &later;
    part.backward(pass, input.batch, model.rotary(input.batch.sequences), objective, stash, balance,
                  stash.head.dx);
    // What a later pass writes must not be read by the products that wait.
    if (split) {
      Arena::Frame frame(scratch);
      const Tensor over = scratch.take(DType::U8, {std::int64_t{16} << 20});
      std::memset(over.raw(), 0x7f, over.bytes());
    }
    later.run(context);
    model.parameters().clear_old_gradients(context);
  }
  return host_values<float>(model.parameters().flat_gradients());
}

TEST_P(SplitBackward, HasTheBitsOfBackwardInOne) {
  const std::vector<float> whole = gradients(GetParam(), false),
                           split = gradients(GetParam(), true);
  ASSERT_EQ(whole.size(), split.size());
  EXPECT_EQ(std::memcmp(whole.data(), split.data(), whole.size() * sizeof(float)), 0);
  double sum = 0;
  for (const float g : whole) sum += std::abs(static_cast<double>(g));
  EXPECT_GT(sum, 0.1);
}

INSTANTIATE_TEST_SUITE_P(Recipes, SplitBackward,
                         testing::Values(Recipe::Fp32, Recipe::Bf16, Recipe::Tensorwise,
                                         Recipe::Blockwise),
                         [](const auto& instance) { return std::string(name_of(instance.param)); });

/// Weights of losses: a token of weight 2 counts as two, one of weight 0 as none.
TEST(TokenWeights, ScaleLossesAndGradients) {
  const auto run = [](const std::vector<float>& weights, double scale) {
    const ModelConfig config = small_config();
    Model model(config, {}, true, Device::Cpu);
    model.initialise(7);
    Arena keep(std::size_t{32} << 20), scratch(std::size_t{32} << 20);
    Context context{.scratch = &scratch};
    Pass pass{context, keep, model.precision()};
    SmallBatch input(config.vocab_size);
    std::vector<float> copy = weights;
    if (!copy.empty()) {
      input.batch.weights = Tensor(copy.data(), DType::F32, {std::ssize(copy)});
    }
    input.batch.mtp_tokens = Tensor();
    ModelStash stash;
    const Objective objective{.loss_scale = scale};
    model.parameters().zero_gradients(context);
    model.forward_loss(pass, input.batch, objective, stash);
    model.backward(pass, input.batch, objective, stash, Tensor());
    std::vector<float> result = host_values<float>(stash.head.losses);
    const std::vector<float> grads = host_values<float>(model.parameters().flat_gradients());
    result.insert(result.end(), grads.begin(), grads.end());
    return result;
  };
  const std::vector<float> plain = run({}, 0.2), ones = run(std::vector<float>(18, 1.f), 0.2);
  EXPECT_EQ(plain, ones);
  std::vector<float> twos = run(std::vector<float>(18, 2.f), 0.1);
  for (std::size_t i = 0; i < 18; ++i) twos[i] /= 2;  // losses are weighted, not scaled
  EXPECT_EQ(plain, twos);
  const std::vector<float> none = run(std::vector<float>(18, 0.f), 0.2);
  for (const float value : none) EXPECT_EQ(value, 0.f);
}

}  // namespace
}  // namespace tessera
