// SPDX-License-Identifier: MIT
// Which batches can be trained: what ranks, micro-batches and the order of work in a pipeline ask
// of the number of sequences in a step.
#pragma once

#include "core/config/layout.h"
#include "core/config/pipeline.h"
#include "core/spec/spec.h"

namespace tessera {

PipelineShape pipeline_shape(const RunSpec::Parallel& parallel);

/// The ranks that a spec asks for; it need not be one that its model can be spread over.
Mesh mesh_of(const RunSpec::Parallel& parallel);

/// Sequences of a step: `least` or more, and a multiple of `multiple`.
struct BatchUnit {
  std::int64_t multiple = 1, least = 1;
};
BatchUnit batch_unit(const RunSpec::Parallel& parallel);

}  // namespace tessera
