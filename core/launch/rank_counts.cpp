// SPDX-License-Identifier: MIT
#include "core/launch/rank_counts.h"

#include <algorithm>

#include "core/base/error.h"

namespace tessera {

namespace {
/// Ranks that work on the same sequences.
std::int64_t ranks_of_data_place(const RunSpec& spec) {
  return spec.parallel.pipeline * spec.parallel.context;
}

void check_experts(const RunSpec& spec, std::int64_t ranks) {
  const std::int64_t replicas = ranks / spec.parallel.pipeline;
  if (replicas % spec.parallel.expert == 0) return;
  throw Error("parallel.expert",
              fmt::format("{} does not divide the number of replicas that share experts, {}",
                          spec.parallel.expert, replicas),
              fmt::format("parallel.data, or ranks for each stage, as a multiple of {}",
                          spec.parallel.expert));
}

/// Throws Error unless the ranks make pipelines, and these share sequences.
void check_data_places(const RunSpec& spec, std::int64_t ranks) {
  const std::int64_t stages = spec.parallel.pipeline, context = spec.parallel.context;
  if (ranks % stages != 0) {
    throw Error("ranks",
                fmt::format("{} ranks cannot be split into pipelines of {} stages", ranks, stages),
                fmt::format("a multiple of parallel.pipeline, {}", stages));
  }
  if (ranks / stages % context != 0) {
    throw Error(
        "ranks",
        fmt::format("{} ranks for each stage cannot be split into groups of {} that share "
                    "a sequence",
                    ranks / stages, context),
        fmt::format("a multiple of parallel.pipeline * parallel.context, {}", stages * context));
  }
}

bool share_batches(const RunSpec& spec, std::int64_t replicas, std::int64_t micro) {
  return std::all_of(spec.curriculum.begin(), spec.curriculum.end(),
                     [&](const CurriculumStage& stage) {
                       return stage.batch_sequences % (replicas * micro) == 0;
                     });
}

/// Throws Error where replicas cannot share the batches: with what they could take at a time if
/// that helps.
void check_micro_batches(const RunSpec& spec, std::int64_t replicas) {
  const std::int64_t micro = spec.parallel.micro_batch_sequences;
  for (std::int64_t smaller = micro; smaller > 0; --smaller) {
    if (!share_batches(spec, replicas, smaller)) continue;
    if (smaller == micro) return;
    throw Error("ranks",
                fmt::format("{} replicas that take {} sequences at a time cannot share the batches",
                            replicas, micro),
                fmt::format("add --set parallel.micro_batch_sequences={}", smaller));
  }
  for (const CurriculumStage& stage : spec.curriculum) {
    if (stage.batch_sequences % replicas == 0) continue;
    throw Error("ranks",
                fmt::format("{} replicas cannot share batches of {} sequences", replicas,
                            stage.batch_sequences),
                "as many replicas as divide the batch, or curriculum.batch_sequences as a multiple "
                "of them");
  }
}
}  // namespace

std::int64_t ranks_of(const RunSpec& spec) {
  return spec.parallel.data * ranks_of_data_place(spec);
}

std::int64_t data_for_ranks(const RunSpec& spec, std::int64_t ranks) {
  if (ranks == 0 || ranks == ranks_of(spec)) {
    check_experts(spec, ranks_of(spec));
    return spec.parallel.data;
  }
  check_data_places(spec, ranks);
  const std::int64_t each = ranks_of_data_place(spec);
  if (spec.parallel.data != 1) {
    throw Error("ranks",
                fmt::format("{} ranks are not the {} that parallel.data = {} and {} ask for", ranks,
                            ranks_of(spec), spec.parallel.data,
                            spec.parallel.context > 1
                                ? fmt::format("parallel.pipeline * parallel.context = {}", each)
                                : fmt::format("parallel.pipeline = {}", each)),
                fmt::format("leave --ranks out, or add --set parallel.data={}", ranks / each));
  }
  check_experts(spec, ranks);
  check_micro_batches(spec, ranks / each);
  return ranks / each;
}

void check_ranks(const RunSpec& spec, std::int64_t ranks) {
  check_data_places(spec, ranks);
  const std::int64_t each = ranks_of_data_place(spec), micro = spec.parallel.micro_batch_sequences;
  check_experts(spec, ranks);
  const std::int64_t unit = ranks / each * micro, before = spec.parallel.data * micro;
  for (const CurriculumStage& stage : spec.curriculum) {
    // A growing batch takes steps of what the run began with.
    const std::int64_t batch = stage.batch_ramp_from > 0 ? before : stage.batch_sequences;
    if (batch % unit == 0) continue;
    throw Error(
        "ranks",
        fmt::format("batches of {} sequences cannot be shared by {} replicas that take {} at "
                    "a time",
                    batch, ranks / each, micro),
        fmt::format("as many replicas as {} has divisors: it is the batch by "
                    "parallel.micro_batch_sequences, {}",
                    batch / micro, micro));
  }
}

}  // namespace tessera
