// SPDX-License-Identifier: MIT
// What of a model one rank holds. Every rank can say it of every other, so plan, model and
// checkpoint have it from here.
#pragma once

#include <cstdint>
#include <vector>

#include "core/config/model_config.h"
#include "core/config/pipeline.h"

namespace tessera {

/// How ranks are arranged: a pipeline of `pipeline` places, each of `data` x `context` ranks that
/// hold the same stages. Those of data train on different sequences; each has `context` ranks,
/// which share every sequence of theirs. `expert` of all that are neighbours share the experts.
struct Mesh {
  std::int64_t pipeline = 1, data = 1, expert = 1;
  PipelineSchedule schedule = PipelineSchedule::OneForwardOneBackward;
  std::int64_t stages_per_rank = 2;  ///< read by PipelineSchedule::Interleaved alone
  std::int64_t context = 1;

  /// Ranks of one place of the pipeline.
  std::int64_t replicas() const { return data * context; }
  std::int64_t ranks() const { return pipeline * replicas(); }
  PipelineShape shape() const {
    return {.schedule = schedule, .ranks = pipeline, .stages_per_rank = stages_per_rank};
  }
  bool operator==(const Mesh&) const = default;
};

/// A rank's place in the mesh. The pipeline is outermost and context innermost: rank = (pipeline
/// place * data + data place) * context + context place.
struct MeshPlace {
  std::int64_t pipeline = 0, data = 0, expert = 0;
  std::int64_t context = 0;
  std::int64_t replica = 0;  ///< among the ranks of its place of the pipeline
};
/// One of the ranks that share sequences.
struct ContextPlace {
  std::int64_t ranks = 1, index = 0;
};
/// Throws Error for a rank outside the mesh, and where `expert` does not divide `data` x
/// `context`.
MeshPlace place_of(const Mesh& mesh, std::int64_t rank);

/// Consecutive layers of a model, with what comes before the first and behind the last one.
struct PipelineStage {
  std::int64_t index = 0;           ///< among all stages of the model
  std::int64_t first = 0, end = 0;  ///< layers
  bool is_first = true;             ///< begins with the token table
  bool is_last = true;              ///< ends with the final norm, the head and MTP

  /// The last stage has its own copy of the token table where MTP or a tied head reads it.
  bool has_token_table(const ModelConfig& config) const;
  bool operator==(const PipelineStage&) const = default;
};

/// The model cut into `count` stages as even as its layers allow, the longer ones last. Throws
/// Error where there are more stages than layers.
std::vector<PipelineStage> even_stages(const ModelConfig& config, std::int64_t count);

/// A contiguous run of the routed experts of every layer.
struct ExpertRange {
  std::int64_t first = 0, end = 0;
  std::int64_t count() const { return end - first; }
  bool operator==(const ExpertRange&) const = default;
};

/// Layers with experts of the whole model, the MTP module's included.
std::int64_t moe_layers(const ModelConfig& config);
/// Those before layer `layer`.
std::int64_t moe_layers_before(const ModelConfig& config, std::int64_t layer);

/// What one rank holds.
struct Layout {
  std::vector<PipelineStage> stages;  ///< in the order of the model
  ExpertRange experts;

  bool is_whole(const ModelConfig& config) const;
  bool operator==(const Layout&) const = default;
};

/// All of the model.
Layout whole_layout(const ModelConfig& config);

/// That of a rank: the stages that its place in the pipeline holds, in the order of the model.
/// Throws Error naming the number that does not divide the other.
Layout layout_of(const ModelConfig& config, const Mesh& mesh, std::int64_t rank);

}  // namespace tessera
