// SPDX-License-Identifier: MIT
#include "core/train/rank_groups.h"

#include "core/base/error.h"
#include "distributed/single/single_process.h"

namespace tessera {

Mesh mesh_of(const RunSpec& spec, const Communicator& ranks) {
  const std::int64_t stages = spec.parallel.pipeline;
  require(stages >= 1 && ranks.size() % stages == 0, "parallel.pipeline",
          "{} stages do not divide {} ranks", stages, ranks.size());
  const Mesh mesh{
      .pipeline = stages, .data = ranks.size() / stages, .expert = spec.parallel.expert};
  require(mesh.expert >= 1 && mesh.data % mesh.expert == 0, "parallel.expert",
          "{} does not divide the {} ranks that hold each stage", mesh.expert, mesh.data);
  return mesh;
}

RankGroups::RankGroups(Communicator& world, const Mesh& mesh)
    : world_(world), mesh_(mesh), place_(place_of(mesh, world.rank())) {
  if (mesh.pipeline > 1) data_ = world.split(static_cast<int>(place_.pipeline), "data");
  if (mesh.expert == 1) {
    expert_ = std::make_unique<SingleProcess>();
  } else {
    expert_ = data().split(static_cast<int>(place_.data / mesh.expert), "experts");
    same_experts_ = data().split(static_cast<int>(place_.expert), "same experts");
  }
  if (mesh.pipeline == 1) {
    pipeline_ = std::make_unique<SingleProcess>();
    ends_ = std::make_unique<SingleProcess>();
    return;
  }
  pipeline_ = world.split(static_cast<int>(place_.data), "pipeline");
  const bool is_end = place_.pipeline == 0 || place_.pipeline + 1 == mesh.pipeline;
  ends_ = pipeline_->split(is_end ? 1 : 0, "ends");
}

}  // namespace tessera
