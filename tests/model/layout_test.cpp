// SPDX-License-Identifier: MIT
// What a layout says of a rank, and the parts of a model against the whole.
#include "core/config/layout.h"

#include <gtest/gtest.h>

#include <map>

#include "core/base/error.h"
#include "core/base/transfer.h"
#include "tests/model/small_model.h"

namespace tessera {
namespace {

using test::small_config;

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what_failed();
  }
  return "";
}

TEST(Layout, PlacesRanksWithThePipelineOutermost) {
  const Mesh mesh{.pipeline = 2, .data = 4, .expert = 2};
  EXPECT_EQ(mesh.ranks(), 8);
  const MeshPlace place = place_of(mesh, 6);
  EXPECT_EQ(place.pipeline, 1);
  EXPECT_EQ(place.data, 2);
  EXPECT_EQ(place.expert, 0);
  EXPECT_EQ(error_of([&] { place_of(mesh, 8); }), "there is no rank 8 among 8");
  EXPECT_NE(error_of([] { place_of({.data = 3, .expert = 2}, 0); }).find("does not divide"),
            std::string::npos);
}

/// Ranks that share sequences are neighbours, and experts are spread over data x context.
TEST(Layout, PlacesContextInnermost) {
  const Mesh mesh{.pipeline = 2, .data = 2, .expert = 4, .context = 2};
  EXPECT_EQ(mesh.ranks(), 8);
  EXPECT_EQ(mesh.replicas(), 4);
  for (std::int64_t rank = 0; rank < 8; ++rank) {
    const MeshPlace place = place_of(mesh, rank);
    EXPECT_EQ((place.pipeline * 2 + place.data) * 2 + place.context, rank);
    EXPECT_EQ(place.replica, rank % 4);
    EXPECT_EQ(place.expert, rank % 4);
    EXPECT_EQ(layout_of(small_config(), mesh, rank).experts,
              (ExpertRange{2 * place.expert, 2 * place.expert + 2}));
  }
  EXPECT_NE(error_of([] {
              place_of({.data = 2, .expert = 3, .context = 2}, 0);
            }).find("parallel.expert = 3 does not divide parallel.data x parallel.context = 4"),
            std::string::npos);
}

TEST(Layout, StagesCoverEveryLayerOnce) {
  for (std::int64_t layers = 1; layers <= 61; ++layers) {
    ModelConfig config = small_config();
    config.num_hidden_layers = layers;
    for (std::int64_t count = 1; count <= layers; ++count) {
      std::int64_t next = 0;
      for (const PipelineStage& stage : even_stages(config, count)) {
        EXPECT_EQ(stage.first, next);
        EXPECT_GT(stage.end, stage.first);
        EXPECT_EQ(stage.is_first, stage.first == 0);
        EXPECT_EQ(stage.is_last, stage.end == layers);
        next = stage.end;
      }
      EXPECT_EQ(next, layers);
    }
    EXPECT_NE(error_of([&] { even_stages(config, layers + 1); }), "");
  }
}

TEST(Layout, RefusesExpertsThatDoNotDivide) {
  ModelConfig config = small_config();  // 8 experts
  EXPECT_NE(error_of([&] {
              layout_of(config, {.data = 3, .expert = 3}, 0);
            }).find("parallel.expert = 3 does not divide model.n_routed_experts = 8"),
            std::string::npos);
  EXPECT_EQ(layout_of(config, {.data = 4, .expert = 4}, 2).experts, (ExpertRange{4, 6}));
}

/// The first values of every released tensor.
std::map<std::string, std::vector<float>> weights_of(const Layout& layout) {
  Model model(small_config(), {}, layout, true, Device::Cpu);
  model.initialise(11);
  std::map<std::string, std::vector<float>> all;
  for (const Parameter& p : model.parameters().all()) {
    for (const Parameter::Part& part : p.parts) {
      all[part.released_name] = host_values<float>(part.value);
    }
  }
  return all;
}

/// However the model is cut, each rank begins with its part of the weights of the whole.
TEST(Layout, PartsBeginWithTheWeightsOfTheWhole) {
  const ModelConfig config = small_config();
  const auto whole = weights_of(whole_layout(config));
  for (const Mesh mesh : {Mesh{.pipeline = 3}, Mesh{.data = 4, .expert = 4},
                          Mesh{.pipeline = 2, .data = 2, .expert = 2}}) {
    std::map<std::string, int> holders;
    for (std::int64_t rank = 0; rank < mesh.ranks(); ++rank) {
      for (const auto& [name, values] : weights_of(layout_of(config, mesh, rank))) {
        ASSERT_TRUE(whole.contains(name)) << name;
        EXPECT_EQ(values, whole.at(name)) << name;
        ++holders[name];
      }
    }
    EXPECT_EQ(holders.size(), whole.size());
    // A routed expert is held by the ranks that share it, the token table at both ends for MTP.
    EXPECT_EQ(holders.at("model.layers.2.mlp.experts.5.up_proj.weight"), mesh.data / mesh.expert);
    EXPECT_EQ(holders.at("model.embed_tokens.weight"), mesh.data * (mesh.pipeline > 1 ? 2 : 1));
    EXPECT_EQ(holders.at("model.layers.1.self_attn.kv_b_proj.weight"), mesh.data);
  }
}

/// However the order of work places stages, all of the model is held, and what ranks hold twice is
/// alike.
TEST(Layout, SchedulesPlaceEveryStage) {
  const ModelConfig config = [] {
    ModelConfig c = small_config();
    c.num_hidden_layers = 4;
    return c;
  }();
  for (const PipelineSchedule schedule :
       {PipelineSchedule::Interleaved, PipelineSchedule::DualPipe, PipelineSchedule::DualPipeV}) {
    const Mesh mesh{.pipeline = 2, .data = 2, .schedule = schedule};
    std::map<std::int64_t, int> holders;
    for (std::int64_t rank = 0; rank < mesh.ranks(); ++rank) {
      for (const PipelineStage& stage : layout_of(config, mesh, rank).stages) {
        for (std::int64_t layer = stage.first; layer < stage.end; ++layer) ++holders[layer];
      }
    }
    EXPECT_EQ(std::ssize(holders), config.num_hidden_layers);
    const int each = schedule == PipelineSchedule::DualPipe ? 4 : 2;
    for (const auto& [layer, count] : holders) EXPECT_EQ(count, each) << layer;
  }
  EXPECT_EQ(error_of([&] {
              layout_of(config, {.pipeline = 3, .schedule = PipelineSchedule::DualPipe}, 0);
            }),
            "3 ranks: dualpipe needs a multiple of 2, as two ranks hold each stage");
}

TEST(Layout, CountsLayersWithExperts) {
  ModelConfig config = small_config();  // 3 layers, the first dense, and MTP
  EXPECT_EQ(moe_layers(config), 3);
  EXPECT_EQ(moe_layers_before(config, 0), 0);
  EXPECT_EQ(moe_layers_before(config, 2), 1);
  config.num_nextn_predict_layers = 0;
  EXPECT_EQ(moe_layers(config), 2);
  config.n_routed_experts = 0;
  EXPECT_EQ(moe_layers(config), 0);
}

TEST(Layout, GradientsAreGroupedByWhoSharesThem) {
  Model model(small_config(), {}, true, Device::Cpu);
  std::int64_t all = 0;
  for (const Sharing sharing : {Sharing::Stage, Sharing::Experts, Sharing::Ends}) {
    std::int64_t count = 0;
    for (const Tensor& run : model.parameters().gradients_of(sharing)) count += run.numel();
    EXPECT_GT(count, 0);
    all += count;
  }
  EXPECT_EQ(all, model.parameters().flat_gradients().numel());
}

}  // namespace
}  // namespace tessera
