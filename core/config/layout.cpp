// SPDX-License-Identifier: MIT
#include "core/config/layout.h"

#include <algorithm>

#include "core/base/error.h"

namespace tessera {

MeshPlace place_of(const Mesh& mesh, std::int64_t rank) {
  require(mesh.pipeline > 0 && mesh.data > 0 && mesh.expert > 0 && mesh.context > 0, "layout",
          "a mesh of pipeline {}, data {}, context {}, expert {} has no ranks", mesh.pipeline,
          mesh.data, mesh.context, mesh.expert);
  require(mesh.replicas() % mesh.expert == 0, "layout",
          "parallel.expert = {} does not divide parallel.data x parallel.context = {}: experts are "
          "shared among ranks of one stage",
          mesh.expert, mesh.replicas());
  require(rank >= 0 && rank < mesh.ranks(), "layout", "there is no rank {} among {}", rank,
          mesh.ranks());
  const std::int64_t replica = rank % mesh.replicas();
  return {.pipeline = rank / mesh.replicas(),
          .data = replica / mesh.context,
          .expert = replica % mesh.expert,
          .context = replica % mesh.context,
          .replica = replica};
}

bool PipelineStage::has_token_table(const ModelConfig& config) const {
  return is_first ||
         (is_last && (config.num_nextn_predict_layers > 0 || config.tie_word_embeddings));
}

std::vector<PipelineStage> even_stages(const ModelConfig& config, std::int64_t count) {
  const std::int64_t layers = config.num_hidden_layers;
  require(count >= 1 && count <= layers, "layout", "{} layers cannot make {} pipeline stages",
          layers, count);
  std::vector<PipelineStage> stages;
  for (std::int64_t i = 0; i < count; ++i) {
    stages.push_back({.index = i,
                      .first = i * layers / count,
                      .end = (i + 1) * layers / count,
                      .is_first = i == 0,
                      .is_last = i + 1 == count});
  }
  return stages;
}

std::int64_t moe_layers_before(const ModelConfig& config, std::int64_t layer) {
  if (config.n_routed_experts == 0) return 0;
  return std::max<std::int64_t>(0, layer - config.first_k_dense_replace);
}

std::int64_t moe_layers(const ModelConfig& config) {
  const std::int64_t layers = config.num_hidden_layers, mtp = config.num_nextn_predict_layers;
  return moe_layers_before(config, layers) + (mtp > 0 && config.is_moe_layer(layers) ? 1 : 0);
}

bool Layout::is_whole(const ModelConfig& config) const {
  return *this == whole_layout(config);
}

Layout whole_layout(const ModelConfig& config) {
  return {.stages = even_stages(config, 1), .experts = {0, config.n_routed_experts}};
}

Layout layout_of(const ModelConfig& config, const Mesh& mesh, std::int64_t rank) {
  const MeshPlace place = place_of(mesh, rank);
  require(config.n_routed_experts % mesh.expert == 0, "layout",
          "parallel.expert = {} does not divide model.n_routed_experts = {}", mesh.expert,
          config.n_routed_experts);
  const PipelineShape shape = mesh.shape();
  const std::string refusal = shape.refusal();
  require(refusal.empty(), "layout", "{}", refusal);
  const std::vector<PipelineStage> all = even_stages(config, shape.stages());
  Layout layout;
  for (const std::int64_t stage : shape.held_by(place.pipeline)) {
    layout.stages.push_back(all[static_cast<std::size_t>(stage)]);
  }
  const std::int64_t each = config.n_routed_experts / mesh.expert;
  layout.experts = {place.expert * each, (place.expert + 1) * each};
  return layout;
}

}  // namespace tessera
