// SPDX-License-Identifier: MIT
// Parameters and memory of a run, from the model that the trainer makes and a dry run of its step
// (core/train/step_memory.h). Nothing is allocated, whatever the size of the model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config/precision.h"
#include "core/plan/recompute_plan.h"
#include "core/spec/spec.h"

namespace tessera {

struct ParameterGroup {
  std::string id;    ///< "attention", "routed_experts", ...
  std::string name;  ///< for people
  std::int64_t total = 0;
  std::int64_t active = 0;  ///< those that one token uses
};

struct ParameterPlan {
  std::vector<ParameterGroup> groups;           ///< parts of the main model
  std::int64_t total = 0, active = 0, mtp = 0;  ///< as ParameterCount
};

struct MemoryTerm {
  std::string id;    ///< "weights", "stash", ...
  std::string name;  ///< for people
  std::size_t bytes = 0;
};

/// The memory of the rank that needs most.
struct MemoryPlan {
  std::vector<MemoryTerm> terms;
  std::size_t total_bytes = 0;
  int stage = 0;  ///< the stage of the curriculum that needs most
  int part = 0;   ///< the part of the pipeline that needs most
  bool exact = true;
  std::vector<std::string> notes;  ///< what was assumed
  std::int64_t context_bytes = 0;  ///< context_bytes() of the stage
  /// Each choice of recomputation, by dry runs of the same step, in the order of recompute_words().
  std::vector<RecomputeChoice> recompute;

  std::size_t bytes_of(const std::string& id) const;
};

ParameterPlan plan_parameters(const ModelConfig& config);

/// The size of a linear layer that is no multiple of 16, as FP8 wants them: "kv_lora_rank is 24".
std::optional<std::string> odd_fp8_weight(const ModelConfig& config);

/// The types a run of this spec computes in. FP8 that the sizes of the model do not allow is
/// planned as BF16; `fits` is then false.
Precision planned_precision(const RunSpec& spec, bool* fits = nullptr);

/// Throws Error where the spec has problems or is too large to be counted.
MemoryPlan plan_memory(const RunSpec& spec);

/// What ranks of context send each other in a step of the stage, all together: in each layer the
/// latents and rotary keys of every token go to the N - 1 other ranks in forward and in backward,
/// where blocks are made again twice, and their gradients come back. 0 where N is 1.
std::int64_t context_bytes(const RunSpec& spec, const CurriculumStage& stage);

/// Bytes of one checkpoint: weights, selection biases and moments.
std::size_t checkpoint_bytes(const RunSpec& spec);

/// Whether sizes stay far from the ends of 64-bit numbers.
bool can_be_counted(const ModelConfig& config);

}  // namespace tessera
