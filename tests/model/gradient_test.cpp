// SPDX-License-Identifier: MIT
// Gradients of the whole model against central differences, in F64.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/model/small_model.h"

namespace tessera {
namespace {

constexpr Precision kF64{DType::F64, DType::F64};

struct Harness {
  Model model;
  test::SmallBatch input;
  Arena keep{std::size_t{1} << 28}, scratch{std::size_t{1} << 28};
  Context context{.scratch = &scratch};
  Objective objective{
      .loss_scale = 0.1, .mtp_scale = 0.05, .balance_alpha = 0.02, .balance_scale = 1.0};
  std::vector<double> balance;

  explicit Harness(const ModelConfig& config)
      : model(config, kF64, true, Device::Cpu), input(config.vocab_size) {
    model.initialise(11);
    balance.resize(static_cast<std::size_t>(model.moe_blocks()) + 1);
    // A bias that changes picks, as in training.
    for (std::int64_t block = 0; block < model.moe_blocks(); ++block) {
      const Tensor& bias = model.moe_block(block).bias();
      for (std::int64_t e = 0; e < bias.numel(); ++e) {
        bias.data<float>()[e] = 0.05f * static_cast<float>(e % 3);
      }
    }
  }

  /// The objective, by its definition.
  double value() {
    Arena::Frame frame(keep);
    Pass pass{context, keep, kF64};
    ModelStash stash;
    const Tensor losses(balance.data(), DType::F64, {static_cast<std::int64_t>(balance.size())});
    model.parameters().zero_gradients(context);
    model.forward_loss(pass, input.batch, objective, stash);
    model.backward(pass, input.batch, objective, stash, losses);
    double sum = 0;
    const std::int64_t tokens = input.batch.targets.size(0);
    for (std::int64_t t = 0; t < tokens; ++t) {
      sum += objective.loss_scale * stash.head.losses.data<double>()[t];
      if (stash.mtp.head.losses) {
        sum += objective.mtp_scale * stash.mtp.head.losses.data<double>()[t];
      }
    }
    for (std::int64_t block = 0; block < model.moe_blocks(); ++block) {
      sum += objective.balance_scale * balance[static_cast<std::size_t>(block)];
    }
    return sum;
  }
};

/// By central differences.
double derivative(Harness& h, double& weight) {
  constexpr double kStep = 1e-5;
  const double old = weight;
  weight = old + kStep;
  const double up = h.value();
  weight = old - kStep;
  const double down = h.value();
  weight = old;
  return (up - down) / (2 * kStep);
}

/// A few elements of every parameter.
void check_gradients(const ModelConfig& config) {
  Harness h(config);
  h.value();
  // Every evaluation below makes new gradients, of weights that are a step away.
  const Tensor& flat = h.model.parameters().flat_gradients();
  const std::vector<double> gradients(flat.data<double>(), flat.data<double>() + flat.numel());
  for (Parameter& p : h.model.parameters().all()) {
    if (!p.trained) continue;
    const std::int64_t count = p.value.numel();
    const double* gradient = gradients.data() + (p.grad.data<double>() - flat.data<double>());
    const Random random(5, stream_of(p.name));
    double difference = 0, magnitude = 0;
    for (std::uint64_t i = 0; i < 10; ++i) {
      const auto at = static_cast<std::int64_t>(random.below(i, static_cast<std::uint64_t>(count)));
      const double numeric = derivative(h, p.value.data<double>()[at]);
      difference = std::max(difference, std::fabs(numeric - gradient[at]));
      magnitude = std::max(magnitude, std::fabs(numeric));
    }
    EXPECT_LE(difference, 1e-9 + 1e-6 * magnitude) << p.name;
  }
}

TEST(ModelGradient, EverythingOn) {
  check_gradients(test::small_config());
}

TEST(ModelGradient, WithoutQueryLatentAndTied) {
  ModelConfig c = test::small_config();
  c.q_lora_rank = 0;
  c.tie_word_embeddings = true;
  check_gradients(c);
}

TEST(ModelGradient, SoftmaxGateTwoSharedExperts) {
  ModelConfig c = test::small_config();
  c.scoring_func = kernels::Scoring::Softmax;
  c.group_score = kernels::GroupScore::Max;
  c.norm_topk_prob = false;
  c.n_shared_experts = 2;
  check_gradients(c);
}

TEST(ModelGradient, YarnWithoutMtpAndSharedExperts) {
  ModelConfig c = test::small_config();
  c.yarn = {.factor = 4, .original_length = 16};
  c.num_nextn_predict_layers = 0;
  c.n_shared_experts = 0;
  check_gradients(c);
}

TEST(ModelGradient, DenseOnly) {
  ModelConfig c = test::small_config();
  c.n_routed_experts = 0;
  check_gradients(c);
}

/// More experts than slots: most have no token, and theirs is a gradient of zero.
TEST(ModelGradient, ExpertsWithoutTokens) {
  ModelConfig c = test::small_config();
  c.n_routed_experts = 128;
  c.n_group = 1;
  c.topk_group = 1;
  c.num_experts_per_tok = 1;
  check_gradients(c);
}

/// A dry run asks for exactly the memory that the step then uses.
TEST(ModelMemory, DryRunIsExact) {
  Harness h(test::small_config());
  Arena keep = Arena::measuring(), scratch = Arena::measuring();
  Context dry{.scratch = &scratch, .dry_run = true};
  Pass pass{dry, keep, kF64};
  ModelStash stash;
  h.model.forward_loss(pass, h.input.batch, h.objective, stash);
  h.model.backward(pass, h.input.batch, h.objective, stash,
                   keep.take(DType::F64, {h.model.moe_blocks()}));
  h.value();
  // The harness keeps the balance losses elsewhere.
  EXPECT_EQ(keep.peak_bytes() - 256, h.keep.peak_bytes());
  EXPECT_EQ(scratch.peak_bytes(), h.scratch.peak_bytes());
}

}  // namespace
}  // namespace tessera
