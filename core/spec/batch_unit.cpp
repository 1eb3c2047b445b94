// SPDX-License-Identifier: MIT
#include "core/spec/batch_unit.h"

#include <algorithm>

namespace tessera {

PipelineShape pipeline_shape(const RunSpec::Parallel& parallel) {
  return {.schedule = parallel.schedule,
          .ranks = parallel.pipeline,
          .stages_per_rank = parallel.stages_per_rank};
}

Mesh mesh_of(const RunSpec::Parallel& parallel) {
  return {.pipeline = parallel.pipeline,
          .data = parallel.data,
          .expert = parallel.expert,
          .schedule = parallel.schedule,
          .stages_per_rank = parallel.stages_per_rank,
          .context = parallel.context};
}

BatchUnit batch_unit(const RunSpec::Parallel& parallel) {
  const PipelineShape shape = pipeline_shape(parallel);
  const std::int64_t micro_batches =
      std::max<std::int64_t>(1, parallel.data * parallel.micro_batch_sequences);
  return {.multiple = micro_batches * shape.micro_batch_multiple(),
          .least = micro_batches * shape.fewest_micro_batches()};
}

}  // namespace tessera
