// SPDX-License-Identifier: MIT
#include "core/train/rank_groups.h"

#include "core/base/error.h"
#include "distributed/single/single_process.h"

namespace tessera {

Mesh mesh_of(const RunSpec& spec, const Communicator& ranks) {
  const std::int64_t pipeline = spec.parallel.pipeline;
  if (pipeline < 1 || ranks.size() % pipeline != 0) {
    throw Error(
        "parallel.pipeline",
        fmt::format("a pipeline of {} ranks does not divide {} ranks", pipeline, ranks.size()),
        fmt::format("start a multiple of {} ranks, or set parallel.pipeline to a number "
                    "that divides {}",
                    pipeline, ranks.size()));
  }
  const std::int64_t replicas = ranks.size() / pipeline, expert = spec.parallel.expert;
  const std::int64_t context = spec.parallel.context;
  if (context < 1 || replicas % context != 0) {
    throw Error(
        "parallel.context",
        fmt::format("{} does not divide the {} ranks that hold each stage", context, replicas),
        fmt::format("start a multiple of {} ranks, or set parallel.context to a number "
                    "that divides {}",
                    context * pipeline, replicas));
  }
  if (expert < 1 || replicas % expert != 0) {
    throw Error(
        "parallel.expert",
        fmt::format("{} does not divide the {} ranks that hold each stage", expert, replicas),
        fmt::format("start a multiple of {} ranks, or set parallel.expert to a number that "
                    "divides {}",
                    expert * pipeline, replicas));
  }
  return {.pipeline = pipeline,
          .data = replicas / context,
          .expert = expert,
          .schedule = spec.parallel.schedule,
          .stages_per_rank = spec.parallel.stages_per_rank,
          .context = context};
}

RankGroups::RankGroups(Communicator& world, const Mesh& mesh)
    : world_(world), mesh_(mesh), place_(place_of(mesh, world.rank())) {
  if (mesh.pipeline == 1) {
    pipeline_ = std::make_unique<SingleProcess>();
    ends_ = std::make_unique<SingleProcess>();
    split_replicas();
    return;
  }
  const PipelineShape shape = mesh.shape();
  replicas_ = world.split(static_cast<int>(place_.pipeline), "data");
  if (shape.routes().size() > 1) {
    holders_ = world.split(static_cast<int>(shape.first_holder(place_.pipeline)), "holders");
  }
  pipeline_ = world.split(static_cast<int>(place_.replica), "pipeline");
  // Where the first and the last stage lie on the same ranks, these are one group of data.
  const bool is_end = place_.pipeline == 0 || place_.pipeline + 1 == mesh.pipeline;
  ends_ = pipeline_->split(shape.ends_meet() ? static_cast<int>(place_.pipeline)
                           : is_end          ? 1
                                             : 0,
                           "ends");
  split_replicas();
}

void RankGroups::split_replicas() {
  if (mesh_.context > 1) {
    context_ = replicas().split(static_cast<int>(place_.data), "context");
  } else {
    context_ = std::make_unique<SingleProcess>();
  }
  if (mesh_.expert == 1) {
    expert_ = std::make_unique<SingleProcess>();
    return;
  }
  expert_ = replicas().split(static_cast<int>(place_.replica / mesh_.expert), "experts");
  same_experts_ = holders().split(static_cast<int>(place_.expert), "same experts");
}

bool RankGroups::counts() const {
  return mesh_.shape().first_holder(place_.pipeline) == place_.pipeline;
}

}  // namespace tessera
