// SPDX-License-Identifier: MIT
#include "core/train/rank_groups.h"

#include "core/base/error.h"
#include "distributed/single/single_process.h"

namespace tessera {

Mesh mesh_of(const RunSpec& spec, const Communicator& ranks) {
  const std::int64_t stages = spec.parallel.pipeline;
  if (stages < 1 || ranks.size() % stages != 0) {
    throw Error("parallel.pipeline",
                fmt::format("{} stages do not divide {} ranks", stages, ranks.size()),
                fmt::format("start a multiple of {} ranks, or set parallel.pipeline to a number "
                            "that divides {}",
                            stages, ranks.size()));
  }
  return {.pipeline = stages, .data = ranks.size() / stages};
}

RankGroups::RankGroups(Communicator& world, const Mesh& mesh)
    : world_(world), mesh_(mesh), place_(place_of(mesh, world.rank())) {
  if (mesh.pipeline == 1) {
    pipeline_ = std::make_unique<SingleProcess>();
    ends_ = std::make_unique<SingleProcess>();
    return;
  }
  data_ = world.split(static_cast<int>(place_.pipeline), "data");
  pipeline_ = world.split(static_cast<int>(place_.data), "pipeline");
  const bool is_end = place_.pipeline == 0 || place_.pipeline + 1 == mesh.pipeline;
  ends_ = pipeline_->split(is_end ? 1 : 0, "ends");
}

}  // namespace tessera
